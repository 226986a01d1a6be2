// Conntrack: makes the kernel forget connections of addresses that change
// hands, so that a new pod does not get (or NAT does not divert) packets of the
// old one's flows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>

#include "base/ip.h"
#include "base/result.h"

namespace linsey::netlink {

/// Which entries are stale.
struct Stale {
  /// As source or destination, in either direction.
  std::set<IpAddr> addresses;
  /// UDP flows to these ports: one that began before the port was mapped goes
  /// past the mapping for as long as it lives.
  std::set<std::uint16_t> udp_ports;

  bool empty() const { return addresses.empty() && udp_ports.empty(); }
};

/// Deletes the stale entries and returns how many those were. In the namespace
/// of the calling thread. Errors: kKernelFeatureMissing, kPermission, kKernel.
/// Cost: O(entries of the node): a worker's job, and one call for many.
Result<std::size_t> forget_connections(const Stale& stale);

}  // namespace linsey::netlink
