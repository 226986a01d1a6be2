#include "lab/simulated_cloud.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "lab/cloud_knobs.h"

namespace linsey::lab {
namespace {

constexpr std::string_view kInstancePrefix = "i-lab0";

sim::CloudSpec spec_of(const Topology& topology) {
  sim::CloudSpec spec;
  if (!topology.region.empty()) spec.region = topology.region;
  return spec;
}

}  // namespace

std::string instance_id(const std::string& node) {
  return std::string(kInstancePrefix) + node;
}

std::string node_of_instance(const std::string& id) {
  return id.starts_with(kInstancePrefix) ? id.substr(kInstancePrefix.size())
                                         : std::string();
}

SimulatedCloud::SimulatedCloud(const Topology& topology)
    : cloud_(clock_, spec_of(topology)),
      security_group_(topology.vpc.security_group) {}

SimulatedCloud::~SimulatedCloud() = default;

Result<std::unique_ptr<SimulatedCloud>> SimulatedCloud::start(
    const Topology& topology, sim::Hooks hooks) {
  std::unique_ptr<SimulatedCloud> cloud(new SimulatedCloud(topology));
  TRY(cloud->build(topology));
  cloud->cloud_.set_hooks(std::move(hooks));
  cloud->server_ = TRY(sim::HttpServer::start(
      [&region = cloud->cloud_] { return region.advance(); }));
  return cloud;
}

Result<void> SimulatedCloud::build(const Topology& topology) {
  const Vpc& vpc = topology.vpc;
  TRY(cloud_.add(sim::VpcSpec{vpc.id, vpc.cidr, {}, vpc.cidr6}));
  TRY(cloud_.add(sim::SecurityGroupSpec{vpc.security_group, vpc.id}));
  for (const auto& [zone, plan] : vpc.zones) {
    host_v_switches_[zone] = plan.host_v_switch.id;
    std::vector<VSwitch> all = plan.pod_v_switches;
    all.push_back(plan.host_v_switch);
    for (const VSwitch& v_switch : all) {
      TRY(cloud_.add(sim::VSwitchSpec{v_switch.id, vpc.id, zone, v_switch.cidr,
                                      v_switch.cidr6}));
    }
  }
  return {};
}

Result<sim::EniView> SimulatedCloud::add_instance(const NodeSpec& node) {
  sim::InstanceSpec spec;
  spec.id = instance_id(node.name);
  spec.type = node.instance_type;
  spec.address = node.address;
  spec.address_v6 = node.address6;
  spec.security_groups = {security_group_};
  spec.host_name = node.name;
  spec.role = "LinseyNode";
  spec.v_switch = host_v_switches_.at(node.zone);
  TRY(cloud_.add(spec));
  const std::vector<sim::EniView> enis = cloud_.enis();
  const auto primary = std::ranges::find_if(enis, [&](const auto& eni) {
    return eni.instance == spec.id && eni.primary;
  });
  if (primary == enis.end()) {
    return make_error(Code::kInternal, "instance {} has no primary ENI",
                      spec.id);
  }
  return *primary;
}

SimulatedCloud::Guest SimulatedCloud::forget(const std::string& node) {
  const auto found = guests_.find(node);
  if (found == guests_.end()) return {};
  Guest guest = std::move(found->second);
  guests_.erase(found);
  return guest;
}

Result<void> SimulatedCloud::remove(const std::string& node, Guest guest) {
  if (guest.metadata) server_->stop_serving(guest.serving);
  return cloud_.release_instance(instance_id(node));
}

void SimulatedCloud::serve_api(UniqueFd listener) {
  (void)server_->serve(
      std::move(listener),
      [this](const sim::HttpRequest& request) { return api_.handle(request); });
}

void SimulatedCloud::serve_metadata(const std::string& node,
                                    UniqueFd listener) {
  Guest& guest = guests_[node];
  guest.metadata = std::make_unique<sim::Metadata>(cloud_, instance_id(node));
  guest.serving = server_->serve(
      std::move(listener),
      [metadata = guest.metadata.get()](const sim::HttpRequest& request) {
        return metadata->handle(request);
      });
}

Json SimulatedCloud::counters() const {
  std::map<std::string, int> calls;
  std::map<std::string, int> refused;
  const std::vector<sim::CallRecord> all = cloud_.calls();
  for (const sim::CallRecord& call : all) {
    ++calls[call.action];
    if (!call.code.empty()) ++refused[call.code];
  }
  return {{"calls", calls}, {"refused", refused}, {"total", all.size()}};
}

// As a person at the console does it.
Result<void> SimulatedCloud::detach_by_hand(const std::string& eni) {
  for (const sim::EniView& one : cloud_.enis()) {
    if (one.id != eni) continue;
    const sim::Reply reply = call({"ecs",
                                   "DetachNetworkInterface",
                                   {{"RegionId", cloud_.spec().region},
                                    {"NetworkInterfaceId", eni},
                                    {"InstanceId", one.instance}},
                                   ""});
    if (reply.status == 200) return {};
  }
  return make_error(Code::kInvalidConfig,
                    "detach-by-hand: {} is no secondary ENI that is attached",
                    eni);
}

Result<void> SimulatedCloud::tune(const std::string& key,
                                  const std::string& value) {
  if (key == "detach-by-hand") return detach_by_hand(value);
  Result<void> done;
  cloud_.tune([&](sim::Knobs& knobs) { done = turn_knob(knobs, key, value); });
  server_->wake();
  return done;
}

}  // namespace linsey::lab
