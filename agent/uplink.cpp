#include "agent/uplink.h"

#include <algorithm>

namespace linsey::agent {

Result<std::uint32_t> pod_mtu(netlink::Socket& socket,
                              const conf::AgentConfig& config,
                              const std::vector<IpAddr>& node_addresses) {
  if (config.mtu != 0) return config.mtu - config.mtu_headroom;
  if (node_addresses.empty()) {
    return make_error(Code::kNodeUnknown,
                      "the node object lists no InternalIP address");
  }
  const IpAddr& own = node_addresses.front();
  const std::vector<netlink::Address> all = TRY(socket.addresses());
  const auto found =
      std::ranges::find_if(all, [&](const netlink::Address& address) {
        return address.cidr.addr() == own;
      });
  if (found == all.end()) {
    return make_error(Code::kNodeUnknown,
                      "no link of this machine has the node's address {}; "
                      "correct the node object, or set mtu",
                      own.to_string());
  }
  const std::optional<netlink::Link> link =
      TRY(socket.find_link(found->link_index));
  if (!link) {
    return make_error(Code::kKernel, "the link with {} is gone",
                      own.to_string());
  }
  return link->mtu - std::min(config.mtu_headroom, link->mtu);
}

Result<std::vector<IpAddr>> sources_for(
    const std::vector<IpAddr>& addresses,
    const std::vector<IpAddr>& node_addresses) {
  std::vector<IpAddr> sources;
  for (const IpAddr& address : addresses) {
    const auto own =
        std::ranges::find(node_addresses, address.family(), &IpAddr::family);
    if (own == node_addresses.end()) {
      return make_error(Code::kNodeUnknown,
                        "the node object lists no IPv{} InternalIP address, "
                        "which the host's route to {} needs as its source",
                        address.is_v4() ? 4 : 6, address.to_string());
    }
    sources.push_back(*own);
  }
  return sources;
}

}  // namespace linsey::agent
