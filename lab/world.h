// World: everything that exists while a lab runs: the two networks, the
// simulated cloud, the nodes, the pods. Verbs here are short (some `ip`
// calls); waiting for plugins, agents and packets is the callers' business.
// What is made is entered in the inventory on disk before it is used, so that
// a later process can prove that nothing of it is left.
// Thread: the desk's owner; the simulated cloud's hooks come in by the desk.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/cni_runner.h"
#include "lab/data_centre.h"
#include "lab/desk.h"
#include "lab/inventory.h"
#include "lab/node.h"
#include "lab/pod.h"
#include "lab/simulated_cloud.h"
#include "lab/topology.h"
#include "lab/vpc.h"

namespace linsey::lab {

struct WorldOptions {
  Topology topology;
  std::string topology_text;
  std::string directory;
  std::string agent_program;   // linseyd
  std::string plugin_program;  // linsey
  std::string conflist;        // text of the shipped list
};

class World {
 public:
  /// Builds networks and cloud, no nodes. `desk` must outlive it.
  static Result<std::unique_ptr<World>> build(WorldOptions options, Desk& desk);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  const Topology& topology() const { return options_.topology; }
  const std::string& directory() const { return options_.directory; }
  const VpcNetwork& vpc() const { return *vpc_; }
  DataCentreNetwork& data_centre() { return *data_centre_; }
  SimulatedCloud& cloud() { return *cloud_; }

  /// Powers a node of the topology on and starts its agent. Errors:
  /// kNodeUnknown, kInterfaceExists when it is there already.
  Result<void> join(const std::string& name);
  /// Powers it off. Errors: kNodeUnknown; kStateMismatch while pods are on it.
  /// The caller ends the instance (SimulatedCloud::forget and remove).
  Result<void> leave(const std::string& name);
  /// Errors: kNodeUnknown, naming the nodes there are.
  Result<Node*> node(const std::string& name) const;
  const std::map<std::string, std::unique_ptr<Node>>& nodes() const {
    return nodes_;
  }
  Result<void> start_agent(const std::string& name);

  /// Makes the pod's namespace; it is busy then. Errors: kInterfaceExists.
  Result<Sandbox> make_pod(const PodId& id, const std::string& capabilities);
  /// Marks it busy for one call of a plugin. Errors: kUnknownAttachment,
  /// kTryAgainLater when it is busy.
  Result<Sandbox> use_pod(const PodId& id);
  void settle_pod(const PodId& id, const Attached& attached);
  void settle_pod(const PodId& id);
  void forget_pod(const PodId& id);
  const std::map<PodId, Pod>& pods() const { return pods_; }
  /// `unpublished`: with the list that the agent would publish, for a node
  /// where it has not done so and a runtime would not ask yet.
  CniHost cni_host(const Node& node, bool unpublished) const;

  /// Starts what is due on the nodes.
  void supervise();
  /// Ends all children, quietly first, and the cloud. What is left dies with
  /// the process.
  void shut_down();

  Inventory inventory() const;

 private:
  World(WorldOptions options, Desk& desk)
      : options_(std::move(options)), desk_(&desk) {}
  Result<void> build_networks();
  Result<void> build_cloud();
  sim::Hooks cloud_hooks();
  Result<void> plug_machine(Node& node);
  Result<void> boot_cloud_node(Node& node);
  /// An ENI came to a node, or went.
  Result<void> plug(const sim::EniView& eni);
  Result<void> unplug(const sim::EniView& eni);
  Result<void> remember(const std::string& what, const netlink::NetNs& ns);
  Result<void> save() const;

  WorldOptions options_;
  Desk* desk_;
  std::map<std::string, NamespaceId> namespaces_;
  std::vector<std::string> host_links_;
  std::unique_ptr<VpcNetwork> vpc_;
  std::unique_ptr<DataCentreNetwork> data_centre_;
  std::map<std::string, std::unique_ptr<Node>> nodes_;
  std::map<PodId, Pod> pods_;
  std::unique_ptr<SimulatedCloud> cloud_;  // gone first: its hooks come here
};

}  // namespace linsey::lab
