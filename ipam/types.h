// The shared words: what is attached, what it was given. Plain structs that
// may be named anywhere above ipam; no behaviour lives here.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"

namespace linsey::ipam {

/// The key of everything: CNI specification 1.1.0, "attachment".
struct AttachmentKey {
  std::string network;
  std::string container_id;
  std::string ifname;

  auto operator<=>(const AttachmentKey&) const = default;
};

/// Who it is for; from CNI_ARGS K8S_POD_*. Empty outside Kubernetes.
struct Pod {
  std::string name_space;
  std::string name = {};
  std::string uid;

  bool operator==(const Pod&) const = default;
};

/// The `bandwidth` capability; bits per second and bits, 0 = not set.
struct Bandwidth {
  std::uint64_t ingress_rate = 0;
  std::uint64_t ingress_burst = 0;
  std::uint64_t egress_rate = 0;
  std::uint64_t egress_burst = 0;

  bool operator==(const Bandwidth&) const = default;
};

/// One entry of the `portMappings` capability.
struct PortMapping {
  std::uint16_t host_port = 0;
  std::uint16_t container_port = 0;
  std::string protocol = "tcp";        // tcp, udp, sctp
  std::optional<IpAddr> host_ip = {};  // nullopt: every address of the host

  bool operator==(const PortMapping&) const = default;
};

/// What the runtime asks for.
struct Attachment {
  AttachmentKey key;
  Pod pod;
  std::string netns;               // CNI_NETNS as given
  std::vector<IpAddr> wanted_ips;  // at most one for each family
  std::optional<Mac> wanted_mac = {};
  std::optional<std::uint32_t> wanted_mtu = {};
  Bandwidth bandwidth;
  std::vector<PortMapping> port_mappings;

  bool operator==(const Attachment&) const = default;
};

/// How packets of a pod on a secondary ENI are routed.
struct EniPath {
  std::string eni_id;
  std::uint32_t table = 0;                 // the ENI's routing table
  std::uint32_t to_pod_priority = 512;     // rule: to POD lookup main
  std::uint32_t from_pod_priority = 2048;  // rule: from POD lookup `table`

  bool operator==(const EniPath&) const = default;
};

/// What an attachment was given. Everything the plan needs and nothing more.
struct Allocation {
  std::vector<IpAddr> addresses;       // one for each family, IPv4 first
  std::vector<IpAddr> node_addresses;  // `src` of the host routes, by family
  std::uint32_t mtu = 1500;
  std::optional<EniPath> eni = {};  // set in eni mode only
  std::string source;               // block CIDR, or "vsw-…/eni-…"

  bool operator==(const Allocation&) const = default;
};

/// The ledger's row of one held attachment.
struct Held {
  Attachment attachment;
  Allocation allocation;

  bool operator==(const Held&) const = default;
};

}  // namespace linsey::ipam
