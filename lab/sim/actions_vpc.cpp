// The table of actions, and those of the VPC product.
#include <algorithm>
#include <array>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "lab/sim/actions.h"
#include "lab/sim/paging.h"

namespace linsey::sim {
namespace {

constexpr std::int64_t kPageLimit = 50;

Json v_switch_json(const Desk& desk, const VSwitchSpec& v_switch) {
  Json json = {
      {"VSwitchId", v_switch.id},
      {"VpcId", v_switch.vpc},
      {"ZoneId", v_switch.zone},
      {"CidrBlock", v_switch.cidr.to_string()},
      {"Ipv6CidrBlock", ""},
      {"Status", "Available"},
      {"VSwitchName", v_switch.id},
      {"Description", ""},
      {"CreationTime", "2026-01-01T00:00:00Z"},
      {"AvailableIpAddressCount", desk.region.free_v4(v_switch)},
      {"IsDefault", false},
      {"EnabledIpv6", v_switch.cidr_v6.has_value()},
      {"RouteTable",
       {{"RouteTableId", "vtb-" + v_switch.vpc}, {"RouteTableType", "System"}}},
      {"Tags", {{"Tag", Json::array()}}}};
  if (v_switch.cidr_v6) json["Ipv6CidrBlock"] = v_switch.cidr_v6->to_string();
  if (desk.region.knobs.exhausted.contains(v_switch.id)) {
    json["AvailableIpAddressCount"] = 0;
  }
  return json;
}

Json vpc_json(const Desk& desk, const VpcSpec& vpc) {
  Json v_switches = Json::array();
  for (const auto& [id, v_switch] : desk.region.v_switches()) {
    if (v_switch.vpc == vpc.id) v_switches.push_back(id);
  }
  Json secondary = Json::array();
  for (const Cidr& cidr : vpc.secondary)
    secondary.push_back(cidr.to_string());
  return {{"VpcId", vpc.id},
          {"VpcName", vpc.id},
          {"Status", "Available"},
          {"RegionId", desk.region_id},
          {"CidrBlock", vpc.cidr.to_string()},
          {"Ipv6CidrBlock", vpc.cidr_v6 ? vpc.cidr_v6->to_string() : ""},
          {"EnabledIpv6", vpc.cidr_v6.has_value()},
          {"VRouterId", "vrt-" + vpc.id},
          {"SecondaryCidrBlocks", {{"SecondaryCidrBlock", secondary}}},
          {"UserCidrs", {{"UserCidr", Json::array()}}},
          {"VSwitchIds", {{"VSwitchId", v_switches}}},
          {"Tags", {{"Tag", Json::array()}}},
          {"CreationTime", "2026-01-01T00:00:00Z"}};
}

bool listed(const std::string& list, const std::string& id) {
  return ("," + list + ",").find("," + id + ",") != std::string::npos;
}

constexpr std::array kActions{
    ActionEntry{"ecs", "CreateNetworkInterface", create_network_interface, 400,
                true},
    ActionEntry{"ecs", "AttachNetworkInterface", attach_network_interface},
    ActionEntry{"ecs", "DetachNetworkInterface", detach_network_interface},
    ActionEntry{"ecs", "DeleteNetworkInterface", delete_network_interface},
    ActionEntry{"ecs", "AssignPrivateIpAddresses", assign_private_ip_addresses,
                403, true},
    ActionEntry{"ecs", "UnassignPrivateIpAddresses",
                unassign_private_ip_addresses, 403},
    ActionEntry{"ecs", "AssignIpv6Addresses", assign_ipv6_addresses, 403, true},
    ActionEntry{"ecs", "UnassignIpv6Addresses", unassign_ipv6_addresses, 403},
    ActionEntry{"ecs", "TagResources", tag_resources},
    ActionEntry{"ecs", "DescribeNetworkInterfaces",
                describe_network_interfaces},
    ActionEntry{"ecs", "DescribeInstanceTypes", describe_instance_types},
    ActionEntry{"ecs", "DescribeInstances", describe_instances},
    ActionEntry{"ecs", "DescribeInstanceAttribute",
                describe_instance_attribute},
    ActionEntry{"vpc", "DescribeVSwitches", describe_v_switches},
    ActionEntry{"vpc", "DescribeVSwitchAttributes",
                describe_v_switch_attributes},
    ActionEntry{"vpc", "DescribeVpcs", describe_vpcs},
    ActionEntry{"sts", "AssumeRoleWithOIDC", assume_role_with_oidc},
};

}  // namespace

const ActionEntry* find_action(std::string_view product,
                               std::string_view name) {
  const auto* found =
      std::find_if(kActions.begin(), kActions.end(), [&](const auto& entry) {
        return entry.product == product && entry.name == name;
      });
  return found == kActions.end() ? nullptr : found;
}

Json fault_json(const Fault& fault, const std::string& request_id,
                const std::string& region) {
  return {
      {"RequestId", request_id},
      {"HostId", "ecs." + region + ".aliyuncs.com"},
      {"Code", fault.code},
      {"Message", fault.message},
      {"Recommend", "https://api.example.com/troubleshoot?q=" + fault.code}};
}

void read_region(const Desk& desk, Params& params, bool required) {
  const std::string id =
      required ? params.required("RegionId") : params.text("RegionId");
  if (id.empty() || id == desk.region_id) return;
  params.fail(
      {404, "InvalidRegionId.NotFound",
       fmt::format("The specified RegionId \"{}\" does not exist.", id)});
}

Fault describe_v_switches(Desk& desk, Params& params, Json& body) {
  read_region(desk, params, false);
  const std::string vpc = params.text("VpcId");
  if (vpc.empty() && !params.has("RegionId")) {
    params.fail(missing_parameter("RegionId"));
  }
  const std::string id = params.text("VSwitchId");
  const std::string zone = params.text("ZoneId");
  const Page page = read_numbered_page(params, kPageLimit);
  if (Fault fault = params.finish()) return fault;
  if (!vpc.empty() && !desk.region.vpcs().contains(vpc)) {
    return {400, "Forbidden.VpcNotFound", "The specified VPC is not found."};
  }

  Json list = Json::array();
  for (const auto& [own, v_switch] : desk.region.v_switches()) {
    const bool wanted = (id.empty() || id == own) &&
                        (vpc.empty() || vpc == v_switch.vpc) &&
                        (zone.empty() || zone == v_switch.zone);
    if (wanted) list.push_back(v_switch_json(desk, v_switch));
  }
  cut_page(page, list, body);
  body["VSwitches"] = {{"VSwitch", std::move(list)}};
  return {};
}

Fault describe_v_switch_attributes(Desk& desk, Params& params, Json& body) {
  read_region(desk, params, false);
  const std::string id = params.required("VSwitchId");
  if (Fault fault = params.finish()) return fault;
  const auto found = desk.region.v_switches().find(id);
  if (found == desk.region.v_switches().end()) {
    return {404, "InvalidVSwitchId.NotFound",
            "The specified VSwitch is not found."};
  }
  body = v_switch_json(desk, found->second);
  const auto count = std::count_if(
      desk.region.enis().begin(), desk.region.enis().end(),
      [&](const auto& entry) { return entry.second.v_switch == id; });
  body["CloudResources"] = {
      {"CloudResourceSetType",
       {{{"ResourceType", "NetworkInterface"}, {"ResourceCount", count}}}}};
  return {};
}

Fault describe_vpcs(Desk& desk, Params& params, Json& body) {
  read_region(desk, params);
  const std::string ids = params.text("VpcId");
  const Page page = read_numbered_page(params, kPageLimit);
  if (Fault fault = params.finish()) return fault;

  Json list = Json::array();
  for (const auto& [id, vpc] : desk.region.vpcs()) {
    if (ids.empty() || listed(ids, id)) list.push_back(vpc_json(desk, vpc));
  }
  cut_page(page, list, body);
  body["Vpcs"] = {{"Vpc", std::move(list)}};
  return {};
}

}  // namespace linsey::sim
