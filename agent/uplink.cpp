#include "agent/uplink.h"

#include <algorithm>
#include <set>
#include <utility>

#include "netlink/netns.h"
#include "netlink/sysctl_record.h"

namespace linsey::agent {
namespace {

Result<void> forward_ipv6(const std::string& link) {
  const Result<std::string> all =
      netlink::get_sysctl("net/ipv6/conf/all/forwarding");
  if (all && *all == "1") return {};
  Result<void> done = netlink::set_sysctl(
      fmt::format("net/ipv6/conf/{}/force_forwarding", link), "1");
  if (done || done.error().code != Code::kKernelFeatureMissing) return done;
  return make_error(Code::kKernelFeatureMissing,
                    "IPv6 is not forwarded from {} to pods, and the kernel has "
                    "no force_forwarding for single links; set "
                    "net.ipv6.conf.all.forwarding=1",
                    link);
}

Result<void> note_settings(netlink::SysctlRecord& record,
                           const std::string& link) {
  return record.note({fmt::format("net/ipv4/conf/{}/forwarding", link),
                      fmt::format("net/ipv6/conf/{}/force_forwarding", link)});
}

}  // namespace

Result<void> forward_from_uplinks(netlink::Socket& socket,
                                  const std::vector<IpAddr>& places,
                                  const std::string& record_file) {
  std::set<std::pair<int, Family>> links;
  for (const netlink::Address& address : TRY(socket.addresses())) {
    if (std::ranges::any_of(places, [&](const IpAddr& place) {
          return address.cidr.network().contains(place);
        })) {
      links.emplace(address.link_index, address.cidr.family());
    }
  }
  ErrorList errors;
  auto record = netlink::SysctlRecord::load(record_file);
  for (const auto& [index, family] : links) {
    const auto uplink = socket.find_link(index);
    if (uplink && *uplink) errors.add(note_settings(record, (*uplink)->name));
    if (family == Family::kV4) {
      netlink::Batch batch;
      batch.set_link(index, {.ipv4_forwarding = true});
      errors.add(context(socket.run(batch), "forward IPv4 to pods"));
      continue;
    }
    const auto link = socket.find_link(index);
    if (!link) errors.add(link.error());
    if (link && *link) errors.add(forward_ipv6((*link)->name));
  }
  return errors.result();
}

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
