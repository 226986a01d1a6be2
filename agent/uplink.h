// Uplink: what the kernel says about the node's own addresses: which link
// carries them, how large a packet it takes, and that it forwards to pods.
#pragma once

#include <cstdint>
#include <string>
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

/// Lets what comes in on the uplinks go on to pods: links that carry one of
/// `places` (the node's addresses), or a network with one of them in it (BGP
/// peers). Per link, so that the machine does not become a router elsewhere;
/// IPv6 needs force_forwarding (6.17 and later) or forwarding of all links.
/// What the settings were is noted in `record_file` first (netlink/
/// sysctl_record.h). Errors: kKernel, kKernelFeatureMissing, kIo, kDiskFull.
Result<void> forward_from_uplinks(netlink::Socket& socket,
                                  const std::vector<IpAddr>& places,
                                  const std::string& record_file);

}  // namespace linsey::agent
