// Turn: one BlockClaims::plan() under way. Private to its two source files.
#pragma once

#include <map>
#include <string>

#include "ipam/block_claims.h"

namespace linsey::ipam {

struct BlockClaims::Turn {
  const ClaimScene& scene;
  Instant now;
  std::map<Cidr, Known> known;
  ClaimPlan plan;

  const ClaimPool* pool(const std::string& name) const {
    for (const ClaimPool& pool : scene.pools) {
      if (pool.name == name) return &pool;
    }
    return nullptr;
  }
  const ClaimPool* pool_around(const Cidr& block) const {
    for (const ClaimPool& pool : scene.pools) {
      if (pool.cidr.contains(block) && pool.block_size == block.prefix_len()) {
        return &pool;
      }
    }
    return nullptr;
  }
  /// Free addresses of the family's given blocks, and blocks on the way.
  std::uint64_t supply(Family family) const {
    std::uint64_t sum = 0;
    for (const auto& [block, use] : plan.blocks) {
      if (block.family() != family) continue;
      const Known& it = known.at(block);
      if (use == Use::kGive && it.ledger) sum += it.ledger->free;
      if (use == Use::kHold) sum += block.size();
    }
    return sum;
  }
};

}  // namespace linsey::ipam
