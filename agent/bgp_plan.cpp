#include "agent/bgp_plan.h"

#include <algorithm>
#include <chrono>

namespace linsey::agent {
namespace {

std::optional<Error> refusal(const conf::AgentConfig& config,
                             const conf::Node& node, const Cidr& block) {
  for (const conf::Pool& pool : config.pools) {
    if (!pool.cidr.contains(block)) continue;
    if (pool.disabled) {
      return make_error(Code::kInvalidConfig,
                        "block {} is of pool \"{}\", which is disabled",
                        block.to_string(), pool.name);
    }
    if (!pool.node_selector.matches(node.labels)) {
      return make_error(
          Code::kInvalidConfig,
          "block {} is of pool \"{}\", whose nodeSelector \"{}\" does not "
          "select node {}; label the node or assign it another block",
          block.to_string(), pool.name, pool.node_selector.text(), node.name);
    }
    return std::nullopt;
  }
  return make_error(Code::kInvalidConfig, "block {} lies in no pool",
                    block.to_string());
}

std::vector<IpAddr> first_of_each_family(const std::vector<IpAddr>& addresses) {
  std::vector<IpAddr> result;
  for (const Family family : kFamilies) {
    const auto found = std::ranges::find(addresses, family, &IpAddr::family);
    if (found != addresses.end()) result.push_back(*found);
  }
  return result;
}

std::uint32_t as_number_of(const conf::Bgp& bgp, const conf::Node& node) {
  for (const conf::AsRule& rule : bgp.as_numbers) {
    if (rule.node_selector.matches(node.labels)) return rule.as_number;
  }
  return bgp.as_number;
}

bgp::Peer peer_of(const conf::BgpPeer& peer, std::uint32_t own_as) {
  using std::chrono::duration_cast;
  using std::chrono::seconds;
  return {.name = peer.name,
          .address = peer.address,
          .port = peer.port,
          .as_number = peer.as_number == 0 ? own_as : peer.as_number,
          .password = {},
          .hold_time = duration_cast<seconds>(peer.hold_time),
          .keepalive_time = duration_cast<seconds>(peer.keepalive_time),
          .source_address = peer.source_address,
          .multihop = peer.multihop,
          .graceful_restart = peer.graceful_restart};
}

Result<IpAddr> router_id_of(const conf::AgentConfig& config,
                            const conf::Node& node,
                            const std::vector<IpAddr>& addresses) {
  if (config.bgp.router_id) return *config.bgp.router_id;
  if (addresses.empty()) {
    return make_error(Code::kNodeUnknown,
                      "node {} has no address to speak BGP "
                      "from",
                      node.name);
  }
  if (addresses.front().is_v4()) return addresses.front();
  return make_error(Code::kInvalidConfig,
                    "node {} has no IPv4 address, so BGP needs bgp.routerId",
                    node.name);
}

}  // namespace

BlockPlan plan_blocks(const conf::AgentConfig& config, const conf::Node& node) {
  BlockPlan plan;
  for (const auto& [name, blocks] : config.blocks.assignments) {
    for (const Cidr& block : blocks) {
      if (name != node.name) {
        plan.others.push_back(block);
      } else if (const auto why = refusal(config, node, block)) {
        plan.refused.push_back(*why);
      } else {
        plan.ours.push_back(block);
      }
    }
  }
  return plan;
}

Result<SpeakerPlan> plan_speaker(const conf::AgentConfig& config,
                                 const conf::Node& node,
                                 const std::vector<Cidr>& announced) {
  SpeakerPlan plan;
  bgp::Speaker& speaker = plan.speaker;
  speaker.node_addresses = first_of_each_family(node.addresses);
  speaker.router_id = TRY(router_id_of(config, node, speaker.node_addresses));
  speaker.as_number = as_number_of(config.bgp, node);
  speaker.listen_port = config.bgp.listen_port;
  speaker.blocks = announced;
  for (const conf::BgpPeer& peer : config.bgp.peers) {
    if (!peer.node_selector.matches(node.labels)) continue;
    speaker.peers.push_back(peer_of(peer, speaker.as_number));
    if (!peer.password_file.empty()) {
      plan.password_files[peer.name] = peer.password_file;
    }
  }
  for (const Cidr& prefix : config.bgp.import) {
    speaker.imports.push_back(bgp::import_of(prefix));
  }
  if (config.bgp.import.empty()) {
    for (const conf::Pool& pool : config.pools) {
      speaker.imports.push_back(bgp::import_of(pool.cidr));
    }
  }
  return plan;
}

}  // namespace linsey::agent
