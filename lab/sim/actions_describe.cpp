// The ECS actions that only read.
#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "lab/sim/actions.h"
#include "lab/sim/eni_json.h"
#include "lab/sim/paging.h"

namespace linsey::sim {
namespace {

struct EniFilter {
  std::vector<std::string> ids;
  std::string instance, vpc, v_switch, group, name, type, status;
  std::optional<IpAddr> primary;
  std::vector<IpAddr> v4, v6;
  std::map<std::string, std::string> tags;
  bool managed = false;  // by another product: none of ours is
};

EniFilter read_filter(Params& params) {
  EniFilter filter;
  filter.ids = params.list("NetworkInterfaceId", 100);
  filter.instance = params.text("InstanceId");
  filter.vpc = params.text("VpcId");
  filter.v_switch = params.text("VSwitchId");
  filter.group = params.text("SecurityGroupId");
  filter.name = params.text("NetworkInterfaceName");
  filter.type = params.text("Type");
  filter.status = params.text("Status");
  filter.primary = params.address("PrimaryIpAddress", Family::kV4);
  filter.v4 = params.addresses("PrivateIpAddress", Family::kV4, 100);
  filter.v6 = params.addresses("Ipv6Address", Family::kV6, 100);
  filter.tags = params.tags();
  (void)params.text("ResourceGroupId");
  filter.managed = params.flag("ServiceManaged", false);
  return filter;
}

template <typename T>
bool holds(const std::vector<T>& list, const T& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

bool any_of_ours(const std::vector<IpAddr>& wanted, const Eni& eni,
                 Family family) {
  const std::vector<IpAddr> own = eni.list(family);
  return wanted.empty() ||
         std::any_of(wanted.begin(), wanted.end(),
                     [&](const IpAddr& ip) { return holds(own, ip); });
}

bool same_or_any(const std::string& wanted, const std::string& found) {
  return wanted.empty() || wanted == found;
}

bool matches(const EniFilter& filter, const Eni& eni) {
  const bool tagged =
      std::all_of(filter.tags.begin(), filter.tags.end(), [&](const auto& tag) {
        const auto found = eni.tags.find(tag.first);
        return found != eni.tags.end() &&
               same_or_any(tag.second, found->second);
      });
  // The group finds secondary ENIs only, as documented.
  const bool in_group =
      filter.group.empty() ||
      (!eni.primary && holds(eni.security_groups, filter.group));
  return !filter.managed && tagged && in_group &&
         (filter.ids.empty() || holds(filter.ids, eni.id)) &&
         same_or_any(filter.instance, eni.instance) &&
         same_or_any(filter.vpc, eni.vpc) &&
         same_or_any(filter.v_switch, eni.v_switch) &&
         same_or_any(filter.name, eni.name) &&
         same_or_any(filter.type, eni.primary ? "Primary" : "Secondary") &&
         same_or_any(filter.status, to_string(eni.state)) &&
         (!filter.primary || *filter.primary == eni.addresses.front().ip) &&
         any_of_ours(filter.v4, eni, Family::kV4) &&
         any_of_ours(filter.v6, eni, Family::kV6);
}

Json type_json(const InstanceTypeSpec& type) {
  const std::size_t dot = type.name.rfind('.');
  const unsigned total = std::max(type.total_enis, type.enis);
  return {{"InstanceTypeId", type.name},
          {"InstanceTypeFamily", type.name.substr(0, dot)},
          {"CpuArchitecture", "X86"},
          {"EniQuantity", type.enis},
          {"EniPrivateIpAddressQuantity", type.v4_per_eni},
          {"EniIpv6AddressQuantity", type.v6_per_eni},
          {"EniTotalQuantity", total},
          {"EniTrunkSupported", total > type.enis},
          {"EriQuantity", 0},
          {"Clock", Json::object()},
          {"EnhancedNetwork", Json::object()}};
}

Json instance_json(const Desk& desk, const Instance& instance) {
  const Eni& eni = desk.region.enis().at(instance.primary_eni);
  return {{"InstanceId", instance.spec.id},
          {"InstanceType", instance.spec.type},
          {"Status", instance.status},
          {"RegionId", desk.region_id},
          {"ZoneId", instance.zone},
          {"HostName", instance.spec.host_name},
          {"VpcAttributes",
           {{"VpcId", instance.vpc},
            {"VSwitchId", instance.spec.v_switch},
            {"PrivateIpAddress",
             {{"IpAddress", {eni.addresses.front().ip.to_string()}}}}}},
          {"SecurityGroupIds", {{"SecurityGroupId", eni.security_groups}}}};
}

/// `InstanceIds` is one string that holds a JSON array.
std::vector<std::string> json_strings(Params& params, const std::string& name) {
  const std::string text = params.text(name);
  if (text.empty()) return {};
  const Json list = Json::parse(text, nullptr, false);
  std::vector<std::string> found;
  for (const Json& one : list) {
    if (one.is_string()) found.push_back(one.get<std::string>());
  }
  if (!list.is_array() || found.size() != list.size() || found.size() > 100) {
    params.fail(invalid_parameter(
        name, "it must be a JSON array of up to 100 strings"));
  }
  return found;
}

}  // namespace

Fault describe_network_interfaces(Desk& desk, Params& params, Json& body) {
  read_region(desk, params);
  const EniFilter filter = read_filter(params);
  const Page page = read_page(params, {.low = 10, .high = 500, .size = 1000});
  if (Fault fault = params.finish()) return fault;

  Json list = Json::array();
  for (const auto& [id, eni] : desk.region.enis()) {
    if (matches(filter, eni)) list.push_back(described_json(desk, eni));
  }
  cut_page(page, list, body);
  body["NetworkInterfaceSets"] = {{"NetworkInterfaceSet", std::move(list)}};
  return {};
}

Fault describe_instance_types(Desk& desk, Params& params, Json& body) {
  read_region(desk, params, false);
  const std::vector<std::string> names = params.list("InstanceTypes", 10);
  std::vector<std::string> families = params.list("InstanceTypeFamilies", 10);
  const std::string family = params.text("InstanceTypeFamily");
  if (!family.empty()) families.push_back(family);
  const Page page = read_page(params, {.low = 1, .high = 100, .size = 0});
  if (Fault fault = params.finish()) return fault;

  Json list = Json::array();
  for (const auto& [name, type] : desk.region.types()) {
    const std::string own = name.substr(0, name.rfind('.'));
    if (!names.empty() && !holds(names, name)) continue;
    if (!families.empty() && !holds(families, own)) continue;
    list.push_back(type_json(type));
  }
  cut_page(page, list, body);
  body["InstanceTypes"] = {{"InstanceType", std::move(list)}};
  return {};
}

Fault describe_instances(Desk& desk, Params& params, Json& body) {
  read_region(desk, params);
  const std::vector<std::string> ids = json_strings(params, "InstanceIds");
  const std::vector<std::string> addresses =
      json_strings(params, "PrivateIpAddresses");
  const std::string vpc = params.text("VpcId");
  const std::string v_switch = params.text("VSwitchId");
  const std::string zone = params.text("ZoneId");
  const std::string status = params.text("Status");
  const Page page = read_page(params, {.low = 10, .high = 100, .size = 100});
  if (Fault fault = params.finish()) return fault;

  Json list = Json::array();
  for (const auto& [id, instance] : desk.region.instances()) {
    const Eni& eni = desk.region.enis().at(instance.primary_eni);
    const std::string address = eni.addresses.front().ip.to_string();
    const bool wanted = (ids.empty() || holds(ids, id)) &&
                        (addresses.empty() || holds(addresses, address)) &&
                        same_or_any(vpc, instance.vpc) &&
                        same_or_any(v_switch, instance.spec.v_switch) &&
                        same_or_any(zone, instance.zone) &&
                        same_or_any(status, instance.status);
    if (!wanted) continue;
    Json one = instance_json(desk, instance);
    Json enis = Json::array();
    for (const auto& [eni_id, other] : desk.region.enis()) {
      if (other.instance == id) enis.push_back(instance_eni_json(other));
    }
    one["NetworkInterfaces"] = {{"NetworkInterface", std::move(enis)}};
    one["MetadataOptions"] = {
        {"HttpEndpoint",
         desk.region.knobs.metadata_off ? "disabled" : "enabled"},
        {"HttpTokens", desk.region.knobs.hardened ? "required" : "optional"}};
    list.push_back(std::move(one));
  }
  cut_page(page, list, body);
  body["Instances"] = {{"Instance", std::move(list)}};
  return {};
}

Fault describe_instance_attribute(Desk& desk, Params& params, Json& body) {
  read_region(desk, params, false);
  const std::string id = params.required("InstanceId");
  if (Fault fault = params.finish()) return fault;
  const auto found = desk.region.instances().find(id);
  if (found == desk.region.instances().end()) {
    return {404, "InvalidInstanceId.NotFound",
            fmt::format("The specified InstanceId \"{}\" does not exist.", id)};
  }
  body = instance_json(desk, found->second);
  return {};
}

}  // namespace linsey::sim
