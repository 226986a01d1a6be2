// KubeEvents: Kubernetes events about pods and this node.
//
// A kubelet that retries a pod every few seconds would write an event each
// time. So the same reason on the same thing is one event: the first time it
// is written at once, repetitions are counted and the count is written at most
// once a minute (the series of events.k8s.io/v1). All events together are
// bounded too: a burst, then a trickle; what is over it is counted and dropped,
// for the log and the metrics have it all. Written by KubeWriter after
// everything else. Thread: the loop; costs an ADD that failed a map look-up.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "agent/kube_writer.h"
#include "agent/loop.h"
#include "agent/metrics.h"
#include "base/clock.h"
#include "base/result.h"
#include "ipam/types.h"

namespace linsey::agent {

struct KubeEventsDeps {
  Loop& loop;
  const Clock& clock;
  Metrics& metrics;
  KubeWriter& writer;
  std::string node_name;
};

class KubeEvents {
 public:
  static constexpr unsigned kBurst = 25;
  static constexpr Duration kRefill = std::chrono::seconds(3);
  static constexpr Duration kRepeat = std::chrono::seconds(60);

  explicit KubeEvents(KubeEventsDeps deps) : deps_(std::move(deps)) {
    deps_.metrics.describe_counter(
        "linsey_events_total",
        "Events about pods and the node: written, counted into an earlier "
        "one, or dropped because there were too many.");
  }

  /// An ADD was refused. Reasons that pass by themselves make no event.
  void pod_refused(const ipam::Pod& pod, const Error& why);
  /// About this node; `warning` false: it is only told.
  void node(bool warning, const std::string& reason, const std::string& note);

 private:
  struct About {
    std::string kind;  // "Pod", "Node"
    std::string name_space;
    std::string name;
    std::string uid;
  };
  struct Series {
    std::string name_space;  // where the event is
    std::string name;
    std::uint64_t count = 1;
    Instant written{};
    Instant last{};
  };

  void tell(const About& about, bool warning, const std::string& reason,
            const std::string& note);
  void repeat(const std::string& key, Series& series);
  bool may_write();
  void forget_old();

  KubeEventsDeps deps_;
  std::map<std::string, Series> series_;
  double tokens_ = kBurst;
  Instant filled_{};
  std::uint64_t next_ = 0;
};

}  // namespace linsey::agent
