// ClaimDesk: what a supplier of blocks asks when they are claimed in the API
// server (agent/block_claimer). Empty functions: blocks come from the file.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "base/ip.h"
#include "ipam/claim_types.h"

namespace linsey::agent {

struct ClaimDesk {
  /// What to do with each block now, given the ledger's; actions on the API
  /// server begin by themselves. Never waits.
  std::function<ipam::ClaimPlan(std::vector<ipam::LedgerBlock> ledger,
                                std::size_t waiting)>
      plan;
  /// The networks of all pools, also from an earlier run: what may be imported.
  std::function<std::vector<Cidr>()> pools;
  /// Whom to call when plan() may say something new.
  std::function<void(std::function<void()>)> on_changed;

  bool open() const { return plan != nullptr; }
};

}  // namespace linsey::agent
