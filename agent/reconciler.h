// Reconciler: carries out what agent/reconcile computes, and repairs the
// host's side of pods.
//
// At the start it runs once before anything is served; then after link events
// and on a slow timer. The kernel is read and repaired on a worker, with values
// only; the ledger is touched on the loop. A pod's host side is repaired when
// two looks in a row found it wrong, since an ADD or DEL may be half way. A
// rule's removal counts as the first look, if the pod is there a moment later.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/host_links.h"
#include "agent/loop.h"
#include "agent/metrics.h"
#include "agent/reconcile.h"
#include "agent/service.h"
#include "agent/worker.h"
#include "base/clock.h"
#include "base/result.h"
#include "ipam/ledger.h"

namespace linsey::agent {

struct ReconcilerDeps {
  Loop& loop;
  Worker& worker;
  const Clock& clock;
  ipam::Ledger& ledger;
  Service& service;
  HostLinks& links;
  Metrics& metrics;
  /// Pods of this node as "namespace/name", while the API server's list is
  /// complete and current.
  std::function<std::optional<std::set<std::string>>()> pods = [] {
    return std::optional<std::set<std::string>>();
  };
};

class Reconciler {
 public:
  explicit Reconciler(ReconcilerDeps deps);

  /// The pass before anything is served: the kernel's evidence is taken into
  /// the ledger, rows of an earlier boot are freed. Errors: kKernel.
  Result<void> at_start(bool kernel_is_witness);
  /// From now on by events and timer.
  void start();
  /// Part of GC: removes links that neither the ledger nor `keep` knows.
  void sweep(const std::set<std::pair<std::string, std::string>>& keep,
             std::function<void(const Result<void>&)> done);

 private:
  using Differences = std::map<ipam::AttachmentKey, std::vector<std::string>>;
  struct Glance {
    datapath::Traces traces;
    Differences differences;  // before the repair
    std::vector<ipam::AttachmentKey> repaired;
    std::vector<std::string> failures;
  };

  static Result<Glance> glance(const std::vector<ipam::Held>& rows,
                               const Differences& known);
  static void look_at_pod(const ipam::Held& held, bool repair, Glance& glance);
  void look();
  void settle(const Glance& seen);
  void look_in(Duration delay);
  void suspect(const netlink::Rule& removed);
  void look_at_suspects();
  void apply(const Actions& actions);
  void remove(const datapath::OurLink& link,
              std::function<void(const Result<void>&)> done);
  void report(const Glance& glance);

  ReconcilerDeps deps_;
  Sightings sightings_;
  Differences differences_;
  /// Lost a rule a moment ago; a DEL does that too, and frees them next.
  std::set<ipam::AttachmentKey> suspects_;
  std::set<ipam::AttachmentKey> missing_;
  bool witness_ = false;
  bool looking_ = false;
  Loop::TimerId timer_ = 0;
  Instant due_{};
};

}  // namespace linsey::agent
