// KubeParty: what the API server shows this node, as copies on the loop.
//
// One watch a kind, each with the narrowest selector there is, so that the
// bytes over a leased line are few and counted: this node by name, the pods of
// this node, the ConfigMap with the configuration, and with blocks.source
// "cluster" the pools and this node's own blocks. Nobody waits for it: an ADD,
// DEL, CHECK or STATUS is answered from memory and disk alone, and a start
// needs nothing of it. Thread: the loop; the watches have their own.
// Rejected: one thread for all. A list that is slow must not hide the others.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/loop.h"
#include "agent/metrics.h"
#include "base/clock.h"
#include "base/result.h"
#include "conf/agent_config.h"
#include "kube/objects.h"
#include "kube/transport.h"

namespace linsey::agent {

/// This node's object: as text what Documents reads, and what reports need.
struct NodeSeen {
  std::string text;
  std::string uid;
  std::string resource_version;
  std::string taints;      // JSON list
  std::string conditions;  // JSON list
};

/// A pod that the API server has bound to this node.
struct PodSeen {
  std::string uid;
};

struct KubeHooks {
  /// The parts of the node object that Documents reads changed.
  std::function<void(const std::string& text)> node;
  /// The ConfigMap's document, when it is there.
  std::function<void(const std::string& text)> config;
  /// Pools or blocks changed, or are current again, or stale.
  std::function<void()> blocks;
  /// The API server answers again after it did not.
  std::function<void()> back;
};

struct KubePartyDeps {
  Loop& loop;
  const Clock& clock;
  Metrics& metrics;
  conf::Kubernetes config;
  std::string node_name;
  bool cluster_blocks = false;
  /// A connection of its own for each watch. Errors: credentials that cannot
  /// be read now; tried again.
  std::function<Result<std::unique_ptr<kube::Transport>>()> connect;
  KubeHooks hooks;
};

class KubeParty {
 public:
  explicit KubeParty(KubePartyDeps deps);
  ~KubeParty();  // waits for the watches, a second or so
  KubeParty(const KubeParty&) = delete;
  KubeParty& operator=(const KubeParty&) = delete;

  void start();
  void stop();

  /// nullptr until it was shown once; may be old, see reachable().
  const NodeSeen* node() const;
  /// Pods of this node by "namespace/name"; nullptr unless the copy is complete
  /// and current: absence must mean that a pod is gone.
  const std::map<std::string, PodSeen>* pods() const;
  /// Pools, and this node's blocks, by name; nullptr until they were shown
  /// once; they may be old, see blocks_current().
  const std::map<std::string, kube::IpPool>* pools() const;
  const std::map<std::string, kube::IpBlock>* blocks() const;
  bool blocks_current() const;
  /// The watch of this node is current.
  bool reachable() const;

 private:
  struct Watches;

  void try_start();
  Result<void> make_watches();
  void node_changed();
  void config_changed();
  void collect();
  void count_hour();

  KubePartyDeps deps_;
  std::unique_ptr<Watches> watches_;
  std::string told_node_;
  std::string told_config_;
  bool reachable_ = false;
  std::map<std::string, std::uint64_t> counted_;  // by series, for metrics
  std::vector<std::uint64_t> minutes_;  // bytes at the end of each, one hour
  Loop::TimerId timer_ = 0;
  Loop::TimerId minute_ = 0;
};

/// The connections that the configuration asks for; each call reads the
/// credentials anew.
std::function<Result<std::unique_ptr<kube::Transport>>()> connector(
    const conf::Kubernetes& config, const Clock& clock);

}  // namespace linsey::agent
