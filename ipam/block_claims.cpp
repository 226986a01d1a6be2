#include "ipam/block_claims.h"

#include <algorithm>
#include <utility>

#include "base/sha1.h"
#include "ipam/block_turn.h"

namespace linsey::ipam {
namespace {

constexpr Duration kAnswerTime = std::chrono::seconds(120);
// How long our own write stands against what the watch shows.
constexpr Duration kWatchLag = std::chrono::seconds(60);
constexpr Duration kLookAgain =
    std::chrono::seconds(60);  // at a contested block
constexpr Duration kRememberTaken = std::chrono::seconds(600);
constexpr std::size_t kRememberMost = 4096;
constexpr Duration kRound = std::chrono::seconds(30);

void drop_older(std::map<Cidr, Instant>& map, Instant limit) {
  std::erase_if(map, [&](const auto& entry) { return entry.second <= limit; });
}

}  // namespace

BlockClaims::BlockClaims(std::string node, ClaimOptions options)
    : node_(std::move(node)), options_(options) {}

ClaimPlan BlockClaims::plan(const ClaimScene& scene, Instant now) {
  Turn turn{.scene = scene, .now = now};
  turn.plan.again = now + kRound;
  merge(turn);
  forget_old(turn);
  for (const auto& [block, known] : turn.known) {
    settle(turn, block, known);
  }
  for (const Family family : kFamilies) {
    if (scene.current) release_spare(turn, family);
    meet_need(turn, family);
  }
  if (scene.current && scene.pools.empty()) {
    turn.plan.trouble =
        make_error(Code::kNoBlock,
                   "no valid pool selects node {}; see the condition "
                   "Valid and the nodeSelector of the IPPools",
                   node_);
  }
  warn(turn);
  if (retry_at_ > now) turn.plan.again = std::min(turn.plan.again, retry_at_);
  return std::move(turn.plan);
}

/// Keeps every memory bounded.
void BlockClaims::forget_old(const Turn& turn) {
  drop_older(under_way_, turn.now - kAnswerTime);
  drop_older(absent_, turn.now - kLookAgain);
  drop_older(taken_, turn.now - kRememberTaken);
  if (taken_.size() > kRememberMost) taken_.clear();
  const auto unknown = [&](const auto& entry) {
    return !turn.known.contains(entry.first);
  };
  std::erase_if(contested_, unknown);
  std::erase_if(spare_since_, unknown);
  std::erase_if(releasing_,
                [&](const Cidr& block) { return !turn.known.contains(block); });
}

/// Own blocks, the ledger's, and on top what we wrote and the watch does not
/// show yet.
void BlockClaims::merge(Turn& turn) {
  for (const OwnBlock& own : turn.scene.own) {
    turn.known[own.cidr] = {own.pool, own.uid, own.phase, {}};
  }
  const auto seen_or_old = [&](const auto& entry) {
    if (!turn.scene.current) return false;
    const auto& [block, wrote] = entry;
    if (turn.now - wrote.at > kWatchLag) return true;
    const auto found = turn.known.find(block);
    if (found == turn.known.end()) return !wrote.phase.has_value();
    return wrote.phase ? found->second.phase == wrote.phase
                       : found->second.uid != wrote.uid;
  };
  std::erase_if(wrote_, seen_or_old);
  for (const auto& [block, wrote] : wrote_) {
    if (wrote.phase) {
      turn.known[block] = {wrote.pool, wrote.uid, wrote.phase, {}};
    } else {
      turn.known.erase(block);
    }
  }
  for (const LedgerBlock& row : turn.scene.ledger) {
    turn.known[row.cidr].ledger = row;
  }
}

void BlockClaims::act(Turn& turn, ClaimVerb verb, const Cidr& block,
                      const Known& known) {
  if (!turn.scene.current || retry_at_ > turn.now) return;
  if (!under_way_.try_emplace(block, turn.now).second) return;
  turn.plan.actions.push_back({verb, block, known.pool, known.uid});
}

void BlockClaims::settle(Turn& turn, const Cidr& block, const Known& known) {
  if (!turn.scene.current) {
    turn.plan.blocks[block] = use_when_stale(turn, block, known);
    return;
  }
  if (!known.phase) return settle_unknown(turn, block, known);
  contested_.erase(block);
  absent_.erase(block);
  switch (*known.phase) {
    case BlockPhase::kPending: {
      const bool ready = known.ledger && known.ledger->committed;
      if (ready) act(turn, ClaimVerb::kConfirm, block, known);
      turn.plan.blocks[block] = known.in_use() ? Use::kGive : Use::kHold;
      return;
    }
    case BlockPhase::kConfirmed:
      return settle_confirmed(turn, block, known);
    case BlockPhase::kReleasing:
      return settle_releasing(turn, block, known);
  }
}

/// Without the API server the ledger alone stands: what it has is ours.
Use BlockClaims::use_when_stale(const Turn& turn, const Cidr& block,
                                const Known& known) const {
  if (contested_.contains(block)) return Use::kContested;
  if (known.phase == BlockPhase::kReleasing && !known.in_use()) {
    return Use::kWithdraw;
  }
  if (!known.ledger) return Use::kHold;
  if (known.phase == BlockPhase::kPending && !known.in_use()) {
    return Use::kHold;
  }
  const ClaimPool* pool = turn.pool(known.pool);
  return pool != nullptr && !pool->give ? Use::kDrain : Use::kGive;
}

/// The ledger has it, the API does not call it ours: gone, or another's.
void BlockClaims::settle_unknown(Turn& turn, const Cidr& block,
                                 const Known& known) {
  releasing_.erase(block);
  const auto contested = contested_.find(block);
  if (contested != contested_.end()) {
    const bool in_use = known.ledger && known.ledger->held > 0;
    turn.plan.blocks[block] = in_use ? Use::kContested : Use::kForget;
    if (turn.now - contested->second >= kLookAgain) {
      act(turn, ClaimVerb::kLook, block, known);
    }
    return;
  }
  const ClaimPool* pool = turn.pool_around(block);
  turn.plan.blocks[block] =
      pool != nullptr && pool->give ? Use::kGive : Use::kDrain;
  if (!absent_.contains(block)) {
    act(turn, ClaimVerb::kLook, block, known);
  } else if (!known.in_use()) {
    turn.plan.blocks[block] =
        known.ledger->announced ? Use::kWithdraw : Use::kForget;
  } else if (pool != nullptr) {
    Known claimed = known;
    claimed.pool = pool->name;
    act(turn, ClaimVerb::kCreate, block, claimed);
  }
}

void BlockClaims::settle_confirmed(Turn& turn, const Cidr& block,
                                   const Known& known) {
  const bool stands =
      known.ledger && (known.ledger->committed || known.ledger->held > 0);
  if (known.in_use()) releasing_.erase(block);
  if (!stands) {
    turn.plan.blocks[block] = Use::kHold;
  } else if (releasing_.contains(block)) {
    turn.plan.blocks[block] = Use::kWithdraw;
    if (!known.ledger->announced) {
      act(turn, ClaimVerb::kRelease, block, known);
    }
  } else {
    const ClaimPool* pool = turn.pool(known.pool);
    const bool give = pool != nullptr && pool->give;
    turn.plan.blocks[block] = give ? Use::kGive : Use::kDrain;
  }
}

void BlockClaims::settle_releasing(Turn& turn, const Cidr& block,
                                   const Known& known) {
  releasing_.erase(block);
  if (!known.ledger) {
    act(turn, ClaimVerb::kDelete, block, known);
    turn.plan.blocks[block] = Use::kWithdraw;
  } else if (known.in_use()) {
    act(turn, ClaimVerb::kConfirm, block, known);
    turn.plan.blocks[block] = Use::kGive;
  } else {
    turn.plan.blocks[block] =
        known.ledger->announced ? Use::kWithdraw : Use::kForget;
  }
}

/// One block of a family at a time: the last in order that nobody needs.
void BlockClaims::release_spare(Turn& turn, Family family) {
  std::optional<Cidr> spare;
  const std::uint64_t supply = turn.supply(family);
  for (const auto& [block, use] : turn.plan.blocks) {
    if (block.family() != family) continue;
    if (use == Use::kWithdraw || use == Use::kForget) return;
    const Known& known = turn.known.at(block);
    const bool empty = known.ledger && known.ledger->committed &&
                       known.phase == BlockPhase::kConfirmed && !known.in_use();
    const std::uint64_t own =
        use == Use::kGive && empty ? known.ledger->free : 0;
    const bool unneeded =
        use == Use::kDrain ||
        (use == Use::kGive && turn.scene.waiting == 0 &&
         supply - own >= std::uint64_t{options_.low} + options_.slack);
    if (!empty || !unneeded) {
      spare_since_.erase(block);
      continue;
    }
    const Instant since =
        spare_since_.try_emplace(block, turn.now).first->second;
    if (turn.now - since >= options_.spare_grace) {
      spare = block;
    } else {
      turn.plan.again = std::min(turn.plan.again, since + options_.spare_grace);
    }
  }
  if (!spare) return;
  spare_since_.erase(*spare);
  releasing_.insert(*spare);
  settle_confirmed(turn, *spare, turn.known.at(*spare));
}

void BlockClaims::observe(const ClaimResult& result, Instant now) {
  const Cidr& block = result.action.block;
  under_way_.erase(block);
  if (result.answer == ClaimAnswer::kFailed) {
    failed(result, now);
    return;
  }
  failures_ = 0;
  failure_.reset();
  if (result.action.verb == ClaimVerb::kList) return listed(result);
  switch (result.answer) {
    case ClaimAnswer::kOurs:
      wrote(result, result.phase, now);
      break;
    case ClaimAnswer::kTaken:
      contested_[block] = now;
      wrote_.erase(block);
      break;
    case ClaimAnswer::kFree:
      absent_[block] = now;
      wrote_[block] = {.phase = {}, .uid = result.action.uid, .at = now};
      break;
    default:
      using enum ClaimVerb;
      if (result.action.verb == kCreate)
        wrote(result, BlockPhase::kPending, now);
      if (result.action.verb == kConfirm) {
        wrote(result, BlockPhase::kConfirmed, now);
      }
      if (result.action.verb == kRelease) {
        wrote(result, BlockPhase::kReleasing, now);
      }
      if (result.action.verb == kDelete) wrote(result, std::nullopt, now);
  }
  searched(result, now);
}

void BlockClaims::failed(const ClaimResult& result, Instant now) {
  constexpr unsigned kMostDoublings = 6;
  const auto hash = sha1(node_);
  const Duration wait =
      std::chrono::seconds(1) * (1U << std::min(failures_++, kMostDoublings));
  retry_at_ = now + wait + wait * hash.front() / 256;
  failure_ = result.why;
  // The outcome is unknown: what is remembered of the block may be wrong.
  absent_.erase(result.action.block);
  for (auto& [family, search] : search_) {
    if (search.found == result.action.block) search.found.reset();
  }
}

void BlockClaims::wrote(const ClaimResult& result,
                        std::optional<BlockPhase> phase, Instant now) {
  const ClaimAction& action = result.action;
  wrote_[action.block] = {.phase = phase,
                          .pool = action.pool,
                          .uid = result.uid.empty() ? action.uid : result.uid,
                          .at = now};
  absent_.erase(action.block);
  contested_.erase(action.block);
}

}  // namespace linsey::ipam
