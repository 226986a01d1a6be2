// SimulatedCloud: the lab's Alibaba Cloud: one region made from the topology,
// its OpenAPI endpoint in the VPC and a metadata service in each cloud node,
// all served by one thread from sockets opened inside those namespaces. What
// the state machine attaches, detaches or assigns comes out of the hooks,
// which run on that thread before the API's reply that tells of it.
// Thread: the desk's owner, but remove() and the destructor never: they wait
// for the serving thread, whose hooks wait for the desk. remove(), counters(),
// forget_calls() and tune() may run on any other thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/result.h"
#include "lab/sim/cloud.h"
#include "lab/sim/http_server.h"
#include "lab/sim/metadata.h"
#include "lab/sim/openapi.h"
#include "lab/topology.h"

namespace linsey::lab {

/// The instance id of a node: "i-lab0c1".
std::string instance_id(const std::string& node);
/// The node of an instance id, empty when it is none of ours.
std::string node_of_instance(const std::string& id);

class SimulatedCloud {
 public:
  /// Errors: kInvalidConfig when the topology describes an impossible region.
  static Result<std::unique_ptr<SimulatedCloud>> start(const Topology& topology,
                                                       sim::Hooks hooks);
  ~SimulatedCloud();
  SimulatedCloud(const SimulatedCloud&) = delete;
  SimulatedCloud& operator=(const SimulatedCloud&) = delete;

  /// Starts an instance for a node; returns its primary ENI.
  Result<sim::EniView> add_instance(const NodeSpec& node);

  /// A node's metadata service.
  struct Guest {
    std::unique_ptr<sim::Metadata> metadata;
    int serving = 0;
  };
  /// First half of the end of an instance: the desk forgets its guest.
  Guest forget(const std::string& node);
  /// Second half: stops serving it and releases the instance.
  Result<void> remove(const std::string& node, Guest guest);

  /// One call past HTTP and signature, as a person at the console makes it.
  /// Thread: not the desk's owner; its hooks wait for it.
  sim::Reply call(const sim::Call& call) { return cloud_.call(call); }

  void serve_api(UniqueFd listener);
  void serve_metadata(const std::string& node, UniqueFd listener);

  /// {"calls": {ACTION: n}, "refused": {CODE: n}, "total": n}.
  Json counters() const;
  void forget_calls() { cloud_.forget_calls(); }
  /// Turns one knob; see docs/lab.md for the keys. Errors: kUnsupportedField,
  /// naming the keys there are.
  Result<void> tune(const std::string& key, const std::string& value);

 private:
  explicit SimulatedCloud(const Topology& topology);
  Result<void> build(const Topology& topology);
  Result<void> detach_by_hand(const std::string& eni);

  SteadyClock clock_;
  sim::Cloud cloud_;
  sim::OpenApi api_{cloud_};
  std::string security_group_;
  std::map<std::string, std::string> host_v_switches_;  // zone -> id
  std::map<std::string, Guest> guests_;
  std::unique_ptr<sim::HttpServer> server_;  // last: its thread uses the rest
};

}  // namespace linsey::lab
