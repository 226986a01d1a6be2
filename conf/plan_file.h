// The plan that preflight judges: everything around the cluster that has an
// address, a right or a limit, from a file (docs/preflight.md) or from what was
// read live. Every section may be absent; what was not told is never taken for
// good, its checks come out as "unknown".
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "conf/agent_config.h"

namespace linsey::conf {

struct PlanVpc {
  std::string id;
  std::vector<Cidr> cidrs;
};

struct PlanVSwitch {
  std::string id;
  std::string zone;
  std::string vpc;  // empty: the only one
  bool pods = false;
  std::vector<Cidr> cidrs;  // one of each family at most
};

struct PlanRange {
  std::string name;
  Cidr cidr;
};

struct PlanBlock {
  std::string name;
  std::string pool;
  std::string node;
  Cidr cidr;
};

struct PlanNode {
  std::string name;
  std::string zone;      // cloud nodes
  std::string v_switch;  // cloud nodes: that of the primary interface
  std::vector<IpAddr> addresses;
  std::optional<unsigned> max_pods;  // the kubelet's
  std::optional<unsigned> capacity;  // addresses it can have
};

struct PlanRoute {
  Cidr destination;
  std::string via;  // next hop, or the peer that taught it
  std::string node;
};

struct PlanGroupRule {
  bool ingress = true;
  bool accept = true;
  std::string protocol = "all";
  unsigned priority = 1;
  Cidr cidr;  // source of ingress, destination of egress
};

struct PlanGroup {
  std::string id;
  bool enterprise = false;  // advanced groups drop egress by default too
  std::vector<PlanGroupRule> rules;
};

/// One node's files, as far as they were looked at.
struct PlanHost {
  std::string node;
  std::set<std::string> plugins;  // that answer VERSION
};

struct Plan {
  std::vector<PlanVpc> vpcs;
  std::vector<PlanVSwitch> v_switches;
  std::vector<PlanRange> services;
  std::vector<PlanRange> data_centre;
  std::vector<PlanRange> node_ranges;
  std::vector<Pool> pools;
  std::vector<PlanBlock> blocks;
  std::vector<PlanNode> nodes;
  std::map<std::string, EniZone> zones;           // eni.zones
  std::vector<std::string> security_groups_used;  // eni.securityGroups
  std::optional<std::vector<PlanRoute>> learned;
  std::optional<std::vector<PlanRoute>> vpc_routes;
  std::optional<std::vector<PlanRoute>> dc_routes;
  std::optional<std::vector<PlanGroup>> security_groups;
  std::optional<std::set<std::string>> ram_actions;  // granted
  std::optional<std::set<std::string>> rbac;  // granted: "patch ipblocks"
  std::optional<std::vector<PlanHost>> hosts;
  std::string kubernetes_version;  // "1.30.2"; empty: not told
};

/// Strict, like the agent's configuration. Errors: kInvalidConfig with a JSON
/// pointer, kDecode.
Result<Plan> parse_plan(std::string_view text);

/// Adds what an agent's configuration says: cidrs, pools, blocks, zones.
void add_config(Plan& plan, const AgentConfig& config);

}  // namespace linsey::conf
