// ClaimDesk: what a supplier of blocks asks when they are claimed in the API
// server (agent/block_claimer). Empty functions: blocks come from the file.
#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "ipam/claim_types.h"

namespace linsey::agent {

/// Blocks of other nodes, of those that the API server shows.
struct OtherBlocks {
  std::vector<Cidr> confirmed;  // some of them, others each time
  std::set<Cidr> sure;          // and their nodes should announce them
};

struct ClaimDesk {
  /// What to do with each block now, given the ledger's; actions on the API
  /// server begin by themselves. Never waits.
  std::function<ipam::ClaimPlan(std::vector<ipam::LedgerBlock> ledger,
                                std::size_t waiting)>
      plan;
  /// The networks of all pools, also from an earlier run: what may be imported.
  std::function<std::vector<Cidr>()> pools;
  /// Whose routes to look for; `missing` had none in the last round. Empty:
  /// never looked for.
  std::function<OtherBlocks(const std::vector<Cidr>& missing)> others = {};
  /// All of them, for a check by hand.
  std::function<void(
      std::function<void(const Result<std::vector<Cidr>>&)> done)>
      all_others = {};
  /// Whom to call when plan() may say something new.
  std::function<void(std::function<void()>)> on_changed;

  bool open() const { return plan != nullptr; }
};

}  // namespace linsey::agent
