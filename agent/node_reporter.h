// NodeReporter: keeps what the API server says of this node in line with what
// the node knows of itself (agent/node_report).
//
// It compares every two seconds and writes differences only. The node's own
// object is read from the watch, so a condition or a taint that somebody else
// removed comes back, and taints are written with the resourceVersion that was
// seen: who was first wins, and the next comparison is made on what he left.
// NodeNetwork is written at once when a condition changes, else at most once a
// minute; what begins to be wrong is an event too. Thread: the loop.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/kube_events.h"
#include "agent/kube_party.h"
#include "agent/kube_writer.h"
#include "agent/loop.h"
#include "agent/node_report.h"
#include "base/clock.h"

namespace linsey::agent {

struct NodeReporterDeps {
  Loop& loop;
  const Clock& clock;
  KubeWriter& writer;
  KubeEvents& events;
  std::function<const NodeSeen*()> node;  // as the API server shows it
  std::function<rpc::Status()> status;
  /// All of it; dearer than status().
  std::function<NodeFacts()> facts;
  Hysteresis::Waits taint_waits;
  std::string node_name;
};

class NodeReporter {
 public:
  static constexpr Duration kLook = std::chrono::seconds(2);
  static constexpr Duration kNetworkEvery = std::chrono::seconds(60);

  explicit NodeReporter(NodeReporterDeps deps) : deps_(std::move(deps)) {}

  void start();
  void stop();

 private:
  /// What was written last, so that it is not written again before the watch
  /// shows it.
  struct Sent {
    std::string text;
    Instant at{};
  };

  void look();
  void tell(const rpc::Status& status);
  void report_conditions(const NodeSeen& node, const rpc::Status& status);
  void report_taints(const NodeSeen& node, const rpc::Status& status);
  void report_network(const rpc::Status& status);
  void tell_troubles(const std::vector<kube::Condition>& conditions);
  void write_network(kube::NodeNetwork network);
  void create_network();
  bool again(Sent& sent, std::string text);

  NodeReporterDeps deps_;
  std::optional<Hysteresis> no_address_;
  Sent conditions_;
  Sent taints_;
  std::optional<kube::NodeNetwork> network_;  // as last written
  Instant network_at_{};
  std::set<std::string> troubles_;  // that stand
  std::optional<Code> told_;
  bool told_ready_ = false;
  bool network_exists_ = false;
  bool network_asked_ = false;  // its creation is under way
  Loop::TimerId timer_ = 0;
};

}  // namespace linsey::agent
