#include "conf/plan_file.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"

namespace linsey::conf {
namespace {

constexpr unsigned kUsualBlock = 26;
constexpr unsigned kUsualBlock6 = 122;

PlanVpc read_vpc(ObjectReader& reader) {
  PlanVpc vpc;
  reader.require("id");
  reader.get("id", vpc.id);
  reader.get_parsed_list("cidrs", vpc.cidrs, Cidr::parse_network);
  return vpc;
}

PlanVSwitch read_v_switch(ObjectReader& reader) {
  PlanVSwitch out;
  std::string use = "pods";
  Cidr cidr;
  reader.require("id");
  reader.require("cidr");
  reader.get("id", out.id);
  reader.get("zone", out.zone);
  reader.get("vpc", out.vpc);
  reader.get("use", use);
  reader.get_parsed("cidr", cidr, Cidr::parse_network);
  out.cidrs.push_back(cidr);
  if (reader.has("ipv6Cidr")) {
    Cidr ipv6;
    reader.get_parsed("ipv6Cidr", ipv6, Cidr::parse_network);
    out.cidrs.push_back(ipv6);
  }
  out.pods = use == "pods";
  if (use != "pods" && use != "hosts") {
    reader.fail("use", "write \"pods\" or \"hosts\"");
  }
  return out;
}

PlanRange read_range(ObjectReader& reader) {
  PlanRange range;
  reader.require("cidr");
  reader.get("name", range.name);
  reader.get_parsed("cidr", range.cidr, Cidr::parse_network);
  return range;
}

Pool read_pool(ObjectReader& reader) {
  Pool pool;
  reader.require("name");
  reader.require("cidr");
  reader.get("name", pool.name);
  reader.get_parsed("cidr", pool.cidr, Cidr::parse_network);
  pool.block_size =
      pool.cidr.family() == Family::kV4 ? kUsualBlock : kUsualBlock6;
  reader.get_int("blockSize", pool.block_size, 1, 128);
  reader.get("disabled", pool.disabled);
  return pool;
}

PlanBlock read_block(ObjectReader& reader) {
  PlanBlock block;
  reader.require("cidr");
  reader.get("name", block.name);
  reader.get("pool", block.pool);
  reader.get("node", block.node);
  reader.get_parsed("cidr", block.cidr, Cidr::parse_network);
  return block;
}

void read_limit(ObjectReader& reader, const char* key,
                std::optional<unsigned>& target) {
  if (!reader.has(key)) return;
  unsigned value = 0;
  reader.get_int(key, value, 0, 1000000);
  target = value;
}

PlanNode read_node(ObjectReader& reader) {
  PlanNode node;
  reader.require("name");
  reader.get("name", node.name);
  reader.get("zone", node.zone);
  reader.get("vSwitch", node.v_switch);
  reader.get_parsed_list("addresses", node.addresses, IpAddr::parse);
  read_limit(reader, "maxPods", node.max_pods);
  read_limit(reader, "capacity", node.capacity);
  return node;
}

PlanRoute read_route(ObjectReader& reader) {
  PlanRoute route;
  reader.require("destination");
  reader.get_parsed("destination", route.destination, Cidr::parse_network);
  reader.get("via", route.via);
  reader.get("node", route.node);
  return route;
}

PlanGroupRule read_rule(ObjectReader& reader) {
  PlanGroupRule rule;
  std::string direction = "ingress";
  std::string policy = "accept";
  reader.require("cidr");
  reader.get("direction", direction);
  reader.get("policy", policy);
  reader.get("protocol", rule.protocol);
  reader.get_int("priority", rule.priority, 1, 100);
  reader.get_parsed("cidr", rule.cidr, Cidr::parse_network);
  rule.ingress = direction == "ingress";
  rule.accept = policy == "accept";
  if (direction != "ingress" && direction != "egress") {
    reader.fail("direction", "write \"ingress\" or \"egress\"");
  }
  if (policy != "accept" && policy != "drop") {
    reader.fail("policy", "write \"accept\" or \"drop\"");
  }
  return rule;
}

PlanGroup read_group(ObjectReader& reader) {
  PlanGroup group;
  std::string type = "normal";
  reader.require("id");
  reader.get("id", group.id);
  reader.get("type", type);
  group.enterprise = type == "enterprise";
  if (type != "normal" && type != "enterprise") {
    reader.fail("type", "write \"normal\" or \"enterprise\"");
  }
  reader.each("rules", [&](ObjectReader& one) {
    group.rules.push_back(read_rule(one));
  });
  return group;
}

PlanHost read_host(ObjectReader& reader) {
  PlanHost host;
  std::vector<std::string> plugins;
  reader.require("node");
  reader.get("node", host.node);
  reader.get("plugins", plugins);
  host.plugins.insert(plugins.begin(), plugins.end());
  return host;
}

template <typename T>
void read_list(ObjectReader& reader, const char* key, std::vector<T>& out,
               T (*read)(ObjectReader&)) {
  reader.each(key, [&](ObjectReader& one) { out.push_back(read(one)); });
}

/// Absent is another thing than empty.
template <typename T>
void read_list(ObjectReader& reader, const char* key,
               std::optional<std::vector<T>>& out, T (*read)(ObjectReader&)) {
  if (!reader.has(key)) return;
  out.emplace();
  read_list(reader, key, *out, read);
}

void read_set(ObjectReader& reader, const char* key,
              std::optional<std::set<std::string>>& out) {
  if (!reader.has(key)) return;
  std::vector<std::string> words;
  reader.get(key, words);
  out.emplace(words.begin(), words.end());
}

void read_zones(ObjectReader& reader, std::map<std::string, EniZone>& zones) {
  reader.each_member("zones", [&](const std::string& zone, ObjectReader& one) {
    one.get("vSwitches", zones[zone].v_switches);
  });
}

void add_ranges(std::vector<PlanRange>& out, const std::vector<Cidr>& cidrs) {
  for (const Cidr& cidr : cidrs) {
    out.push_back({"", cidr});
  }
}

}  // namespace

Result<Plan> parse_plan(std::string_view text) {
  const Json json = TRY(parse_json(text));
  Plan plan;
  ObjectReader reader(&json, "");
  int version = 1;
  reader.get_int("version", version, 1, 1);
  read_list(reader, "vpcs", plan.vpcs, read_vpc);
  read_list(reader, "vSwitches", plan.v_switches, read_v_switch);
  read_list(reader, "services", plan.services, read_range);
  read_list(reader, "dataCentre", plan.data_centre, read_range);
  read_list(reader, "nodeRanges", plan.node_ranges, read_range);
  read_list(reader, "pools", plan.pools, read_pool);
  read_list(reader, "blocks", plan.blocks, read_block);
  read_list(reader, "nodes", plan.nodes, read_node);
  read_zones(reader, plan.zones);
  reader.get("securityGroupsUsed", plan.security_groups_used);
  read_list(reader, "learnedRoutes", plan.learned, read_route);
  read_list(reader, "vpcRoutes", plan.vpc_routes, read_route);
  read_list(reader, "dcRoutes", plan.dc_routes, read_route);
  read_list(reader, "securityGroups", plan.security_groups, read_group);
  read_set(reader, "ramActions", plan.ram_actions);
  read_set(reader, "rbac", plan.rbac);
  read_list(reader, "hosts", plan.hosts, read_host);
  reader.get("kubernetesVersion", plan.kubernetes_version);
  TRY(reader.finish());
  return plan;
}

void add_config(Plan& plan, const AgentConfig& config) {
  add_ranges(plan.services, config.cidrs.services);
  add_ranges(plan.data_centre, config.cidrs.data_centre);
  add_ranges(plan.node_ranges, config.cidrs.nodes);
  if (!config.cidrs.vpc.empty()) {
    plan.vpcs.push_back({"", config.cidrs.vpc});
  }
  plan.pools.insert(plan.pools.end(), config.pools.begin(), config.pools.end());
  for (const auto& [node, cidrs] : config.blocks.assignments) {
    for (const Cidr& cidr : cidrs) {
      plan.blocks.push_back({"", "", node, cidr});
    }
  }
  for (const auto& [zone, entry] : config.eni.zones) {
    plan.zones[zone] = entry;
  }
  plan.security_groups_used.insert(plan.security_groups_used.end(),
                                   config.eni.security_groups.begin(),
                                   config.eni.security_groups.end());
}

}  // namespace linsey::conf
