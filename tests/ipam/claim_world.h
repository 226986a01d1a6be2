// A small API server of blocks and nodes that carry out what BlockClaims plans
// with a ledger of counts; enough to play histories against each other.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ipam/block_claims.h"
#include "tests/ipam/make.h"

namespace linsey::tests {

struct ApiBlocks {
  struct Object {
    std::string node;
    std::string pool;
    std::string uid;
    ipam::BlockPhase phase = ipam::BlockPhase::kPending;
  };
  std::map<Cidr, Object> objects;
  int writes = 0;
  int refused = 0;
  int lists = 0;
  int next_uid = 1;
  bool lose_reply = false;
  bool down = false;

  ipam::ClaimResult serve(const std::string& node,
                          const ipam::ClaimAction& action) {
    ipam::ClaimResult result = act(node, action);
    if (down || std::exchange(lose_reply, false)) {
      result = {.action = action,
                .answer = ipam::ClaimAnswer::kFailed,
                .why = make_error(Code::kApiUnavailable, "lost")};
    }
    return result;
  }

 private:
  ipam::ClaimResult act(const std::string& node,
                        const ipam::ClaimAction& action) {
    using enum ipam::ClaimVerb;
    using ipam::ClaimAnswer;
    ipam::ClaimResult result{.action = action};
    if (down) return result;
    if (action.verb == kList) {
      ++lists;
      for (const auto& [block, object] : objects) {
        if (object.pool == action.pool) result.taken.push_back(block);
      }
      return result;
    }
    const auto found = objects.find(action.block);
    if (action.verb == kCreate && found == objects.end()) {
      ++writes;
      result.uid = std::to_string(next_uid++);
      objects[action.block] = {node, action.pool, result.uid,
                               ipam::BlockPhase::kPending};
      return result;
    }
    if (found == objects.end()) {
      result.answer = ClaimAnswer::kFree;
      return result;
    }
    result.uid = found->second.uid;
    result.phase = found->second.phase;
    const bool ours = found->second.node == node;
    if (action.verb == kLook || action.verb == kCreate || !ours) {
      if (action.verb != kLook) ++refused;
      result.answer = ours ? ClaimAnswer::kOurs : ClaimAnswer::kTaken;
      return result;
    }
    ++writes;
    if (action.verb == kDelete) {
      objects.erase(found);
    } else {
      found->second.phase = action.verb == kConfirm
                                ? ipam::BlockPhase::kConfirmed
                                : ipam::BlockPhase::kReleasing;
    }
    return result;
  }
};

/// One node: its ledger as counts, everything done at once and on the spot.
struct ClaimNode {
  ClaimNode(ApiBlocks& server, std::string node,
            std::vector<ipam::ClaimPool> known_pools,
            const ipam::ClaimOptions& claim_options = {})
      : api(server),
        name(std::move(node)),
        pools(std::move(known_pools)),
        options(claim_options),
        claims(name, options) {}

  ipam::ClaimScene scene() const {
    ipam::ClaimScene scene{
        .pools = pools, .current = !api.down, .waiting = waiting};
    for (const auto& [block, object] : api.objects) {
      if (object.node != name) continue;
      scene.own.push_back({block, object.pool, object.uid, object.phase});
    }
    for (const auto& [block, row] : ledger) {
      scene.ledger.push_back(row);
    }
    return scene;
  }

  /// One plan, carried out. False when there was nothing to do.
  bool step(Instant now) {
    last = claims.plan(scene(), now);
    bool changed = false;
    for (const auto& [block, use] : last.blocks) {
      changed |= apply(block, use);
    }
    for (const ipam::ClaimAction& action : last.actions) {
      claims.observe(api.serve(name, action), now);
      changed = true;
    }
    return changed;
  }
  bool apply(const Cidr& block, ipam::Use use) {
    using enum ipam::Use;
    if (use == kForget) return ledger.erase(block) > 0;
    const bool is_new = !ledger.contains(block);
    if (is_new && use != kHold && use != kGive) return false;
    ipam::LedgerBlock& row = ledger[block];
    if (is_new) {
      row = {.cidr = block, .free = static_cast<std::uint32_t>(block.size())};
    }
    const bool announced = use == kGive || (use == kDrain && row.held > 0);
    const bool changed = is_new || !row.committed || row.announced != announced;
    row.committed = true;
    row.announced = announced;
    return changed;
  }
  void settle(Instant now) {
    for (int i = 0; i < 200 && step(now); ++i) {
    }
  }
  /// Takes `n` addresses of given blocks; how many there were.
  unsigned take(unsigned n) {
    unsigned taken = 0;
    for (auto& [block, row] : ledger) {
      if (last.blocks[block] != ipam::Use::kGive) continue;
      const unsigned some = std::min(n - taken, row.free);
      row.free -= some;
      row.held += some;
      taken += some;
    }
    return taken;
  }
  void give_back_all() {
    for (auto& [block, row] : ledger) {
      row.free += std::exchange(row.held, 0);
    }
  }
  void crash() { claims = ipam::BlockClaims(name, options); }

  ApiBlocks& api;
  std::string name;
  std::vector<ipam::ClaimPool> pools;
  ipam::ClaimOptions options;
  ipam::BlockClaims claims;
  std::map<Cidr, ipam::LedgerBlock> ledger;
  std::size_t waiting = 0;
  ipam::ClaimPlan last;
};

}  // namespace linsey::tests
