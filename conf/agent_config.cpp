#include "conf/agent_config.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "conf/readers.h"

namespace linsey::conf {
namespace {

constexpr std::int64_t kMtuMax = 65535;

void get_url(ObjectReader& reader, std::string_view key, std::string& target,
             bool may_be_empty) {
  reader.get(key, target);
  if (reader.failed() || (target.empty() && may_be_empty)) return;
  if (target.starts_with("http://") || target.starts_with("https://")) return;
  reader.fail(key, fmt::format("\"{}\" is no URL; begin it with http:// or "
                               "https://",
                               target));
}

/// The cluster's name marks cloud resources, so it is kept to what tags take.
void get_cluster(ObjectReader& reader, std::string& target) {
  if (reader.has("cluster")) get_name(reader, "cluster", target);
  (void)reader.raw("cluster");
}

Result<Mode> parse_mode(std::string_view text) {
  if (text == "bgp") return Mode::kBgp;
  if (text == "eni") return Mode::kEni;
  return make_error(Code::kInvalidConfig, "\"{}\" is none of \"bgp\", \"eni\"",
                    text);
}

void read_mode_rule(ObjectReader& reader, ModeRule& rule) {
  get_name(reader, "name", rule.name);
  reader.require("selector");
  reader.get_parsed("selector", rule.selector, Selector::parse);
  reader.require("mode");
  reader.get_parsed("mode", rule.mode, parse_mode);
}

void read_cidrs(ObjectReader& reader, CidrPlan& cidrs) {
  reader.get_parsed_list("services", cidrs.services, Cidr::parse_network);
  reader.get_parsed_list("vpc", cidrs.vpc, Cidr::parse_network);
  reader.get_parsed_list("dataCentre", cidrs.data_centre, Cidr::parse_network);
  reader.get_parsed_list("nodes", cidrs.nodes, Cidr::parse_network);
}

void read_pool(ObjectReader& reader, Pool& pool) {
  get_name(reader, "name", pool.name);
  reader.require("cidr");
  reader.get_parsed("cidr", pool.cidr, Cidr::parse_network);
  reader.get_int("blockSize", pool.block_size, 0, 128);
  if (pool.block_size == 0) {
    pool.block_size = pool.cidr.family() == Family::kV4 ? 26 : 122;
  }
  reader.get_parsed("nodeSelector", pool.node_selector, Selector::parse);
  reader.get("disabled", pool.disabled);
}

void read_blocks(ObjectReader& reader, Blocks& blocks) {
  get_choice(reader, "source", blocks.source, {"file", "cluster"});
  const Json* assignments = reader.raw("assignments");
  reader.object("assignments", [&](ObjectReader& nodes) {
    for (const auto& [node, ignored] : assignments->items()) {
      nodes.get_parsed_list(node, blocks.assignments[node],
                            Cidr::parse_network);
    }
  });
}

void read_eni_parts(ObjectReader& reader, Eni& eni) {
  reader.object("pool", [&](ObjectReader& pool) {
    pool.get_int("minIdle", eni.pool.min_idle, 0, 1000);
    pool.get_int("maxIdle", eni.pool.max_idle, 0, 1000);
    pool.get_duration("checkEvery", eni.pool.check_every);
  });
  reader.object("rate", [&](ObjectReader& rate) {
    rate.get_int("callsPerMinute", eni.rate.calls_per_minute, 1, 1500);
    rate.get_int("burst", eni.rate.burst, 1, 1500);
  });
  reader.object("rules", [&](ObjectReader& rules) {
    // 0 is the local table's rule, 32766 and 32767 are main and default.
    rules.get_int("toPodPriority", eni.rules.to_pod_priority, 1, 32765);
    rules.get_int("fromPodPriority", eni.rules.from_pod_priority, 1, 32765);
    // 253 to 255 are the kernel's; above it leave room for link indexes.
    rules.get_int("tableBase", eni.rules.table_base, 256, 2147483647);
    rules.get_int("returnMark", eni.rules.return_mark, 0, 2147483648U);
    rules.get_int("returnPriority", eni.rules.return_priority, 1, 32765);
  });
  reader.object("credentials", [&](ObjectReader& credentials) {
    credentials.get("ramRole", eni.credentials.ram_role);
    get_path(credentials, "keyFile", eni.credentials.key_file, true);
  });
}

void read_eni(ObjectReader& reader, Eni& eni) {
  reader.get("region", eni.region);
  get_url(reader, "ecsEndpoint", eni.ecs_endpoint, true);
  get_url(reader, "vpcEndpoint", eni.vpc_endpoint, true);
  reader.each_member("zones", [&](const std::string& zone, ObjectReader& item) {
    item.require("vSwitches");
    item.get("vSwitches", eni.zones[zone].v_switches);
  });
  get_choice(reader, "selection", eni.selection,
             {"ordered", "most-free", "random"});
  reader.get("securityGroups", eni.security_groups);
  reader.get("allowHostVSwitch", eni.allow_host_v_switch);
  reader.get("ipv6", eni.ipv6);
  reader.get("tags", eni.tags);
  read_eni_parts(reader, eni);
  reader.get_duration("callTimeout", eni.call_timeout);
}

void read_kubernetes(ObjectReader& reader, Kubernetes& kubernetes) {
  get_choice(reader, "source", kubernetes.source,
             {"off", "in-cluster", "kubeconfig"});
  get_path(reader, "kubeconfig", kubernetes.kubeconfig, true);
  if (!reader.failed() && kubernetes.source == "kubeconfig" &&
      kubernetes.kubeconfig.empty()) {
    reader.fail("kubeconfig",
                "is empty while source is \"kubeconfig\"; name "
                "the file");
  }
  reader.object("configMap", [&](ObjectReader& map) {
    map.get("namespace", kubernetes.config_map_namespace);
    map.get("name", kubernetes.config_map);
    map.get("key", kubernetes.config_map_key);
    if (kubernetes.config_map.empty()) return;
    for (const auto& [key, value] :
         {std::pair("namespace", kubernetes.config_map_namespace),
          std::pair("key", kubernetes.config_map_key)}) {
      if (value.empty()) map.fail(key, "is empty; the ConfigMap needs it");
    }
  });
  reader.get_int("writesPerSecond", kubernetes.writes_per_second, 1, 100);
  reader.get_duration("taintAfter", kubernetes.taint_after);
  reader.get_duration("untaintAfter", kubernetes.untaint_after);
}

void read_places(ObjectReader& reader, AgentConfig& config) {
  reader.object("node", [&](ObjectReader& node) {
    node.get("name", config.node.name);
    get_path(node, "file", config.node.file);
  });
  reader.object("kubernetes", [&](ObjectReader& kubernetes) {
    read_kubernetes(kubernetes, config.kubernetes);
  });
  get_path(reader, "socket", config.socket);
  get_path(reader, "runDir", config.run_dir);
  get_path(reader, "stateDir", config.state_dir);
  reader.get("metricsListen", config.metrics_listen);
  reader.object("evidence", [&](ObjectReader& evidence) {
    get_url(evidence, "metadataUrl", config.evidence.metadata_url, false);
    get_path(evidence, "dmiPath", config.evidence.dmi_path);
    evidence.get_duration("timeout", config.evidence.timeout);
  });
  reader.object("log", [&](ObjectReader& log) {
    get_choice(log, "level", config.log.level,
               {"debug", "info", "warn", "error", "off"});
    get_choice(log, "format", config.log.format, {"text", "json"});
  });
}

void read_cni(ObjectReader& reader, Cni& cni) {
  get_path(reader, "confDir", cni.conf_dir, true);
  reader.get("conflist", cni.conflist);
  get_path(reader, "conflistSource", cni.conflist_source, true);
  get_path(reader, "binDir", cni.bin_dir);
}

void read_config(ObjectReader& reader, AgentConfig& config) {
  reader.get_int("version", config.version, 1, 1);
  get_cluster(reader, config.cluster);
  read_places(reader, config);
  reader.get_int("mtu", config.mtu, 0, kMtuMax);
  reader.get_int("mtuHeadroom", config.mtu_headroom, 0, 1000);
  reader.each("modes", [&](ObjectReader& item) {
    read_mode_rule(item, config.modes.emplace_back());
  });
  reader.object("cidrs",
                [&](ObjectReader& cidrs) { read_cidrs(cidrs, config.cidrs); });
  reader.each("pools", [&](ObjectReader& item) {
    read_pool(item, config.pools.emplace_back());
  });
  reader.object("blocks", [&](ObjectReader& blocks) {
    read_blocks(blocks, config.blocks);
  });
  reader.object("ipam", [&](ObjectReader& ipam) {
    ipam.get_duration("coolDown", config.ipam.cool_down);
    ipam.get_duration("coolDownMin", config.ipam.cool_down_min);
    ipam.get_duration("wait", config.ipam.wait);
  });
  reader.object("bgp", [&](ObjectReader& bgp) { read_bgp(bgp, config.bgp); });
  reader.object("eni", [&](ObjectReader& eni) { read_eni(eni, config.eni); });
  reader.object("cni", [&](ObjectReader& cni) { read_cni(cni, config.cni); });
}

}  // namespace

std::string_view name(Mode mode) {
  return mode == Mode::kBgp ? "bgp" : "eni";
}

Result<AgentConfig> parse_agent_config(std::string_view text) {
  const Json json = TRY(context(parse_json(text), "agent configuration"));
  AgentConfig config;
  ObjectReader reader(&json, "");
  if (!reader.failed()) read_config(reader, config);
  TRY(reader.finish());
  TRY(check_agent_config(config));
  return config;
}

}  // namespace linsey::conf
