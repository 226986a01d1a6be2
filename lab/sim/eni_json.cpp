#include "lab/sim/eni_json.h"

#include <nlohmann/json.hpp>

namespace linsey::sim {
namespace {

Json v4_sets(const Eni& eni, bool with_public) {
  Json list = Json::array();
  for (const IpAddr& ip : eni.list(Family::kV4)) {
    Json one = {{"PrivateIpAddress", ip.to_string()},
                {"Primary", ip == eni.addresses.front().ip}};
    if (with_public) one["AssociatedPublicIp"] = Json::object();
    list.push_back(std::move(one));
  }
  return {{"PrivateIpSet", list}};
}

Json v6_sets(const Eni& eni) {
  Json list = Json::array();
  for (const IpAddr& ip : eni.list(Family::kV6)) {
    list.push_back({{"Ipv6Address", ip.to_string()}});
  }
  return {{"Ipv6Set", list}};
}

Json tags(const Eni& eni) {
  Json list = Json::array();
  for (const auto& [key, value] : eni.tags) {
    list.push_back({{"TagKey", key}, {"TagValue", value}});
  }
  return {{"Tag", list}};
}

Json common(const Desk& desk, const Eni& eni) {
  return {{"NetworkInterfaceId", eni.id},
          {"NetworkInterfaceName", eni.name},
          {"Description", eni.description},
          {"Status", to_string(eni.state)},
          {"Type", eni.primary ? "Primary" : "Secondary"},
          {"VpcId", eni.vpc},
          {"VSwitchId", eni.v_switch},
          {"ZoneId", eni.zone},
          {"MacAddress", eni.mac.to_string()},
          {"PrivateIpAddress", eni.addresses.front().ip.to_string()},
          {"OwnerId", desk.account},
          {"ResourceGroupId", ""},
          {"ServiceID", 0},
          {"ServiceManaged", false},
          {"SourceDestCheck", false},
          {"SecurityGroupIds", {{"SecurityGroupId", eni.security_groups}}},
          {"Tags", tags(eni)}};
}

}  // namespace

Json created_json(const Desk& desk, const Eni& eni) {
  Json json = common(desk, eni);
  json["PrivateIpSets"] = v4_sets(eni, false);
  json["Ipv6Sets"] = v6_sets(eni);
  json["Ipv4PrefixSets"] = {{"Ipv4PrefixSet", Json::array()}};
  json["Ipv6PrefixSets"] = {{"Ipv6PrefixSet", Json::array()}};
  return json;
}

Json described_json(const Desk& desk, const Eni& eni) {
  Json json = common(desk, eni);
  json["CreationTime"] = eni.created;
  json["NetworkInterfaceTrafficMode"] = "Standard";
  json["QueueNumber"] = 1;
  json["DeleteOnRelease"] = eni.delete_on_release;
  json["AssociatedPublicIp"] = Json::object();
  json["PrivateIpSets"] = v4_sets(eni, true);
  // A wrapper whose list is empty may be missing altogether.
  if (!eni.list(Family::kV6).empty()) json["Ipv6Sets"] = v6_sets(eni);
  json["Attachment"] = Json::object();
  if (!eni.instance.empty()) {
    json["InstanceId"] = eni.instance;
    json["Attachment"] = {{"InstanceId", eni.instance},
                          {"DeviceIndex", eni.device_index},
                          {"NetworkCardIndex", 0},
                          {"TrunkNetworkInterfaceId", ""}};
  }
  return json;
}

Json instance_eni_json(const Eni& eni) {
  Json json = {{"NetworkInterfaceId", eni.id},
               {"MacAddress", eni.mac.to_string()},
               {"PrimaryIpAddress", eni.addresses.front().ip.to_string()},
               {"Type", eni.primary ? "Primary" : "Secondary"},
               {"PrivateIpSets", v4_sets(eni, false)}};
  if (!eni.list(Family::kV6).empty()) json["Ipv6Sets"] = v6_sets(eni);
  return json;
}

}  // namespace linsey::sim
