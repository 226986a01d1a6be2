#include "controller/planner.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "conf/selector.h"
#include "ipam/block.h"

namespace linsey::controller {
namespace {

using kube::IpPool;

kube::Condition invalid(Code code, std::string message) {
  return {.type = std::string(kube::kValid),
          .status = "False",
          .reason = std::string(name(code)),
          .message = std::move(message)};
}

/// What is wrong with a pool by itself.
Result<void> check_alone(const IpPool& pool) {
  TRY(ipam::block_count(pool.cidr, pool.block_size));
  TRY(context(conf::Selector::parse(pool.node_selector), "nodeSelector"));
  return {};
}

std::int64_t total_blocks(const IpPool& pool) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  const auto count = ipam::block_count(pool.cidr, pool.block_size);
  return static_cast<std::int64_t>(std::min(kMost, count.value_or(0)));
}

bool has_finalizer(const IpPool& pool) {
  return std::ranges::find(pool.meta.finalizers, kube::kBlocksFinalizer) !=
         pool.meta.finalizers.end();
}

/// nullopt when the pool has the finalizers it should have.
std::optional<IpPool> with_finalizers(const IpPool& pool, std::int64_t used) {
  IpPool wanted = pool;
  auto& list = wanted.meta.finalizers;
  const bool want = !pool.meta.deleting || used > 0;
  if (want == has_finalizer(pool)) return std::nullopt;
  // The server refuses new finalizers on what is being deleted.
  if (want && pool.meta.deleting) return std::nullopt;
  if (want) {
    list.emplace_back(kube::kBlocksFinalizer);
  } else {
    std::erase(list, kube::kBlocksFinalizer);
  }
  return wanted;
}

bool same_but_time(const kube::Condition& a, const kube::Condition& b) {
  return a.status == b.status && a.reason == b.reason && a.message == b.message;
}

}  // namespace

std::map<std::string, kube::Condition> validity(
    const std::map<std::string, IpPool>& pools) {
  std::vector<const IpPool*> by_age;
  std::ranges::transform(pools, std::back_inserter(by_age),
                         [](const auto& named) { return &named.second; });
  std::ranges::stable_sort(
      by_age, {}, [](const IpPool* pool) { return pool->meta.created; });
  std::map<std::string, kube::Condition> result;
  std::vector<const IpPool*> valid;
  for (const IpPool* pool : by_age) {
    kube::Condition& condition = result[pool->meta.name];
    const Result<void> alone = check_alone(*pool);
    const auto older = std::ranges::find_if(valid, [&](const IpPool* other) {
      return other->cidr.overlaps(pool->cidr);
    });
    if (!alone) {
      condition = invalid(Code::kInvalidConfig, alone.error().msg);
    } else if (older != valid.end()) {
      condition = invalid(
          Code::kPoolOverlap,
          fmt::format("{} overlaps {} of the older IPPool {}; delete one",
                      pool->cidr.to_string(), (*older)->cidr.to_string(),
                      (*older)->meta.name));
    } else {
      condition = {.type = std::string(kube::kValid),
                   .status = "True",
                   .reason = "Accepted",
                   .message = "no older pool overlaps"};
      valid.push_back(pool);
    }
  }
  return result;
}

std::vector<Action> Planner::plan(const Scene& scene, Instant now) {
  std::vector<Action> actions;
  if (!scene.current) {
    gone_.clear();
    return actions;
  }
  plan_pools(scene, now, actions);
  plan_nodes(scene, now, actions);
  return actions;
}

void Planner::plan_pools(const Scene& scene, Instant now,
                         std::vector<Action>& out) {
  std::map<std::string, std::int64_t> used;
  for (const auto& [name, block] : scene.blocks) {
    ++used[block.pool];
  }
  for (auto& [name, condition] : validity(scene.pools)) {
    const IpPool& pool = scene.pools.at(name);
    if (const auto wanted = with_finalizers(pool, used[name])) {
      out.push_back({.verb = Verb::kSetFinalizers, .pool = *wanted});
    }
    IpPool told = pool;
    told.blocks_total = total_blocks(pool);
    told.blocks_used = used[name];
    kube::Condition next = condition;
    const kube::Condition* old =
        kube::find_condition(pool.conditions, kube::kValid);
    const bool changed = old == nullptr || !same_but_time(*old, next);
    const bool turned = old == nullptr || old->status != next.status;
    next.since = turned ? scene.wall : old->since;
    std::erase_if(told.conditions,
                  [](const auto& c) { return c.type == kube::kValid; });
    told.conditions.push_back(std::move(next));
    const auto last = counted_.find(name);
    const bool paused =
        last != counted_.end() && now - last->second < options_.count_pause;
    const bool counts = told.blocks_total != pool.blocks_total ||
                        told.blocks_used != pool.blocks_used;
    if (!changed && (!counts || paused)) continue;
    counted_[name] = now;
    out.push_back({.verb = Verb::kPoolStatus,
                   .pool = std::move(told),
                   .changed_validity = turned});
  }
  std::erase_if(counted_, [&](const auto& entry) {
    return !scene.pools.contains(entry.first);
  });
}

void Planner::plan_nodes(const Scene& scene, Instant now,
                         std::vector<Action>& out) {
  std::map<std::string, std::vector<const kube::IpBlock*>> gone;
  for (const std::string& node : seen_) {
    if (!scene.nodes.contains(node)) gone[node];
  }
  for (const auto& [name, block] : scene.blocks) {
    if (!scene.nodes.contains(block.node)) gone[block.node].push_back(&block);
  }
  seen_.insert(scene.nodes.begin(), scene.nodes.end());
  std::erase_if(gone_,
                [&](const auto& entry) { return !gone.contains(entry.first); });
  std::size_t freed = 0;
  for (const auto& [node, blocks] : gone) {
    const Instant first = gone_.try_emplace(node, now).first->second;
    if (now - first < options_.node_grace) continue;
    if (freed + blocks.size() > options_.most_freed && freed > 0) continue;
    for (const kube::IpBlock* block : blocks) {
      out.push_back({.verb = Verb::kFreeBlock, .block = *block, .node = node});
      ++freed;
    }
    if (!seen_.contains(node)) continue;
    out.push_back({.verb = Verb::kForgetNode, .node = node});
    seen_.erase(node);
  }
}

}  // namespace linsey::controller
