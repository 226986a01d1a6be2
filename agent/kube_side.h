// KubeSide: the parts of the agent that deal with the API server, owned
// together: what it shows (KubeParty), what is written (KubeWriter), and who
// uses them. Without `kubernetes.source` there is none of it.
//
// Nothing here is on the way of an ADD or a DEL, and nothing waits for the API
// server: what it shows comes as events of the loop, what is written goes to a
// worker. Thread: the loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "agent/block_claimer.h"
#include "agent/block_survey.h"
#include "agent/documents.h"
#include "agent/kube_events.h"
#include "agent/kube_party.h"
#include "agent/kube_writer.h"
#include "agent/loop.h"
#include "agent/metrics.h"
#include "agent/node_reporter.h"
#include "agent/service.h"
#include "agent/worker.h"
#include "base/clock.h"

namespace linsey::agent {

struct KubeSideDeps {
  Loop& loop;
  const Clock& clock;
  Metrics& metrics;
  Documents& documents;
  const Service& service;
  std::function<std::string()> describe_supply;
};

class KubeSide {
 public:
  explicit KubeSide(KubeSideDeps deps);

  /// After Documents::watch().
  void start();
  /// Ends calls that run; returns at once.
  void stop();

  KubeParty& party() { return *party_; }
  KubeWriter& writer() { return *writer_; }
  /// Pods of this node as "namespace/name", while that is sure.
  std::optional<std::set<std::string>> pod_names() const;
  /// Closed unless blocks.source is "cluster".
  ClaimDesk claim_desk();
  KubeEvents& events() { return *events_; }

 private:
  void make_reporter();

  KubeSideDeps deps_;
  Worker worker_;
  std::unique_ptr<KubeWriter> writer_;
  std::unique_ptr<KubeParty> party_;
  std::unique_ptr<KubeEvents> events_;
  std::unique_ptr<NodeReporter> reporter_;
  std::unique_ptr<BlockClaimer> claimer_;  // null: blocks are of the file
  std::unique_ptr<BlockSurvey> survey_;    // likewise
};

}  // namespace linsey::agent
