// Prober: asks in one sweep who reaches whom. Every endpoint listens on TCP
// in its own namespace and answers with its name, so that a connection that
// ended in the wrong pod is seen; every endpoint pings every other one through
// a raw ICMP socket. All sockets of all namespaces are served by one poll
// loop: 240 pairs take as long as the slowest one. Sockets are opened by
// short-lived threads inside the namespaces and stay there; no process runs in
// a pod. IPv4 and IPv6.
// Thread: any; holds nothing but sockets for the time of one call.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "netlink/netns.h"

namespace linsey::lab {

struct Endpoint {
  std::string name;
  std::vector<IpAddr> addresses;
  netlink::NetNs ns;
};

struct Probe {
  std::string from;
  std::string to;
  IpAddr address;  // of `to`
  bool icmp = false;
  bool tcp = false;
  std::chrono::microseconds icmp_time{};
  std::chrono::microseconds tcp_time{};
  std::string error;  // of TCP: what the kernel said, or who answered instead

  bool ok() const { return icmp && tcp; }
};

struct SweepOptions {
  std::uint16_t port = 7946;
  std::chrono::milliseconds limit{4000};  // of one round
  /// Each probe has a socket; a matrix of hundreds of pods takes rounds.
  std::size_t at_once = 4096;
};

/// Probes each pair of endpoints in both directions, all addresses of each.
/// Pairs that do not answer within the limit are reported as failed. Errors:
/// kKernel when a socket cannot be made or a port is taken.
Result<std::vector<Probe>> sweep(const std::vector<Endpoint>& endpoints,
                                 const SweepOptions& options = {});

}  // namespace linsey::lab
