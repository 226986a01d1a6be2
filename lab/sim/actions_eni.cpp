// The actions that change ENIs.
#include <array>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "lab/sim/actions.h"
#include "lab/sim/eni_json.h"

namespace linsey::sim {
namespace {

constexpr std::size_t kAddressesPerCreate = 10;
constexpr std::int64_t kCountPerCreate = 49;
constexpr std::size_t kPerCallV6 = 10;

Fault conflict(const std::string& a, const std::string& b) {
  return {400, "InvalidParameter.Conflict",
          fmt::format("The parameters \"{}\" and \"{}\" exclude each other.", a,
                      b)};
}

/// Prefixes are a feature of the real API that nothing of ours uses.
void refuse_prefixes(Params& params) {
  for (const char* name :
       {"Ipv4Prefix.1", "Ipv4PrefixCount", "Ipv6Prefix.1", "Ipv6PrefixCount"}) {
    if (!params.has(name)) continue;
    params.fail({400, "UnsupportedParameter",
                 fmt::format("\"{}\" is not simulated.", name)});
  }
}

struct WishNames {
  std::string list;
  std::string count;
  Family family;
  std::size_t list_limit;
  std::int64_t count_limit;
};

Wish read_wish(Params& params, const WishNames& names) {
  Wish wish;
  wish.named = params.addresses(names.list, names.family, names.list_limit);
  wish.count = static_cast<unsigned>(
      params.number(names.count, 0, 1, names.count_limit));
  if (!wish.named.empty() && wish.count > 0) {
    params.fail(conflict(names.list, names.count));
  }
  return wish;
}

std::vector<std::string> read_groups(Params& params) {
  std::vector<std::string> groups = params.list("SecurityGroupIds", 100);
  const std::string one = params.text("SecurityGroupId");
  if (!one.empty() && !groups.empty()) {
    params.fail(conflict("SecurityGroupId", "SecurityGroupIds"));
  }
  if (!one.empty()) groups = {one};
  if (groups.empty()) params.fail(missing_parameter("SecurityGroupId"));
  return groups;
}

void read_texts(Params& params, NewEni& wish) {
  wish.name = params.text("NetworkInterfaceName");
  if (params.has("NetworkInterfaceName") &&
      (wish.name.size() < 2 || wish.name.size() > 128)) {
    params.fail(invalid_parameter("NetworkInterfaceName", "2 to 128 long"));
  }
  wish.description = params.text("Description");
  if (params.has("Description") &&
      (wish.description.size() < 2 || wish.description.size() > 256 ||
       wish.description.starts_with("http://") ||
       wish.description.starts_with("https://"))) {
    params.fail(invalid_parameter("Description", "2 to 256 long, no URL"));
  }
  const std::string type = params.text("InstanceType");
  if (!type.empty() && type != "Secondary") {
    params.fail(invalid_parameter("InstanceType",
                                  "it is the type of the ENI: Secondary"));
  }
  (void)params.text("ResourceGroupId");
  (void)params.flag("SourceDestCheck", false);
  const std::string traffic = params.text("NetworkInterfaceTrafficMode");
  if (!traffic.empty() && traffic != "Standard") {
    params.fail(invalid_parameter("NetworkInterfaceTrafficMode",
                                  "only Standard is simulated"));
  }
}

void read_token(Params& params) {
  const std::string token = params.text("ClientToken");
  if (token.size() <= 64) return;
  params.fail(invalid_parameter("ClientToken", "longer than 64 characters"));
}

Json strings(const std::vector<IpAddr>& addresses) {
  Json list = Json::array();
  for (const IpAddr& ip : addresses)
    list.push_back(ip.to_string());
  return list;
}

}  // namespace

Fault create_network_interface(Desk& desk, Params& params, Json& body) {
  read_region(desk, params);
  read_token(params);
  refuse_prefixes(params);
  NewEni wish;
  wish.v_switch = params.required("VSwitchId");
  wish.security_groups = read_groups(params);
  wish.primary = params.address("PrimaryIpAddress", Family::kV4);
  wish.secondary =
      read_wish(params, {"PrivateIpAddress", "SecondaryPrivateIpAddressCount",
                         Family::kV4, kAddressesPerCreate, kCountPerCreate});
  wish.v6 = read_wish(params, {"Ipv6Address", "Ipv6AddressCount", Family::kV6,
                               kPerCallV6, kPerCallV6});
  read_texts(params, wish);
  wish.delete_on_release = params.flag("DeleteOnRelease", false);
  wish.tags = params.tags();
  if (Fault fault = params.finish()) return fault;

  const Outcome made = desk.region.create(wish, iso_time(desk.wall), desk.now);
  if (made.fault) return made.fault;
  body = created_json(desk, desk.region.enis().at(made.eni));
  return {};
}

Fault attach_network_interface(Desk& desk, Params& params, Json&) {
  read_region(desk, params);
  const std::string eni = params.required("NetworkInterfaceId");
  const std::string instance = params.required("InstanceId");
  (void)params.number("NetworkCardIndex", 0, 0, 0);
  if (Fault fault = params.finish()) return fault;
  return desk.region.attach(eni, instance, desk.now);
}

Fault detach_network_interface(Desk& desk, Params& params, Json&) {
  read_region(desk, params);
  const std::string eni = params.required("NetworkInterfaceId");
  const std::string instance = params.required("InstanceId");
  if (Fault fault = params.finish()) return fault;
  return desk.region.detach(eni, instance, desk.now);
}

Fault delete_network_interface(Desk& desk, Params& params, Json&) {
  read_region(desk, params);
  const std::string eni = params.required("NetworkInterfaceId");
  if (Fault fault = params.finish()) return fault;
  return desk.region.remove(eni, desk.now);
}

Fault assign_private_ip_addresses(Desk& desk, Params& params, Json& body) {
  read_region(desk, params);
  read_token(params);
  refuse_prefixes(params);
  const std::string eni = params.required("NetworkInterfaceId");
  const unsigned limit = desk.region.knobs.addresses_per_assign;
  const Wish wish =
      read_wish(params, {"PrivateIpAddress", "SecondaryPrivateIpAddressCount",
                         Family::kV4, limit, limit});
  if (wish.size() == 0) {
    params.fail(missing_parameter("SecondaryPrivateIpAddressCount", 403));
  }
  if (Fault fault = params.finish()) return fault;

  const Outcome done = desk.region.assign(eni, Family::kV4, wish, desk.now);
  if (done.fault) return done.fault;
  body["AssignedPrivateIpAddressesSet"] = {
      {"NetworkInterfaceId", eni},
      {"PrivateIpSet", {{"PrivateIpAddress", strings(done.addresses)}}},
      {"Ipv4PrefixSet", {{"Ipv4Prefixes", Json::array()}}}};
  return {};
}

Fault unassign_private_ip_addresses(Desk& desk, Params& params, Json&) {
  read_region(desk, params);
  refuse_prefixes(params);
  const std::string eni = params.required("NetworkInterfaceId");
  const std::vector<IpAddr> addresses = params.addresses(
      "PrivateIpAddress", Family::kV4, desk.region.knobs.addresses_per_assign);
  if (addresses.empty())
    params.fail(missing_parameter("PrivateIpAddress", 403));
  if (Fault fault = params.finish()) return fault;
  return desk.region.unassign(eni, Family::kV4, addresses);
}

Fault assign_ipv6_addresses(Desk& desk, Params& params, Json& body) {
  read_region(desk, params);
  read_token(params);
  refuse_prefixes(params);
  const std::string eni = params.required("NetworkInterfaceId");
  const Wish wish = read_wish(params, {"Ipv6Address", "Ipv6AddressCount",
                                       Family::kV6, kPerCallV6, kPerCallV6});
  if (wish.size() == 0) {
    params.fail(missing_parameter("Ipv6AddressCount", 403));
  }
  if (Fault fault = params.finish()) return fault;

  const Outcome done = desk.region.assign(eni, Family::kV6, wish, desk.now);
  if (done.fault) return done.fault;
  body["NetworkInterfaceId"] = eni;
  body["Ipv6Sets"] = {{"Ipv6Address", strings(done.addresses)}};
  body["Ipv6PrefixSets"] = {{"Ipv6Prefix", Json::array()}};
  return {};
}

Fault unassign_ipv6_addresses(Desk& desk, Params& params, Json&) {
  read_region(desk, params);
  refuse_prefixes(params);
  const std::string eni = params.required("NetworkInterfaceId");
  const std::vector<IpAddr> addresses =
      params.addresses("Ipv6Address", Family::kV6, kPerCallV6);
  if (addresses.empty()) params.fail(missing_parameter("Ipv6Address", 403));
  if (Fault fault = params.finish()) return fault;
  return desk.region.unassign(eni, Family::kV6, addresses);
}

Fault tag_resources(Desk& desk, Params& params, Json&) {
  read_region(desk, params);
  const std::string type = params.text("ResourceType");
  if (type.empty()) {
    params.fail({404, "MissingParameter.ResourceType",
                 "You must specify ResourceType."});
  } else if (type != "eni") {
    params.fail({404, "InvalidResourceType.NotFound",
                 "The ResourceType provided does not exist in our records."});
  }
  const std::vector<std::string> ids = params.list("ResourceId", 1000);
  if (ids.empty()) params.fail(missing_parameter("ResourceId"));
  if (ids.size() > 50) {
    params.fail({400, "NumberExceed.ResourceIds", "More than 50 resources."});
  }
  const std::map<std::string, std::string> tags = params.tags();
  if (tags.empty()) {
    params.fail({404, "MissingParameter.Tags", "You must specify Tags."});
  }
  if (Fault fault = params.finish()) return fault;
  for (const std::string& id : ids) {
    if (desk.region.enis().contains(id)) continue;
    return {404, "InvalidResourceId.NotFound",
            "The specified ResourceId is not found in our records."};
  }
  for (const std::string& id : ids) {
    if (Fault fault = desk.region.tag(id, tags)) return fault;
  }
  return {};
}

}  // namespace linsey::sim
