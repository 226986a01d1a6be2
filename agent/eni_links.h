// EniLinks: the kernel's side of secondary interfaces. An interface that the
// cloud attached shows up as a link with its MAC; here it gets what pods on it
// need: up, MTU, forwarding and loose reverse-path filter for this link alone,
// and a routing table of its own whose default route leads to the gateway of
// its vSwitch. It gets no address: its addresses are the pods'.
//
// The table is table_base + the link's index, so two interfaces never share
// one and a restart finds the same. The primary interface is never touched.
// Thread: the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "agent/loop.h"
#include "base/ip.h"
#include "base/result.h"
#include "netlink/monitor.h"
#include "netlink/socket.h"

namespace linsey::agent {

/// What an interface's link should look like.
struct EniLink {
  Mac mac;
  std::uint32_t mtu = 0;  // 0: as it is
  std::uint32_t table_base = 1000;
  /// Further tables to fill: those that rules of running pods name since
  /// before the interface was detached and came back as another link.
  std::set<std::uint32_t> more_tables = {};
  IpAddr gateway;
  std::optional<IpAddr> gateway6;
  std::string record_file;  // where earlier settings are noted; empty: nowhere
};

/// A link that is as it should be.
struct EniPlace {
  int link_index = 0;
  std::string link_name;
  std::uint32_t table = 0;

  bool operator==(const EniPlace&) const = default;
};

class EniLinks {
 public:
  /// In the namespace of the calling thread. `on_change` is called from the
  /// loop when links came, went, changed name or went down, or when routes were
  /// removed, with their tables. Errors: kKernel.
  static Result<std::unique_ptr<EniLinks>> start(
      Loop& loop,
      std::function<void(const std::set<std::uint32_t>& tables)> on_change);
  ~EniLinks();
  EniLinks(const EniLinks&) = delete;
  EniLinks& operator=(const EniLinks&) = delete;

  /// Makes it so; what is so already stays. nullopt: there is no such link
  /// yet. Errors: kKernel naming the step, kPermission.
  Result<std::optional<EniPlace>> set_up(const EniLink& wanted);

  /// The link with this MAC; nullopt: no such link.
  Result<std::optional<netlink::Link>> find(const Mac& mac);

 private:
  EniLinks(Loop& loop, netlink::Socket socket, netlink::Monitor monitor);

  Loop& loop_;
  netlink::Socket socket_;
  netlink::Monitor monitor_;
};

}  // namespace linsey::agent
