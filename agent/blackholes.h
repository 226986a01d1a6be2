// Blackhole routes for the node's blocks: a packet to an address that no pod
// has ends here, instead of going back to the router that sent it, round and
// round. The agent makes them itself, under our protocol number, so that they
// are there before BIRD is and stay when it is not.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "netlink/socket.h"

namespace linsey::agent {

/// Worse than any pod's route, since a block may be one address: the pod's
/// host route has the same destination then and must win.
inline constexpr std::uint32_t kBlackholePriority = 10000;

/// Makes the blackhole routes of ours in the main table exactly `blocks`.
/// Routes of others are not looked at. Errors: kKernel, kPermission.
Result<void> set_blackholes(netlink::Socket& socket,
                            const std::vector<Cidr>& blocks);

}  // namespace linsey::agent
