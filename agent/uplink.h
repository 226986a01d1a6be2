// Uplink: what the kernel says about the node's own addresses: which link
// carries them and how large a packet it takes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "conf/agent_config.h"
#include "netlink/socket.h"

namespace linsey::agent {

/// The MTU for pods: config.mtu, or that of the link that has the first of
/// `node_addresses`, less config.mtuHeadroom. Errors: kNodeUnknown when no
/// link has it, kKernel.
Result<std::uint32_t> pod_mtu(netlink::Socket& socket,
                              const conf::AgentConfig& config,
                              const std::vector<IpAddr>& node_addresses);

/// `src` of the host routes for pods with `addresses`: the node's first address
/// of each family, in the same order. Errors: kNodeUnknown naming the family.
Result<std::vector<IpAddr>> sources_for(
    const std::vector<IpAddr>& addresses,
    const std::vector<IpAddr>& node_addresses);

}  // namespace linsey::agent
