// Node: one node of the simulated cluster, with the shipped ledger and the
// shipped claim machine. What a save would put on disk is copied before a turn
// that is to crash, so a crash loses exactly what was not saved.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ipam/block_claims.h"
#include "ipam/ledger.h"
#include "sim/blocks_api.h"

namespace linsey::sim {

class Node {
 public:
  struct Disk {
    std::vector<ipam::AddressRow> rows;
    std::vector<ipam::Held> held;
  };

  explicit Node(std::string name);

  const std::string& name() const { return name_; }
  const ipam::Ledger& ledger() const { return ledger_; }

  /// Addresses for a pod, one of each family; nullopt when it must wait.
  std::optional<std::vector<IpAddr>> add(std::uint64_t pod, Instant now);
  void del(std::uint64_t pod, Instant now);
  void save() { ledger_.mark_saved(); }
  Disk disk(Instant now) const;
  /// kill -9 and start again from `disk`.
  void crash(const Disk& disk);

  /// One look at the blocks. True while there is more to do at once. Errors:
  /// a broken rule, in words.
  Result<bool> turn(BlocksApi& api, bool reachable, Instant now);
  bool due(Instant now) const { return waiting > 0 || now >= again_; }
  void wake() { again_ = {}; }

  std::vector<std::uint64_t> pods;  // alive, as the cluster knows
  std::size_t waiting = 0;          // pods without address
  Instant cut_until{};              // from the API server

 private:
  std::vector<ipam::LedgerBlock> ledger_blocks(Instant now) const;
  Result<bool> apply(const Cidr& block, ipam::Use use, const BlocksApi& api);

  std::string name_;
  ipam::Ledger ledger_;
  ipam::BlockClaims claims_;
  std::map<Cidr, ipam::Use> used_;  // as applied since the start
  Instant again_{};
};

}  // namespace linsey::sim
