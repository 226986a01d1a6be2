// Node report: what this node says of itself in the API server; pure.
//
//   condition LinseyReady          can an ADD be served, and why not; True with
//                                  a reason code while something else is wrong
//   condition NetworkUnavailable   True while pods would have no network at
//                                  all; not when only the addresses are used up
//   taint linsey.dev/not-ready     put on by whoever registers the node, taken
//                                  off when it is ready for the first time
//   taint linsey.dev/no-address    NoSchedule while no address can be had, with
//                                  hysteresis, so that one busy second does not
//                                  move pods
//   NodeNetwork                    everything linseyctl would say, once a
//                                  minute; a condition for each reason code
// Other owners' conditions and taints are never touched.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kube/objects.h"
#include "rpc/message.h"

namespace linsey::agent {

inline constexpr char kNotReadyTaint[] = "linsey.dev/not-ready";
inline constexpr char kNoAddressTaint[] = "linsey.dev/no-address";

/// A state that flips only when the opposite has been seen for a while.
class Hysteresis {
 public:
  struct Waits {
    Duration on;
    Duration off;
  };
  explicit Hysteresis(bool on) : on_(on) {}
  /// nullopt: nothing is known now, the state stays. Returns the state.
  bool update(std::optional<bool> seen, Instant now, const Waits& waits);
  bool on() const { return on_; }

 private:
  bool on_;
  std::optional<Instant> since_;  // the opposite is seen since
};

/// Not ready because no address can be had; nullopt while it is not known.
std::optional<bool> without_address(const rpc::Status& status);

/// The node's two conditions, without times; empty while it is not known.
std::vector<kube::Condition> node_conditions(const rpc::Status& status);

/// The strategic merge patch of the node's status that brings `wanted` into
/// `current` (JSON lists as the node shows them), or nothing to do. A change of
/// words alone is no reason to write.
std::optional<Json> conditions_patch(const std::vector<kube::Condition>& wanted,
                                     const std::string& current,
                                     const std::string& now);

struct TaintWishes {
  bool ready = false;
  bool no_address = false;
};
/// The whole list of taints that the node should have, or nothing to do.
std::optional<Json> wanted_taints(const std::string& current,
                                  const TaintWishes& wishes);
bool has_taint(const std::string& taints, const std::string& key);

struct NodeFacts {
  std::string node;
  rpc::Status status;
  std::string supply;  // Supplier::describe(), "" without one
  std::optional<Error> config_refused;
  std::string observed_config;
  std::string agent_version;
};
/// Conditions have no times yet.
kube::NodeNetwork node_network(const NodeFacts& facts);

/// Gives each condition the time since when its status is as it is.
void keep_times(const std::vector<kube::Condition>& before,
                const std::string& now, std::vector<kube::Condition>& after);
/// Type, status and reason are the same.
bool same_conditions(const std::vector<kube::Condition>& a,
                     const std::vector<kube::Condition>& b);

}  // namespace linsey::agent
