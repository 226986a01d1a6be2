#include "conf/preflight.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>

#include "conf/preflight_reach.h"

namespace linsey::conf {
namespace {

constexpr auto kRamActions = std::to_array<std::string_view>({
    "ecs:AssignIpv6Addresses",
    "ecs:AssignPrivateIpAddresses",
    "ecs:AttachNetworkInterface",
    "ecs:CreateNetworkInterface",
    "ecs:DeleteNetworkInterface",
    "ecs:DescribeInstanceTypes",
    "ecs:DescribeNetworkInterfaces",
    "ecs:DetachNetworkInterface",
    "ecs:UnassignIpv6Addresses",
    "ecs:UnassignPrivateIpAddresses",
    "vpc:DescribeVSwitches",
});

constexpr auto kRbac = std::to_array<std::string_view>({
    "get nodes",
    "list nodes",
    "watch nodes",
    "patch nodes",
    "patch nodes/status",
    "list pods",
    "watch pods",
    "create events.events.k8s.io",
    "patch events.events.k8s.io",
    "list ippools.linsey.dev",
    "watch ippools.linsey.dev",
    "list ipblocks.linsey.dev",
    "watch ipblocks.linsey.dev",
    "create ipblocks.linsey.dev",
    "patch ipblocks.linsey.dev",
    "delete ipblocks.linsey.dev",
    "get nodenetworks.linsey.dev",
    "create nodenetworks.linsey.dev",
    "patch nodenetworks.linsey.dev/status",
});

constexpr auto kPlugins =
    std::to_array<std::string_view>({"linsey", "loopback"});

class Examiner {
 public:
  explicit Examiner(const Plan& plan) : plan_(plan) {}

  std::vector<Check> run() {
    networks();
    zones();
    node_zones();
    std::ranges::move(examine_reach(plan_), std::back_inserter(checks_));
    granted("rights", needed_ram_actions(), plan_.ram_actions, ram_error);
    granted("rights", needed_rbac(), plan_.rbac, rbac_error);
    plugins();
    capacity();
    confinement();
    return std::move(checks_);
  }

 private:
  void holds(std::string topic, std::string text) {
    checks_.push_back({std::move(topic), Finding::kHolds, std::move(text)});
  }
  void unknown(std::string topic, std::string text) {
    checks_.push_back({std::move(topic), Finding::kUnknown, std::move(text)});
  }
  void against(std::string topic, Error why) {
    checks_.push_back(
        {std::move(topic), Finding::kAgainst, "", std::move(why)});
  }

  bool cloud() const {
    return !plan_.v_switches.empty() || !plan_.zones.empty();
  }

  void networks() {
    const std::vector<NamedNetwork> all = networks_of(plan_);
    std::vector<Error> found = conflicts(all);
    if (found.empty()) {
      holds("networks",
            fmt::format("{} networks, {} pairs: none conflicts", all.size(),
                        all.size() * (all.size() - 1) / 2));
    }
    for (Error& one : found) {
      against("networks", std::move(one));
    }
  }

  const PlanVSwitch* find_v_switch(const std::string& id) const {
    const auto found =
        std::ranges::find(plan_.v_switches, id, &PlanVSwitch::id);
    return found == plan_.v_switches.end() ? nullptr : &*found;
  }

  void zone_v_switch(const std::string& zone, const std::string& id) {
    const PlanVSwitch* v_switch = find_v_switch(id);
    if (v_switch == nullptr) {
      unknown("zones",
              fmt::format("zone {}: nothing is told of vSwitch {}", zone, id));
    } else if (v_switch->zone != zone) {
      against("zones", with_remedy(Code::kVSwitchWrongZone,
                                   "eni.zones.{}: vSwitch {} lies in zone {}",
                                   zone, id, v_switch->zone));
    } else if (!v_switch->pods) {
      against("zones", with_remedy(Code::kVSwitchIsHost,
                                   "eni.zones.{}: vSwitch {} is the nodes' own",
                                   zone, id));
    } else {
      holds("zones", fmt::format("zone {}: pod vSwitch {}", zone, id));
    }
  }

  void zones() {
    for (const auto& [zone, entry] : plan_.zones) {
      for (const std::string& id : entry.v_switches) {
        zone_v_switch(zone, id);
        uses_host_v_switch(zone, id);
      }
    }
  }

  /// The same vSwitch under both uses, which one line of a plan cannot show.
  void uses_host_v_switch(const std::string& zone, const std::string& id) {
    for (const PlanNode& node : plan_.nodes) {
      if (node.v_switch != id) continue;
      against(
          "zones",
          with_remedy(Code::kVSwitchIsHost,
                      "eni.zones.{}: pod vSwitch {} is the vSwitch of node {}",
                      zone, id, node.name));
    }
  }

  void node_zones() {
    if (plan_.zones.empty()) return;
    for (const PlanNode& node : plan_.nodes) {
      if (node.zone.empty() || plan_.zones.contains(node.zone)) continue;
      against("zones", with_remedy(Code::kZoneNotMapped,
                                   "node {}: zone {} has no pod vSwitch",
                                   node.name, node.zone));
    }
  }

  static Error ram_error(std::string_view action) {
    return with_remedy(Code::kCloudForbidden, "RAM action {} is not granted",
                       action);
  }
  static Error rbac_error(std::string_view verb) {
    return with_remedy(Code::kApiForbidden, "RBAC: \"{}\" is not granted",
                       verb);
  }

  void granted(const std::string& topic,
               std::span<const std::string_view> needed,
               const std::optional<std::set<std::string>>& told,
               Error (*why)(std::string_view)) {
    const bool ram = needed.data() == needed_ram_actions().data();
    if (ram && !cloud()) return;
    if (!told) {
      unknown(topic, ram ? "the RAM actions were not told"
                         : "the RBAC verbs were not told");
      return;
    }
    bool fine = true;
    for (const std::string_view one : needed) {
      if (told->contains(std::string(one))) continue;
      fine = false;
      against(topic, why(one));
    }
    if (fine) {
      holds(topic, fmt::format("all {} {} are granted", needed.size(),
                               ram ? "RAM actions" : "RBAC verbs"));
    }
  }

  void plugins() {
    if (!plan_.hosts) {
      unknown("plugins", "no node was told of");
      return;
    }
    for (const PlanHost& host : *plan_.hosts) {
      bool fine = true;
      for (const std::string_view plugin : kPlugins) {
        if (host.plugins.contains(std::string(plugin))) continue;
        fine = false;
        against("plugins",
                with_remedy(
                    Code::kChainPluginMissing,
                    "node {}: {} is not in the plugin directory (or does not "
                    "run); linsey-install puts it there",
                    host.node, plugin));
      }
      if (fine) {
        holds("plugins", fmt::format("node {} has {} and {}", host.node,
                                     kPlugins[0], kPlugins[1]));
      }
    }
  }

  void capacity() {
    for (const PlanNode& node : plan_.nodes) {
      if (!node.max_pods || !node.capacity) continue;
      if (*node.max_pods > *node.capacity) {
        against(
            "capacity",
            with_remedy(Code::kCapacityBelowMaxPods,
                        "node {}: {} pods are allowed, {} addresses can be had",
                        node.name, *node.max_pods, *node.capacity));
      } else {
        holds("capacity",
              fmt::format("node {}: {} pods, {} addresses", node.name,
                          *node.max_pods, *node.capacity));
      }
    }
  }

  void confinement() {
    const std::string& text = plan_.kubernetes_version;
    if (text.empty()) return;
    const std::string digits = text.substr(text.starts_with('v') ? 1 : 0);
    unsigned major = 0;
    unsigned minor = 0;
    const char* const end = digits.data() + digits.size();
    const char* at = std::from_chars(digits.data(), end, major).ptr;
    if (at != end) (void)std::from_chars(at + 1, end, minor);
    constexpr unsigned kConfines = 30;
    if (major == 1 && minor < kConfines) {
      against("rights",
              with_remedy(Code::kNoConfinement, "Kubernetes is {}", text));
    } else {
      holds("rights", fmt::format("Kubernetes {} can confine agents", text));
    }
  }

  const Plan& plan_;
  std::vector<Check> checks_;
};

void add(std::vector<NamedNetwork>& out, NetworkKind kind,
         const std::vector<PlanRange>& ranges) {
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    out.push_back({kind, ranges[i].name,
                   fmt::format("{} {}", name(kind), i + 1), ranges[i].cidr});
  }
}

void add_cloud(std::vector<NamedNetwork>& out, const Plan& plan) {
  for (const PlanVpc& vpc : plan.vpcs) {
    for (const Cidr& cidr : vpc.cidrs) {
      out.push_back({NetworkKind::kVpc, vpc.id, "the cloud", cidr});
    }
  }
  for (const PlanVSwitch& one : plan.v_switches) {
    for (const Cidr& cidr : one.cidrs) {
      out.push_back(
          {one.pods ? NetworkKind::kPodVSwitch : NetworkKind::kHostVSwitch,
           one.id, "zone " + one.zone, cidr});
    }
  }
}

}  // namespace

std::string_view name(Finding finding) {
  constexpr auto kNames =
      std::to_array<std::string_view>({"ok", "conflict", "unknown"});
  return kNames.at(static_cast<std::size_t>(finding));
}

std::span<const std::string_view> needed_ram_actions() {
  return kRamActions;
}

std::span<const std::string_view> needed_rbac() {
  return kRbac;
}

std::vector<NamedNetwork> networks_of(const Plan& plan) {
  std::vector<NamedNetwork> out;
  for (const Pool& pool : plan.pools) {
    out.push_back({NetworkKind::kPool, pool.name, "pools", pool.cidr});
  }
  add(out, NetworkKind::kServices, plan.services);
  add(out, NetworkKind::kDataCentre, plan.data_centre);
  add(out, NetworkKind::kNodes, plan.node_ranges);
  add_cloud(out, plan);
  for (const PlanBlock& block : plan.blocks) {
    out.push_back({NetworkKind::kBlock, block.name,
                   block.node.empty() ? "blocks" : "node " + block.node,
                   block.cidr, block.pool});
  }
  for (const PlanNode& node : plan.nodes) {
    for (const IpAddr& address : node.addresses) {
      out.push_back({NetworkKind::kNodeAddress, node.name, "node " + node.name,
                     Cidr::host(address)});
    }
  }
  for (const PlanRoute& route :
       plan.learned.value_or(std::vector<PlanRoute>{})) {
    out.push_back({NetworkKind::kLearned, route.via,
                   route.node.empty() ? "BGP" : "node " + route.node,
                   route.destination});
  }
  return out;
}

std::vector<Check> examine(const Plan& plan) {
  return Examiner(plan).run();
}

}  // namespace linsey::conf
