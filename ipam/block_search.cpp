// The half of BlockClaims that finds new blocks.
#include <algorithm>
#include <iterator>

#include "ipam/block_claims.h"
#include "ipam/block_turn.h"
#include "ipam/probe_order.h"

namespace linsey::ipam {
namespace {

constexpr Duration kRememberTaken = std::chrono::seconds(600);
// Places tried by looks before a list; known and taken ones are stepped over.
constexpr std::uint64_t kPlaces = 64;

std::uint64_t low_of(const ClaimOptions& options, const ClaimPool& pool) {
  const std::uint64_t size =
      std::uint64_t{1} << (pool.cidr.addr().bit_length() - pool.block_size);
  return std::clamp<std::uint64_t>(size / 4, 1,
                                   std::max<std::uint32_t>(options.low, 1));
}

std::string family_name(Family family) {
  return family == Family::kV4 ? "IPv4" : "IPv6";
}

}  // namespace

void BlockClaims::meet_need(Turn& turn, Family family) {
  std::uint64_t low = 0;
  for (const ClaimPool& pool : turn.scene.pools) {
    if (pool.cidr.family() == family) low = low_of(options_, pool);
  }
  if (low == 0) return;
  if (turn.supply(family) < turn.scene.waiting + low)
    keep_releasing(turn, family);
  const std::uint64_t supply = turn.supply(family);
  if (supply >= turn.scene.waiting + low) {
    search_.erase(family);
    return;
  }
  if (!turn.scene.current) {
    turn.plan.trouble =
        make_error(Code::kApiUnavailable,
                   "the next {} block of node {} waits for the API "
                   "server; {} addresses are free",
                   family_name(family), node_, supply);
    return;
  }
  if (retry_at_ > turn.now) {
    if (failure_) turn.plan.trouble = failure_;
    return;
  }
  if (const ClaimPool* pool = choose_pool(turn, family)) {
    seek(turn, family, *pool);
  } else {
    turn.plan.trouble = exhausted(turn, family, supply);
  }
}

/// A release that is not written yet is taken back when addresses run low.
void BlockClaims::keep_releasing(Turn& turn, Family family) {
  for (auto& [block, use] : turn.plan.blocks) {
    const bool mine = block.family() == family && use == Use::kWithdraw &&
                      releasing_.contains(block);
    const ClaimPool* pool = turn.pool(turn.known.at(block).pool);
    if (!mine || under_way_.contains(block)) continue;
    if (pool == nullptr || !pool->give) continue;
    releasing_.erase(block);
    use = Use::kGive;
  }
}

Error BlockClaims::exhausted(const Turn& turn, Family family,
                             std::uint64_t supply) const {
  std::string pools;
  for (const ClaimPool& pool : turn.scene.pools) {
    if (pool.cidr.family() != family) continue;
    const auto known = full_.find(pool.name);
    pools +=
        fmt::format("{}{} ({}) {}", pools.empty() ? "" : ", ", pool.name,
                    pool.cidr.to_string(),
                    pool.claim && known != full_.end()
                        ? fmt::format("has {} of {} blocks in use",
                                      known->second.used, known->second.total)
                        : std::string("may not be claimed from"));
  }
  return make_error(Code::kBlockExhausted,
                    "no {} block is left for node {}: {}; {} addresses of its "
                    "own are free",
                    family_name(family), node_, pools, supply);
}

const ClaimPool* BlockClaims::choose_pool(Turn& turn, Family family) {
  const ClaimPool* best = nullptr;
  for (const ClaimPool& pool : turn.scene.pools) {
    if (pool.cidr.family() != family || !pool.claim) continue;
    if (full(pool, turn.now)) continue;
    if (best == nullptr || pool.name < best->name) best = &pool;
  }
  return best;
}

/// Known full, by a list of our own or by the controller's count. That count
/// may be old, so once in full_retry it is not believed; a count that fell
/// wakes at once.
bool BlockClaims::full(const ClaimPool& pool, Instant now) {
  const bool counted = pool.total > 0 && pool.used >= pool.total;
  const auto known = full_.find(pool.name);
  if (known == full_.end()) {
    if (!counted) return false;
    mark_full(pool, static_cast<std::uint64_t>(pool.total), now);
    return true;
  }
  const bool fell =
      pool.total > 0 && !counted && pool.used < known->second.told;
  return !fell && now < known->second.until;
}

void BlockClaims::mark_full(const ClaimPool& pool, std::uint64_t total,
                            Instant now) {
  full_[pool.name] = {.until = now + options_.full_retry,
                      .used = total,
                      .total = total,
                      .told = pool.used};
}

bool BlockClaims::taken_now(const Turn& turn, const Cidr& block) const {
  if (turn.known.contains(block)) return true;
  const auto taken = taken_.find(block);
  return taken != taken_.end() && turn.now - taken->second < kRememberTaken;
}

void BlockClaims::seek(Turn& turn, Family family, const ClaimPool& pool) {
  Search& search = search_[family];
  if (search.pool != pool.name) search = {.pool = pool.name};
  if (search.asked && under_way_.contains(*search.asked)) return;
  const Known nobody{.pool = pool.name};
  if (search.found) {
    search.asked = search.found;
    act(turn, ClaimVerb::kCreate, *search.found, nobody);
    return;
  }
  const Result<ProbeOrder> order = ProbeOrder::make(node_, pool);
  if (!order) {
    turn.plan.trouble = order.error();
    return;
  }
  const bool far = search.looks >= options_.max_looks;
  if (!search.listed && far) return list(turn, search, pool);
  const std::uint64_t places =
      search.listed ? order->count() : std::min(order->count(), kPlaces);
  for (std::uint64_t i = 0; i < places; ++i) {
    const Cidr block = order->at(i);
    if (taken_now(turn, block)) continue;
    if (search.listed && search.listed->contains(block)) continue;
    search.asked = block;
    act(turn, ClaimVerb::kLook, block, nobody);
    return;
  }
  if (!search.listed) return list(turn, search, pool);
  mark_full(pool, order->count(), turn.now);
  search_.erase(family);
  turn.plan.trouble = exhausted(turn, family, turn.supply(family));
  turn.plan.again = turn.now;  // the next pool
}

void BlockClaims::list(Turn& turn, Search& search, const ClaimPool& pool) {
  search.asked = pool.cidr;
  act(turn, ClaimVerb::kList, pool.cidr, {.pool = pool.name});
}

void BlockClaims::searched(const ClaimResult& result, Instant now) {
  const Cidr& block = result.action.block;
  const auto found = search_.find(block.family());
  if (result.answer == ClaimAnswer::kTaken) taken_[block] = now;
  if (found == search_.end() || found->second.asked != block) return;
  Search& search = found->second;
  search.asked.reset();
  search.found.reset();
  if (result.answer == ClaimAnswer::kFree) {
    search.found = block;
  } else if (result.answer == ClaimAnswer::kTaken) {
    ++search.looks;
  } else {
    search_.erase(found);
  }
}

/// The list is newer than what was remembered.
void BlockClaims::listed(const ClaimResult& result) {
  taken_.clear();
  for (auto& [family, search] : search_) {
    if (search.pool != result.action.pool) continue;
    search.asked.reset();
    search.listed.emplace(result.taken.begin(), result.taken.end());
  }
}

void BlockClaims::warn(Turn& turn) const {
  for (const ClaimPool& pool : turn.scene.pools) {
    const double share = pool.total > 0 ? static_cast<double>(pool.used) /
                                              static_cast<double>(pool.total)
                                        : 0.0;
    if (!pool.claim || share < options_.nearly_full) continue;
    turn.plan.warnings.push_back(make_error(
        Code::kPoolNearlyFull, "pool {} ({}) has {} of {} blocks in use",
        pool.name, pool.cidr.to_string(), pool.used, pool.total));
  }
  for (const auto& [block, use] : turn.plan.blocks) {
    if (use != Use::kContested) continue;
    turn.plan.warnings.push_back(make_error(
        Code::kBlockContested,
        "block {} belongs to another node in the API server, {} pods of {} "
        "still have addresses of it",
        block.to_string(), turn.known.at(block).ledger->held, node_));
  }
}

}  // namespace linsey::ipam
