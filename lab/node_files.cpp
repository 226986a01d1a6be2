#include "lab/node_files.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"

namespace linsey::lab {
namespace {

Json texts(const std::vector<Cidr>& cidrs) {
  Json out = Json::array();
  for (const Cidr& cidr : cidrs) {
    out.push_back(cidr.to_string());
  }
  return out;
}

Json pools_of(const Topology& topology) {
  Json out = Json::array();
  for (const Pool& pool : topology.pools) {
    Json entry{{"name", pool.name}, {"cidr", pool.cidr.to_string()}};
    if (pool.block_size != 0) entry["blockSize"] = pool.block_size;
    out.push_back(std::move(entry));
  }
  return out;
}

Json modes_of(const Topology& topology) {
  Json out = Json::array();
  for (const ModeRule& rule : topology.modes) {
    out.push_back({{"name", rule.name},
                   {"selector", rule.selector},
                   {"mode", rule.mode}});
  }
  return out;
}

Json assignments_of(const Topology& topology) {
  Json out = Json::object();
  for (const auto& [name, node] : topology.nodes) {
    if (!node.blocks.empty()) out[name] = texts(node.blocks);
  }
  return out;
}

/// Zones without a pod vSwitch are not told: the agent must refuse them.
Json zones_of(const Topology& topology) {
  Json out = Json::object();
  for (const auto& [name, zone] : topology.vpc.zones) {
    if (zone.pod_v_switches.empty()) continue;
    Json ids = Json::array();
    for (const VSwitch& v_switch : zone.pod_v_switches) {
      ids.push_back(v_switch.id);
    }
    out[name] = {{"vSwitches", std::move(ids)}};
  }
  return out;
}

Result<Json> peer_of(const RouterSpec& router, const std::string& name,
                     const IpAddr& address) {
  Json peer{{"name", name},
            {"address", address.to_string()},
            {"asNumber", router.as_number}};
  peer.merge_patch(TRY(parse_json(router.peer)));
  return peer;
}

/// The switch, or every router by each family that it and the node have.
Result<Json> peers_of(const Topology& topology, const NodeSpec& node) {
  const DataCentre& plan = topology.data_centre;
  if (plan.routers.empty()) {
    return Json::array({{{"name", "reflector"},
                         {"address", plan.switch_address.to_string()}}});
  }
  Json peers = Json::array();
  for (const auto& [name, router] : plan.routers) {
    peers.push_back(TRY(peer_of(router, name, router.address)));
    if (!router.address6 || !node.address6) continue;
    peers.push_back(TRY(peer_of(router, name + "-6", *router.address6)));
  }
  return peers;
}

Result<Json> bgp_of(const Topology& topology, const NodeSpec& node,
                    const NodePaths& paths) {
  return Json{{"asNumber", node.as_number == 0 ? topology.data_centre.as_number
                                               : node.as_number},
              {"peers", TRY(peers_of(topology, node))},
              {"bird",
               {{"controlSocket", paths.bird_socket()},
                {"configFile", paths.bird_config()}}}};
}

std::vector<Cidr> vpc_networks(const Vpc& vpc) {
  std::vector<Cidr> networks{vpc.cidr};
  if (vpc.cidr6) networks.push_back(*vpc.cidr6);
  return networks;
}

Json eni_of(const Topology& topology) {
  const std::string api = "http://" + topology.vpc.open_api.to_string();
  return {{"region", topology.region},
          {"ecsEndpoint", api},
          {"vpcEndpoint", api},
          {"zones", zones_of(topology)},
          {"ipv6", topology.vpc.cidr6.has_value()},
          {"securityGroups", Json::array({topology.vpc.security_group})}};
}

Result<void> link_plugin(const NodePaths& paths, const std::string& plugin) {
  for (const char* name : {"linsey", "loopback"}) {
    std::error_code failed;
    std::filesystem::create_symlink(plugin, paths.cni_bin() + "/" + name,
                                    failed);
    if (failed) {
      return make_error(Code::kIo, "link {} as {}: {}", plugin, name,
                        failed.message());
    }
  }
  return {};
}

/// The shipped list with this node's paths in it.
Result<std::string> own_conflist(const std::string& text,
                                 const NodePaths& paths) {
  Json json = TRY(context(parse_json(text), "the shipped conflist"));
  for (Json& plugin : json["plugins"]) {
    if (plugin.value("type", "") != "linsey") continue;
    plugin["agentSocket"] = paths.socket();
    plugin["notesDir"] = paths.notes();
  }
  return dump_json(json, 2);
}

}  // namespace

Result<std::string> agent_json(const Topology& topology, const NodeSpec& node,
                               const NodePaths& paths) {
  Json json{{"version", 1},
            {"cluster", topology.name},
            {"node", {{"name", node.name}, {"file", paths.node_json()}}},
            {"socket", paths.socket()},
            {"runDir", paths.run()},
            {"stateDir", paths.state()},
            {"modes", modes_of(topology)},
            {"evidence", {{"dmiPath", paths.product_name()}}},
            {"cidrs",
             {{"services", texts(topology.services)},
              {"vpc", texts(vpc_networks(topology.vpc))},
              {"dataCentre", texts({topology.data_centre.cidr})},
              {"nodes", texts({topology.data_centre.nodes})}}},
            {"pools", pools_of(topology)},
            {"blocks",
             {{"source", "file"}, {"assignments", assignments_of(topology)}}},
            {"bgp", TRY(bgp_of(topology, node, paths))},
            {"eni", eni_of(topology)},
            {"cni",
             {{"confDir", paths.cni_conf()},
              {"conflistSource", paths.conflist()},
              {"binDir", paths.cni_bin()}}}};
  json.merge_patch(TRY(parse_json(topology.agent_overlay)));
  return dump_json(json, 2);
}

std::string node_json(const NodeSpec& node) {
  Json addresses = Json::array(
      {{{"type", "InternalIP"}, {"address", node.address.to_string()}}});
  if (node.address6) {
    addresses.push_back(
        {{"type", "InternalIP"}, {"address", node.address6->to_string()}});
  }
  return dump_json(
      {{"metadata", {{"name", node.name}, {"labels", node.labels}}},
       {"spec", Json::object()},
       {"status", {{"addresses", std::move(addresses)}}}},
      2);
}

Result<void> write_node_files(const Topology& topology, const NodeSpec& node,
                              const NodePaths& paths,
                              const std::string& conflist,
                              const std::string& plugin) {
  for (const std::string& directory :
       {paths.run(), paths.state(), paths.notes(), paths.bird_dir(),
        paths.etc(), paths.cni_conf(), paths.cni_bin(), paths.cni_cache()}) {
    TRY(make_directories(directory, 0700));
  }
  const WriteOptions quick{.mode = 0600, .sync = false};
  TRY(write_file_atomic(paths.agent_json(),
                        TRY(agent_json(topology, node, paths)), quick));
  TRY(write_file_atomic(paths.node_json(), node_json(node), quick));
  TRY(write_file_atomic(paths.product_name(), node.product + "\n", quick));
  TRY(write_file_atomic(paths.conflist(), TRY(own_conflist(conflist, paths)),
                        quick));
  return link_plugin(paths, plugin);
}

}  // namespace linsey::lab
