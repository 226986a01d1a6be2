// What one key alone cannot tell: contradictions between the parts of a sound
// document. Each check walks one part and returns at its first finding.
#include <algorithm>
#include <bit>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include "base/json.h"
#include "conf/agent_config.h"
#include "conf/cidr_plan.h"

namespace linsey::conf {
namespace {

template <typename... Args>
Error bad(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(Code::kInvalidConfig, format, std::forward<Args>(args)...);
}

/// Names must differ, since messages, metrics and BIRD name things by them.
template <typename T>
Result<void> check_names(std::string_view list, const std::vector<T>& items) {
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto [first, is_new] = seen.emplace(items[i].name, i);
    if (!is_new) {
      return bad(
          "/{}/{}/name: \"{}\" is the name of /{}/{} already; give each "
          "its own",
          list, i, items[i].name, list, first->second);
    }
  }
  return {};
}

Result<void> check_modes(const AgentConfig& config) {
  TRY(check_names("modes", config.modes));
  for (std::size_t i = 0; i < config.modes.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!(config.modes[i].selector == config.modes[j].selector)) continue;
      return bad(
          "/modes/{}/selector: selects the same nodes as /modes/{} "
          "(\"{}\"); every node must be selected by exactly one rule, "
          "remove one of the two",
          i, j, config.modes[j].name);
    }
  }
  return {};
}

struct BlockBounds {
  unsigned low;   // shortest prefix: most addresses
  unsigned high;  // longest
};

/// The ledger holds a row for each address of a block, so blocks stay small.
BlockBounds block_bounds(Family family) {
  return family == Family::kV4 ? BlockBounds{20, 32} : BlockBounds{116, 128};
}

Result<void> check_pools(const AgentConfig& config) {
  TRY(check_names("pools", config.pools));
  for (std::size_t i = 0; i < config.pools.size(); ++i) {
    const Pool& pool = config.pools[i];
    const BlockBounds bounds = block_bounds(pool.cidr.family());
    if (pool.block_size < bounds.low || pool.block_size > bounds.high) {
      return bad("/pools/{}/blockSize: must lie in {}..{} for {}, is {}", i,
                 bounds.low, bounds.high, pool.cidr.to_string(),
                 pool.block_size);
    }
    if (pool.block_size < pool.cidr.prefix_len()) {
      return bad(
          "/pools/{}/blockSize: a /{} block does not fit into {}; set "
          "blockSize to {} or more",
          i, pool.block_size, pool.cidr.to_string(),
          std::max(bounds.low, pool.cidr.prefix_len()));
    }
  }
  return {};
}

void add_networks(std::vector<NamedNetwork>& out, NetworkKind kind,
                  const std::vector<Cidr>& cidrs) {
  for (std::size_t i = 0; i < cidrs.size(); ++i) {
    out.push_back(
        {kind, "", fmt::format("/cidrs/{}/{}", name(kind), i), cidrs[i]});
  }
}

Result<void> check_networks(const AgentConfig& config) {
  std::vector<NamedNetwork> networks;
  for (std::size_t i = 0; i < config.pools.size(); ++i) {
    networks.push_back({NetworkKind::kPool, config.pools[i].name,
                        fmt::format("/pools/{}/cidr", i),
                        config.pools[i].cidr});
  }
  add_networks(networks, NetworkKind::kServices, config.cidrs.services);
  add_networks(networks, NetworkKind::kVpc, config.cidrs.vpc);
  add_networks(networks, NetworkKind::kDataCentre, config.cidrs.data_centre);
  add_networks(networks, NetworkKind::kNodes, config.cidrs.nodes);
  return check_plan(networks);
}

struct PlacedBlock {
  std::string where;
  Cidr cidr;
};

Result<void> check_block(const AgentConfig& config, const PlacedBlock& block) {
  const BlockBounds bounds = block_bounds(block.cidr.family());
  if (block.cidr.prefix_len() < bounds.low) {
    return bad("{}: {} is larger than a /{}; split it", block.where,
               block.cidr.to_string(), bounds.low);
  }
  const bool inside = std::ranges::any_of(config.pools, [&](const Pool& pool) {
    return pool.cidr.contains(block.cidr);
  });
  if (!inside) {
    return bad("{}: {} lies in no pool; take it from a network under pools",
               block.where, block.cidr.to_string());
  }
  return {};
}

Result<void> check_blocks(const AgentConfig& config) {
  if (config.blocks.source == "cluster" && !config.blocks.assignments.empty()) {
    return bad(
        "/blocks/assignments: is set while /blocks/source is "
        "\"cluster\"; remove one of the two");
  }
  if (config.blocks.source == "cluster" && config.kubernetes.source == "off") {
    return bad(
        "/blocks/source: is \"cluster\", but /kubernetes/source is \"off\"; "
        "say there how the API server is reached");
  }
  std::vector<PlacedBlock> blocks;
  for (const auto& [node, cidrs] : config.blocks.assignments) {
    for (std::size_t i = 0; i < cidrs.size(); ++i) {
      blocks.push_back(
          {fmt::format("/blocks/assignments/{}/{}", pointer_token(node), i),
           cidrs[i]});
    }
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    TRY(check_block(config, blocks[i]));
    for (std::size_t j = 0; j < i; ++j) {
      if (!blocks[i].cidr.overlaps(blocks[j].cidr)) continue;
      return bad("{}: {} overlaps {} at {}; a block belongs to one node, once",
                 blocks[i].where, blocks[i].cidr.to_string(),
                 blocks[j].cidr.to_string(), blocks[j].where);
    }
  }
  return {};
}

Result<void> check_id(std::string_view where, const std::string& id) {
  const auto odd = [](char c) { return c <= ' ' || c == '"' || c == ','; };
  if (!id.empty() && std::ranges::none_of(id, odd)) return {};
  return bad("{}: \"{}\" is no resource id; copy it from the cloud console",
             where, id);
}

Result<void> check_zones(const Eni& eni) {
  std::map<std::string, std::string> seen;  // vSwitch -> where
  for (const auto& [zone, entry] : eni.zones) {
    const std::string base =
        fmt::format("/eni/zones/{}/vSwitches", pointer_token(zone));
    if (zone.empty() || entry.v_switches.empty()) {
      return bad(
          "{}: zone \"{}\" has no pod vSwitch; list at least one or "
          "remove the zone",
          base, zone);
    }
    for (std::size_t i = 0; i < entry.v_switches.size(); ++i) {
      const std::string where = fmt::format("{}/{}", base, i);
      TRY(check_id(where, entry.v_switches[i]));
      const auto [first, is_new] = seen.emplace(entry.v_switches[i], where);
      if (is_new) continue;
      return bad("{}: {} is listed at {} already; a vSwitch lies in one zone",
                 where, entry.v_switches[i], first->second);
    }
  }
  return {};
}

Result<void> check_eni_groups(const Eni& eni) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < eni.security_groups.size(); ++i) {
    const std::string where = fmt::format("/eni/securityGroups/{}", i);
    TRY(check_id(where, eni.security_groups[i]));
    if (!seen.insert(eni.security_groups[i]).second) {
      return bad("{}: {} is listed twice; remove one", where,
                 eni.security_groups[i]);
    }
  }
  for (const auto& [key, value] : eni.tags) {
    if (!key.empty() && !key.starts_with("aliyun") &&
        !key.starts_with("acs:")) {
      continue;
    }
    return bad(
        "/eni/tags/{}: the cloud refuses empty tag keys and those that "
        "begin with \"aliyun\" or \"acs:\"; rename it",
        pointer_token(key));
  }
  return {};
}

Result<void> check_eni(const AgentConfig& config) {
  const Eni& eni = config.eni;
  TRY(check_zones(eni));
  TRY(check_eni_groups(eni));
  if (eni.pool.min_idle > eni.pool.max_idle) {
    return bad(
        "/eni/pool/minIdle: {} is more than maxIdle {}; lower one or "
        "raise the other",
        eni.pool.min_idle, eni.pool.max_idle);
  }
  if (eni.rules.to_pod_priority >= eni.rules.from_pod_priority) {
    return bad(
        "/eni/rules/toPodPriority: {} must be less than "
        "fromPodPriority {}, so that traffic to pods is looked up first",
        eni.rules.to_pod_priority, eni.rules.from_pod_priority);
  }
  if (std::popcount(eni.rules.return_mark) > 1) {
    return bad(
        "/eni/rules/returnMark: {} is more than one bit; give a power "
        "of two that nothing else on the node uses, or 0",
        eni.rules.return_mark);
  }
  if (eni.rules.return_priority >= eni.rules.from_pod_priority) {
    return bad(
        "/eni/rules/returnPriority: {} must be less than fromPodPriority {}, "
        "so that it is asked before the pod's own table",
        eni.rules.return_priority, eni.rules.from_pod_priority);
  }
  if (!eni.zones.empty() && !eni.credentials.ram_role &&
      eni.credentials.key_file.empty()) {
    return bad(
        "/eni/credentials: ramRole is false and keyFile is empty while "
        "zones are listed; set one of the two");
  }
  return {};
}

Result<void> check_times(const AgentConfig& config) {
  if (config.ipam.cool_down_min > config.ipam.cool_down) {
    return bad("/ipam/coolDownMin: {} is more than coolDown {}",
               format_duration(config.ipam.cool_down_min),
               format_duration(config.ipam.cool_down));
  }
  if (config.ipam.wait >= std::chrono::seconds(60)) {
    return bad(
        "/ipam/wait: must be less than 60s, is {}; the runtime gives a "
        "sandbox up before the agent would answer",
        format_duration(config.ipam.wait));
  }
  for (const auto& [where, value] :
       {std::pair("/ipam/wait", config.ipam.wait),
        std::pair("/evidence/timeout", config.evidence.timeout),
        std::pair("/eni/callTimeout", config.eni.call_timeout),
        std::pair("/eni/pool/checkEvery", config.eni.pool.check_every)}) {
    if (value < std::chrono::milliseconds(1)) {
      return bad("{}: must be more than 0", where);
    }
  }
  return {};
}

/// "127.0.0.1:9479" or "[::1]:9479": addresses only, since a name would have
/// to be looked up before the node's network works.
bool is_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const Result<IpAddr> address = IpAddr::parse(host);
  if (!address || bracketed == address->is_v4()) return false;
  const std::string_view port = text.substr(colon + 1);
  unsigned number = 0;
  const auto [end, error] =
      std::from_chars(port.data(), port.data() + port.size(), number);
  return error == std::errc() && end == port.data() + port.size() &&
         number >= 1 && number <= 65535;
}

Result<void> check_places(const AgentConfig& config) {
  if (!config.metrics_listen.empty() && !is_endpoint(config.metrics_listen)) {
    return bad(
        "/metricsListen: \"{}\" is no ADDRESS:PORT; write for example "
        "127.0.0.1:9479 or [::1]:9479",
        config.metrics_listen);
  }
  if (config.bgp.bird.binary.empty()) {
    return bad("/bgp/bird/binary: is empty; write \"bird\" or a path");
  }
  return {};
}

/// Runtimes take every .conflist and .conf of the directory, by name.
Result<void> check_cni(const AgentConfig& config) {
  const std::string& file = config.cni.conflist;
  if (file.ends_with(".conflist") && file.find('/') == std::string::npos &&
      !file.starts_with('.')) {
    return {};
  }
  return bad(
      "/cni/conflist: \"{}\" is no file name that runtimes take; write "
      "a name that ends in .conflist",
      file);
}

/// IPv6 needs 1280 and pods may get it at any time, so smaller is refused.
Result<void> check_mtu(const AgentConfig& config) {
  constexpr std::uint32_t kLeast = 1280;
  if (config.mtu == 0 || config.mtu >= kLeast + config.mtu_headroom) return {};
  return bad(
      "/mtu: {} less mtuHeadroom {} leaves pods less than the {} that "
      "IPv6 needs; raise mtu, or set it to 0 for that of the uplink",
      config.mtu, config.mtu_headroom, kLeast);
}

}  // namespace

Result<void> check_agent_config(const AgentConfig& config) {
  TRY(check_places(config));
  TRY(check_modes(config));
  TRY(check_pools(config));
  TRY(check_networks(config));
  TRY(check_blocks(config));
  TRY(check_bgp(config));
  TRY(check_eni(config));
  TRY(check_times(config));
  TRY(check_cni(config));
  return check_mtu(config);
}

}  // namespace linsey::conf
