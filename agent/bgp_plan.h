// What the configuration says about this node's blocks and BGP sessions. Pure:
// configuration and node in, values out; BlockSupplier carries it out.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "bgp/bird_config.h"
#include "conf/agent_config.h"
#include "conf/node.h"

namespace linsey::agent {

struct BlockPlan {
  std::vector<Cidr> ours;      // addresses may be given from them
  std::vector<Cidr> others;    // blocks of other nodes: never announced here
  std::vector<Error> refused;  // why a block of this node is not used
};

/// A block is ours when it is assigned to this node and its pool is enabled
/// and selects it; parse_agent_config has proven the rest.
BlockPlan plan_blocks(const conf::AgentConfig& config, const conf::Node& node);

/// What is said of routes while the node drains.
bgp::Announcement drain_announcement(const conf::Drain& drain);

struct SpeakerPlan {
  bgp::Speaker speaker;  // passwords are still empty
  std::map<std::string, std::string> password_files;  // by peer name
};

/// The sessions of this node and what it announces. Errors: kNodeUnknown when
/// the node has no address, kInvalidConfig when it needs a router id.
Result<SpeakerPlan> plan_speaker(const conf::AgentConfig& config,
                                 const conf::Node& node,
                                 const std::vector<Cidr>& announced);

}  // namespace linsey::agent
