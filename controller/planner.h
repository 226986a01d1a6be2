// Planner: what has to be done cluster-wide about pools and blocks; pure.
//
// Pools: of two that overlap the older is valid, the other is marked
// PoolOverlap; nothing is claimed from a pool before it is marked. A finalizer
// keeps a pool until its last block is gone, so that a block never outlives
// the range it was cut from.
// Blocks of a gone node: only when no Node object of that name exists, seen
// so twice with the whole grace between and never while the copy was old; who
// carries the plan out asks a last time by name. A Node made anew under the
// same name keeps its blocks, whatever its UID.
// Rejected: ownerReferences on blocks. The garbage collector would free the
// addresses of running pods at once when somebody re-registers a node.
// Thread: one. Deterministic: no clock of its own.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kube/objects.h"

namespace linsey::controller {

struct Scene {
  std::map<std::string, kube::IpPool> pools;    // by name
  std::map<std::string, kube::IpBlock> blocks;  // by name
  std::set<std::string> nodes;                  // names
  bool current = false;  // all three complete and not old
  std::string wall;      // RFC 3339, for conditions
};

enum class Verb : std::uint8_t {
  kSetFinalizers,  // of a pool, to pool.meta.finalizers
  kPoolStatus,     // conditions and counts
  kFreeBlock,      // of a node that is gone
  kForgetNode,     // delete its NodeNetwork
};

struct Action {
  Verb verb = Verb::kPoolStatus;
  kube::IpPool pool;    // of the first two; guarded by its resourceVersion
  kube::IpBlock block;  // of kFreeBlock; guarded by its uid
  std::string node;     // of the last two
  /// kPoolStatus: the condition Valid changed; worth an event.
  bool changed_validity = false;
};

struct Options {
  Duration node_grace = std::chrono::minutes(5);
  /// Counts alone are written no more often than this.
  Duration count_pause = std::chrono::seconds(60);
  std::size_t most_freed = 100;  // blocks in one plan
};

class Planner {
 public:
  explicit Planner(Options options = {}) : options_(options) {}

  /// What is to be done now. Actions are level-triggered: one that failed
  /// comes again. Cost: O(blocks + pools^2).
  std::vector<Action> plan(const Scene& scene, Instant now);

 private:
  void plan_pools(const Scene& scene, Instant now, std::vector<Action>& out);
  void plan_nodes(const Scene& scene, Instant now, std::vector<Action>& out);

  Options options_;
  std::map<std::string, Instant> counted_;  // last status write, by pool
  std::map<std::string, Instant> gone_;     // first seen gone, by node
  std::set<std::string> seen_;              // nodes that were there
};

/// The condition Valid of each pool, without its time.
std::map<std::string, kube::Condition> validity(
    const std::map<std::string, kube::IpPool>& pools);

}  // namespace linsey::controller
