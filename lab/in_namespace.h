// Work inside a namespace. A lab's network namespace is held by a descriptor
// of the daemon (netlink::NetNs::create) and by the processes that run in it,
// and by nothing else: no file, no bind mount. When the daemon dies in any
// way its children die with it, and the kernel takes the namespace with all
// links, routes and rules. Named namespaces (/run/netns) were rejected because
// kill -9 leaves them.
//
// Bulk changes go through `ip -batch` and `nft -f`: a topology reads as the
// commands a person would type, and the daemon's own netlink code is not what
// the lab tests the agent against.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/ip.h"
#include "base/result.h"
#include "netlink/netns.h"

namespace linsey::lab {

/// A TCP socket that listens in the namespace, close-on-exec, not blocking.
Result<UniqueFd> listen_inside(const netlink::NetNs& ns, const IpAddr& address,
                               std::uint16_t port);

/// Writes each of `values` under /proc/sys/net: {"ipv4/ip_forward", "1"}.
Result<void> write_sysctls(
    const netlink::NetNs& ns,
    const std::vector<std::pair<std::string, std::string>>& values);

/// Feeds `lines` to `ip -batch -` in the namespace; stops at the first line
/// that fails. A line may name other namespaces by NetNs::path().
Result<void> ip_batch(const netlink::NetNs& ns, const std::string& lines);

/// Feeds `script` to `nft -f -` in the namespace: all of it or nothing.
Result<void> nft(const netlink::NetNs& ns, const std::string& script);

}  // namespace linsey::lab
