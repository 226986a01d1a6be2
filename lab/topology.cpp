#include "lab/topology.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

namespace linsey::lab {
namespace {

void get_optional(ObjectReader& reader, std::string_view key,
                  std::optional<IpAddr>& target) {
  if (!reader.has(key)) return;
  reader.get_parsed(key, target.emplace(), IpAddr::parse);
}

void get_optional(ObjectReader& reader, std::string_view key,
                  std::optional<Cidr>& target) {
  if (!reader.has(key)) return;
  reader.get_parsed(key, target.emplace(), Cidr::parse_network);
}

void read_router(ObjectReader& reader, RouterSpec& out) {
  reader.require("address");
  reader.require("asNumber");
  reader.get_parsed("address", out.address, IpAddr::parse);
  get_optional(reader, "address6", out.address6);
  reader.get_int("asNumber", out.as_number, 1, 4294967294);
  reader.get_int("longest", out.longest, 0, 32);
  reader.get("options", out.options);
  if (const Json* peer = reader.raw("peer"); peer != nullptr) {
    out.peer = dump_json(*peer);
    if (!peer->is_object()) reader.fail("peer", "must be an object");
  }
}

void read_data_centre(ObjectReader& reader, DataCentre& out) {
  reader.require("cidr");
  reader.require("nodes");
  reader.require("switch");
  reader.get_parsed("cidr", out.cidr, Cidr::parse_network);
  reader.get_parsed("nodes", out.nodes, Cidr::parse_network);
  reader.get_parsed("switch", out.switch_address, IpAddr::parse);
  reader.get_int("asNumber", out.as_number, 1, 4294967294);
  reader.get_parsed_list("routes", out.routes, Cidr::parse_network);
  get_optional(reader, "nodes6", out.nodes6);
  reader.each_member("routers",
                     [&](const std::string& name, ObjectReader& child) {
                       out.routers[name].name = name;
                       read_router(child, out.routers[name]);
                     });
  if (!out.nodes.contains(out.switch_address)) {
    reader.fail("switch", "must lie inside `nodes`, whose gateway it is");
  }
}

void read_line(ObjectReader& reader, Line& out) {
  reader.require("dataCentre");
  reader.require("vpc");
  reader.get_parsed("dataCentre", out.data_centre, Cidr::parse);
  reader.get_parsed("vpc", out.vpc, Cidr::parse);
  reader.get_int("rateMbit", out.rate_mbit, 1, 100000);
  reader.get_int("burstKb", out.burst_kb, 4, 65536);
  if (out.data_centre.network() != out.vpc.network()) {
    reader.fail("vpc", "must share its network with `dataCentre`");
  }
}

void read_pool(ObjectReader& reader, Pool& out) {
  reader.require("name");
  reader.require("cidr");
  reader.get("name", out.name);
  reader.get_parsed("cidr", out.cidr, Cidr::parse_network);
  reader.get_int("blockSize", out.block_size, 0, 128);
}

void read_v_switch(ObjectReader& reader, VSwitch& out) {
  reader.require("id");
  reader.require("cidr");
  reader.get("id", out.id);
  reader.get_parsed("cidr", out.cidr, Cidr::parse_network);
  get_optional(reader, "cidr6", out.cidr6);
  if (out.cidr6 &&
      (out.cidr6->addr().is_v4() || out.cidr6->prefix_len() > 64)) {
    reader.fail("cidr6", "must be an IPv6 network of at least a /64");
  }
  // Four addresses of every vSwitch are the cloud's own.
  if (!reader.failed() && out.cidr.size() < 8) {
    reader.fail("cidr", "is too small; a vSwitch has 8 addresses or more");
  }
}

void read_zone(ObjectReader& reader, Zone& out) {
  reader.require("hostVSwitch");
  reader.object("hostVSwitch", [&](ObjectReader& child) {
    read_v_switch(child, out.host_v_switch);
  });
  reader.each("podVSwitches", [&](ObjectReader& child) {
    read_v_switch(child, out.pod_v_switches.emplace_back());
  });
}

void read_vpc(ObjectReader& reader, Vpc& out) {
  reader.require("id");
  reader.require("cidr");
  reader.require("openApi");
  reader.get("id", out.id);
  reader.get_parsed("cidr", out.cidr, Cidr::parse_network);
  get_optional(reader, "cidr6", out.cidr6);
  reader.get_parsed("openApi", out.open_api, IpAddr::parse);
  reader.get_parsed_list("routes", out.routes, Cidr::parse_network);
  reader.get("securityGroup", out.security_group);
  reader.each_member("securityGroups", [&](const std::string& id,
                                           ObjectReader& child) {
    child.get_parsed_list("ingress", out.groups[id].ingress,
                          Cidr::parse_network);
    child.get_parsed_list("egress", out.groups[id].egress, Cidr::parse_network);
  });
  reader.each_member("zones",
                     [&](const std::string& zone, ObjectReader& child) {
                       read_zone(child, out.zones[zone]);
                     });
}

void read_mode(ObjectReader& reader, ModeRule& out) {
  reader.require("selector");
  reader.get("name", out.name);
  reader.get("selector", out.selector);
  reader.get("mode", out.mode);
  if (out.mode != "bgp" && out.mode != "eni") {
    reader.fail("mode", "must be \"bgp\" or \"eni\"");
  }
}

void read_node(ObjectReader& reader, NodeSpec& out) {
  std::string site;
  std::string join = "start";
  reader.require("address");
  reader.get("site", site);
  reader.get("zone", out.zone);
  reader.get_parsed("address", out.address, IpAddr::parse);
  get_optional(reader, "address6", out.address6);
  reader.get_int("asNumber", out.as_number, 0, 4294967294);
  reader.get("instanceType", out.instance_type);
  reader.get("labels", out.labels);
  reader.get("product", out.product);
  reader.get_parsed_list("blocks", out.blocks, Cidr::parse_network);
  reader.get("join", join);
  if (site != "dc" && site != "cloud") {
    reader.fail("site", "must be \"dc\" or \"cloud\"");
  }
  if (join != "start" && join != "later") {
    reader.fail("join", "must be \"start\" or \"later\"");
  }
  out.site = site == "cloud" ? Site::kCloud : Site::kDataCentre;
  out.joins_later = join == "later";
}

/// A name becomes part of paths and link names.
bool usable_name(std::string_view name) {
  return !name.empty() && name.size() <= 10 &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

Result<void> check_node(const Topology& topology, const NodeSpec& node) {
  const auto refuse = [&](std::string_view key, std::string_view what) {
    return make_error(Code::kInvalidConfig, "/nodes/{}/{}: {}", node.name, key,
                      what);
  };
  if (!usable_name(node.name)) {
    return refuse("", "names have 1 to 10 of a-z, 0-9 and '-'");
  }
  if (node.site == Site::kDataCentre) {
    if (!topology.data_centre.nodes.contains(node.address)) {
      return refuse("address", "must lie inside /dataCentre/nodes");
    }
    return {};
  }
  const auto zone = topology.vpc.zones.find(node.zone);
  if (zone == topology.vpc.zones.end()) {
    return refuse("zone", "is not described under /vpc/zones");
  }
  if (!zone->second.host_v_switch.cidr.contains(node.address)) {
    return refuse("address", "must lie inside the zone's hostVSwitch");
  }
  const auto& network6 = zone->second.host_v_switch.cidr6;
  if (node.address6 && !(network6 && network6->contains(*node.address6))) {
    return refuse("address6", "must lie inside the cidr6 of its hostVSwitch");
  }
  if (topology.vpc.cidr6 && !node.address6) {
    return refuse("address6", "is wanted, since the VPC has a cidr6");
  }
  return {};
}

Result<void> check(const Topology& topology) {
  std::set<IpAddr> addresses{topology.data_centre.switch_address};
  for (const auto& [name, router] : topology.data_centre.routers) {
    if (usable_name(name) && addresses.insert(router.address).second &&
        topology.data_centre.nodes.contains(router.address)) {
      continue;
    }
    return make_error(Code::kInvalidConfig,
                      "/dataCentre/routers/{}: give it a name of a-z, 0-9 and "
                      "'-' and an address of its own inside /dataCentre/nodes",
                      name);
  }
  for (const auto& [name, node] : topology.nodes) {
    TRY(check_node(topology, node));
    if (!addresses.insert(node.address).second) {
      return make_error(Code::kInvalidConfig,
                        "/nodes/{}/address: {} is taken; give each node its "
                        "own",
                        name, node.address.to_string());
    }
  }
  std::set<std::string> v_switches;
  for (const auto& [name, zone] : topology.vpc.zones) {
    std::vector<VSwitch> all = zone.pod_v_switches;
    all.push_back(zone.host_v_switch);
    for (const VSwitch& v_switch : all) {
      if (!v_switches.insert(v_switch.id).second ||
          !topology.vpc.cidr.contains(v_switch.cidr)) {
        return make_error(Code::kInvalidConfig,
                          "/vpc/zones/{}: vSwitch {} must be named once and "
                          "lie inside {}",
                          name, v_switch.id, topology.vpc.cidr.to_string());
      }
      const auto& whole6 = topology.vpc.cidr6;
      const bool inside6 =
          whole6 && v_switch.cidr6 && whole6->contains(*v_switch.cidr6);
      if (!inside6 && (whole6 || v_switch.cidr6)) {
        return make_error(
            Code::kInvalidConfig,
            "/vpc/zones/{}: give VPC and vSwitch {} a cidr6 each, "
            "the second inside the first, or neither",
            name, v_switch.id);
      }
    }
  }
  return {};
}

void read_lists(ObjectReader& root, Topology& out) {
  root.get_parsed_list("services", out.services, Cidr::parse_network);
  root.each("pools", [&](ObjectReader& child) {
    read_pool(child, out.pools.emplace_back());
  });
  root.each("modes", [&](ObjectReader& child) {
    read_mode(child, out.modes.emplace_back());
  });
  root.each_member("nodes", [&](const std::string& name, ObjectReader& child) {
    NodeSpec& node = out.nodes[name];
    node.name = name;
    read_node(child, node);
  });
}

}  // namespace

IpAddr VSwitch::gateway() const {
  const auto ip = cidr.first().plus(cidr.size() - 3);
  return ip.value_or(cidr.first());
}

std::optional<IpAddr> VSwitch::gateway6() const {
  if (!cidr6) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::copy(cidr6->last().bytes(), bytes.begin());
  bytes.back() = 0xf7;  // the last of a /64 ends in ff
  return IpAddr::from_bytes(bytes);
}

const VSwitch* Vpc::find_v_switch(std::string_view v_switch_id) const {
  for (const auto& [name, zone] : zones) {
    if (zone.host_v_switch.id == v_switch_id) return &zone.host_v_switch;
    for (const VSwitch& v_switch : zone.pod_v_switches) {
      if (v_switch.id == v_switch_id) return &v_switch;
    }
  }
  return nullptr;
}

Result<Topology> parse_topology(std::string_view text) {
  const Json json = TRY(parse_json(text));
  ObjectReader root(&json, "");
  Topology out;
  std::int64_t version = 0;
  for (const char* key : {"version", "name", "dataCentre", "line", "vpc"}) {
    root.require(key);
  }
  root.get_int("version", version, 1, 1);
  root.get("name", out.name);
  root.get("region", out.region);
  root.object("dataCentre", [&](ObjectReader& child) {
    read_data_centre(child, out.data_centre);
  });
  root.object("line", [&](ObjectReader& child) { read_line(child, out.line); });
  root.object("vpc", [&](ObjectReader& child) { read_vpc(child, out.vpc); });
  read_lists(root, out);
  if (const Json* overlay = root.raw("agent"); overlay != nullptr) {
    out.agent_overlay = dump_json(*overlay);
    if (!overlay->is_object()) root.fail("agent", "must be an object");
  }
  if (!usable_name(out.name)) {
    root.fail("name", "must have 1 to 10 of a-z, 0-9 and '-'");
  }
  TRY(root.finish());
  TRY(check(out));
  return out;
}

}  // namespace linsey::lab
