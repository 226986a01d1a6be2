#include "agent/bgp_plan.h"

#include <algorithm>
#include <chrono>
#include <iterator>

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

bgp::Community community_of(const conf::Community& community) {
  return {community.global, community.first, community.second};
}

std::vector<bgp::Community> communities_of(
    const std::vector<conf::Community>& communities) {
  std::vector<bgp::Community> result;
  std::ranges::transform(communities, std::back_inserter(result), community_of);
  return result;
}

std::vector<bgp::Import> imports_of(
    const std::vector<conf::ImportRule>& rules) {
  std::vector<bgp::Import> result;
  std::ranges::transform(rules, std::back_inserter(result),
                         [](const conf::ImportRule& rule) -> bgp::Import {
                           return {rule.prefix, rule.ge, rule.le};
                         });
  return result;
}

bgp::LimitAction action_of(const std::string& word) {
  if (word == "warn") return bgp::LimitAction::kWarn;
  if (word == "block") return bgp::LimitAction::kBlock;
  if (word == "disable") return bgp::LimitAction::kDisable;
  return bgp::LimitAction::kRestart;
}

bgp::Bfd bfd_of(const conf::Bfd& bfd) {
  bgp::Bfd result;
  if (bfd.mode == "on") result.mode = bgp::BfdMode::kOn;
  if (bfd.mode == "graceful") result.mode = bgp::BfdMode::kGraceful;
  result.interval =
      std::chrono::duration_cast<std::chrono::milliseconds>(bfd.interval);
  result.multiplier = bfd.multiplier;
  return result;
}

bgp::Peer peer_of(const conf::BgpPeer& peer, std::uint32_t own_as) {
  using std::chrono::duration_cast;
  using std::chrono::seconds;
  bgp::Peer result{
      .name = peer.name,
      .address = peer.address,
      .port = peer.port,
      .as_number = peer.as_number == 0 ? own_as : peer.as_number,
      .password = {},
      .hold_time = duration_cast<seconds>(peer.hold_time),
      .keepalive_time = duration_cast<seconds>(peer.keepalive_time),
      .source_address = peer.source_address,
      .multihop = peer.multihop,
      .ttl_security = peer.ttl_security,
      .graceful_restart = peer.graceful_restart,
      .restart_time = duration_cast<seconds>(peer.restart_time),
      .long_lived = peer.long_lived_graceful_restart,
      .stale_time = duration_cast<seconds>(peer.stale_time),
      .bfd = bfd_of(peer.bfd),
      .families = peer.families,
      .extended_next_hop = peer.extended_next_hop,
      .next_hop_self = peer.next_hop_self,
      .allow_own_as = peer.allow_own_as,
      .announcement = {communities_of(peer.communities), peer.med, peer.prepend,
                       peer.local_preference},
      .max_prefixes = peer.max_prefixes,
      .max_prefix_action = action_of(peer.max_prefix_action),
      .imports = {}};
  if (peer.import) result.imports = imports_of(*peer.import);
  return result;
}

/// Services, VPC and nodes, whatever a block or an import rule says.
void set_guards(const conf::AgentConfig& config, bgp::Speaker& speaker) {
  speaker.never_imported = config.cidrs.services;
  for (const std::vector<Cidr>* list :
       {&config.cidrs.services, &config.cidrs.vpc, &config.cidrs.nodes}) {
    speaker.never_announced.insert(speaker.never_announced.end(), list->begin(),
                                   list->end());
  }
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

bgp::Announcement drain_announcement(const conf::Drain& drain) {
  return {communities_of(drain.communities), drain.med, 0, 0};
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
  set_guards(config, speaker);
  speaker.imports = imports_of(config.bgp.import);
  if (config.bgp.import.empty()) {
    for (const conf::Pool& pool : config.pools) {
      speaker.imports.push_back(bgp::import_of(pool.cidr));
    }
  }
  return plan;
}

}  // namespace linsey::agent
