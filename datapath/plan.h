// Plan: what the network of one pod looks like, computed from what was asked
// and what was given; pure, and the same in both modes. ADD makes it true,
// CHECK compares it with the kernel, the agent repairs it, DEL removes it.
//
//   pod:  ADDR/32, ADDR/128; default via 169.254.1.1 / fe80::1, whose MAC is
//         a permanent neighbour entry, so nothing has to answer for them
//   host: route ADDR dev LINK src NODE, permanent neighbour for the pod;
//         with an EniPath: to ADDR lookup main, from ADDR lookup the ENI table
//
// Names, marks and numbers of the data path are defined here and nowhere else
// (docs/datapath.md explains them). proxy_arp was rejected: it answers for
// every address, late and at a cost for each lookup, and is one sysctl more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ipam/types.h"
#include "netlink/desired.h"

namespace linsey::datapath {

inline constexpr std::string_view kAliasPrefix = "linsey:";
inline constexpr std::uint32_t kMinMtu = 68;
inline constexpr std::uint32_t kMinMtuV6 = 1280;
inline constexpr std::uint32_t kMaxMtu = 65535;
inline constexpr std::uint32_t kUsualMtu = 1500;
/// In a pod, tables of interfaces other than eth0 start here, and so that each
/// answers through itself a rule of this priority leads to its table.
inline constexpr std::uint32_t kPodTableBase = 10000;
inline constexpr std::uint32_t kPodRulePriority = 2048;
/// Metric of their routes in the pod's main table: behind eth0's.
inline constexpr std::uint32_t kPodMetricBase = 1024;
/// Groups of links that are being made: a bit that no tool takes for a sign,
/// and 30 bits of the owner's key.
inline constexpr std::uint32_t kBirthGroups = 0x40000000;

/// Token buckets of the `bandwidth` capability, both made on the host.
struct Shaping {
  std::optional<netlink::Tbf> to_pod = {};  // root of the host link
  std::optional<netlink::Tbf> from_pod =
      {};                     // root of an ifb fed by the host link
  std::string ifb_name = {};  // of from_pod

  bool operator==(const Shaping&) const = default;
};

struct Plan {
  ipam::AttachmentKey key;
  netlink::Desired host;
  netlink::Desired pod;
  /// Device group of a link that is being made: tells a half-made link's owner
  /// until the last batch gives it the alias and group 0.
  std::uint32_t birth_group = 0;
  Shaping shaping;

  bool operator==(const Plan&) const = default;
};

/// Computes the plan. Errors: kInvalidNetworkConfig for an MTU out of range,
/// a name that is no interface name, rates that contradict each other;
/// kInternal for an allocation without an address, or with two of a family.
Result<Plan> make_plan(const ipam::Attachment& attachment,
                       const ipam::Allocation& allocation);

/// The part of the plan that needs no allocation: names, marks, MACs, and an
/// MTU that is the wish or a guess. Errors: kInvalidNetworkConfig.
Result<Plan> plan_pair(const ipam::Attachment& attachment);

/// The text of golden files and `linseyctl`: one fact a line.
std::string to_text(const Plan& plan);

/// eth0 of a named pod: "cali" + 11 hex of SHA-1("ns.pod"), the name Felix
/// expects; eth0 without a pod name: "cali" + 11 of the container id; every
/// other interface: "lin" + 12 hex of SHA-1 over the whole key.
std::string host_link_name(const ipam::AttachmentKey& key,
                           const ipam::Pod& pod);
std::string ifb_name(const ipam::AttachmentKey& key);
/// "linsey:CONTAINER:IFNAME", the owner mark in IFLA_IFALIAS; for an id of
/// more than 200 bytes "~" and its SHA-1 stand for it.
std::string alias_of(const ipam::AttachmentKey& key);
std::uint32_t birth_group(const ipam::AttachmentKey& key);

/// The bucket for a rate and burst in bits; rate 0: nullopt. The burst is at
/// most one second of the rate (the runtimes' default of 2^32-1 bits would let
/// minutes of traffic pass unshaped) and 256 MiB, at least one packet of `mtu`
/// bytes; a burst of 0 becomes 20 ms of the rate, at least 16 KiB. Nothing
/// wraps. Errors: kInvalidNetworkConfig for a burst without a rate, a rate
/// below 1 byte/s, a burst of 2^32-1 bytes or more.
Result<std::optional<netlink::Tbf>> make_tbf(std::uint64_t rate_bits,
                                             std::uint64_t burst_bits,
                                             std::uint32_t mtu);

}  // namespace linsey::datapath
