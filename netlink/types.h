// What the kernel knows, as plain structs with ==. Addresses are ours, indices
// are of the namespace the Socket belongs to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ip.h"

namespace linsey::netlink {

/// Kernel route protocol and rule protocol number that marks what is ours.
/// Chosen outside rt_protos' registered names; docs/datapath.md lists it.
inline constexpr std::uint8_t kProtocol = 80;
/// Device group of links whose pod is being deleted (see docs/datapath.md).
inline constexpr std::uint32_t kDyingGroup = 0x11e5;

inline constexpr std::uint32_t kMainTable = 254;

struct Link {
  int index = 0;
  std::string name = {};
  std::string kind = {};   // "veth", "ifb", …; empty for hardware
  std::string alias = {};  // IFLA_IFALIAS
  Mac mac;
  std::uint32_t mtu = 0;
  bool up = false;       // IFF_UP
  bool running = false;  // IFF_LOWER_UP
  std::uint32_t group = 0;
  int peer_index = 0;  // IFLA_LINK: the veth peer's, in its own namespace
  int master_index = 0;

  bool operator==(const Link&) const = default;
};

struct Address {
  int link_index = 0;
  Cidr cidr;
  bool no_prefix_route = false;
  bool tentative = false;  // IPv6 duplicate detection still runs

  bool operator==(const Address&) const = default;
};

enum class RouteType : std::uint8_t { kUnicast, kBlackhole };
enum class Scope : std::uint8_t { kGlobal = 0, kLink = 253, kHost = 254 };

struct Route {
  Cidr dst;  // 0.0.0.0/0 or ::/0 for a default route
  RouteType type = RouteType::kUnicast;
  int link_index = 0;  // 0 for blackhole
  std::optional<IpAddr> gateway = {};
  bool onlink = false;
  std::optional<IpAddr> src = {};
  Scope scope = Scope::kGlobal;
  std::uint32_t table = kMainTable;
  std::uint8_t protocol = kProtocol;
  std::uint32_t priority = 0;
  std::uint32_t mtu = 0;

  bool operator==(const Route&) const = default;
};

struct Rule {
  Family family = Family::kV4;
  std::uint32_t priority = 0;
  std::optional<Cidr> from = {};
  std::optional<Cidr> to = {};
  std::string iif = {};
  std::uint32_t table = kMainTable;
  std::uint8_t protocol = kProtocol;
  std::uint32_t mark = 0;  // of the packet, under the mask
  std::uint32_t mark_mask = 0;

  bool operator==(const Rule&) const = default;
};

/// Token bucket filter, in bytes and bytes per second.
struct Tbf {
  std::uint64_t rate = 0;
  std::uint32_t burst = 0;
  std::uint32_t limit = 0;  // bytes that may wait

  bool operator==(const Tbf&) const = default;
};

struct Qdisc {
  int link_index = 0;
  std::string kind = {};  // "tbf", "ingress", "noqueue", …
  std::uint32_t handle = 0;
  std::uint32_t parent = 0;
  std::optional<Tbf> tbf = {};

  bool operator==(const Qdisc&) const = default;
};

struct Neighbor {
  int link_index = 0;
  IpAddr addr;
  Mac mac;
  bool permanent = true;

  bool operator==(const Neighbor&) const = default;
};

}  // namespace linsey::netlink
