// What a link is to be: how Batch is told of links to make and to change.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "netlink/types.h"

namespace linsey::netlink {

/// A link by index or by name. In a batch, names reach a link that an earlier
/// request of the same batch made.
struct LinkRef {
  // NOLINTNEXTLINE(google-explicit-constructor): either is a reference.
  LinkRef(int link_index) : index(link_index) {}
  // NOLINTNEXTLINE(google-explicit-constructor): either is a reference.
  LinkRef(std::string link_name) : name(std::move(link_name)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): either is a reference.
  LinkRef(const char* link_name) : name(link_name) {}
  int index = 0;
  std::string name = {};
};

/// The other end of a veth pair.
struct PeerSpec {
  std::string name = {};
  std::optional<Mac> mac = {};
  int netns_fd = -1;  // -1: same namespace
};

/// A link to be made. MACs are set in the request itself: udev gives new links
/// another one otherwise. veth ends get one queue a direction each.
struct LinkSpec {
  std::string name = {};
  std::string kind = {};  // veth, ifb, bridge, macvlan, ...
  std::optional<Mac> mac = {};
  std::uint32_t mtu = 0;  // 0: the kernel's
  std::uint32_t group = 0;
  bool up = false;
  int lower_index = 0;  // macvlan: the link below
  int netns_fd = -1;    // where it is to appear; -1: the socket's namespace
  std::optional<PeerSpec> peer = {};  // veth only; has the same MTU
};

/// What to change; what is not set stays.
struct LinkChange {
  std::optional<bool> up = {};
  std::optional<std::uint32_t> mtu = {};
  std::optional<Mac> mac = {};
  std::optional<std::string> name = {};
  std::optional<std::string> alias = {};
  std::optional<std::uint32_t> group = {};
  std::optional<int> master_index = {};  // 0: none
  std::optional<int> netns_fd = {};
  std::optional<bool> rp_filter_strict = {};  // true 1, false 2 (loose)
  std::optional<bool> ipv4_forwarding = {};   // of this link alone
  std::optional<bool> route_localnet = {};    // 127.0.0.0/8 may pass it
  bool no_auto_link_local = false;            // IPv6 addr_gen_mode none
};

}  // namespace linsey::netlink
