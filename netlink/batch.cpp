#include "netlink/batch.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <cerrno>

#include "netlink/message.h"

namespace linsey::netlink {
namespace {

std::string to_string(const LinkRef& link) {
  return link.name.empty() ? fmt::format("#{}", link.index) : link.name;
}

void put_ref(nl_msg* message, const LinkRef& link) {
  if (link.index == 0) put_string(message, IFLA_IFNAME, link.name);
}

void put_common(nl_msg* message, const std::string& name,
                const std::optional<Mac>& mac, std::uint32_t mtu) {
  put_string(message, IFLA_IFNAME, name);
  if (mac) put_mac(message, IFLA_ADDRESS, *mac);
  if (mtu != 0) put(message, IFLA_MTU, mtu);
}

/// One queue: the kernel makes one for each possible CPU otherwise, and each
/// costs 0.1 ms and a sysfs directory.
void put_one_queue(nl_msg* message) {
  put(message, IFLA_NUM_TX_QUEUES, std::uint32_t{1});
  put(message, IFLA_NUM_RX_QUEUES, std::uint32_t{1});
}

void put_peer(nl_msg* message, const PeerSpec& peer, std::uint32_t mtu) {
  const Nest data(message, IFLA_INFO_DATA);
  const Nest info(message, VETH_INFO_PEER);
  put_header(message, ifinfomsg{});
  put_common(message, peer.name, peer.mac, mtu);
  put_one_queue(message);
  if (peer.netns_fd >= 0) put(message, IFLA_NET_NS_FD, peer.netns_fd);
}

void put_kind(nl_msg* message, const LinkSpec& spec) {
  const Nest info(message, IFLA_LINKINFO);
  put_string(message, IFLA_INFO_KIND, spec.kind);
  if (spec.peer) put_peer(message, *spec.peer, spec.mtu);
  if (spec.kind == "macvlan") {
    const Nest data(message, IFLA_INFO_DATA);
    put(message, IFLA_MACVLAN_MODE,
        static_cast<std::uint32_t>(MACVLAN_MODE_BRIDGE));
  }
}

void put_inet_conf(nl_msg* message, const LinkChange& change) {
  const Nest family(message, AF_INET);
  const Nest conf(message, IFLA_INET_CONF);
  if (change.rp_filter_strict) {
    put(message, IPV4_DEVCONF_RP_FILTER,
        *change.rp_filter_strict ? std::uint32_t{1} : std::uint32_t{2});
  }
  if (change.ipv4_forwarding) {
    put(message, IPV4_DEVCONF_FORWARDING,
        static_cast<std::uint32_t>(*change.ipv4_forwarding));
  }
  if (change.route_localnet) {
    put(message, IPV4_DEVCONF_ROUTE_LOCALNET,
        static_cast<std::uint32_t>(*change.route_localnet));
  }
}

void put_families(nl_msg* message, const LinkChange& change) {
  const bool inet = change.rp_filter_strict || change.ipv4_forwarding ||
                    change.route_localnet;
  if (!inet && !change.no_auto_link_local) return;
  const Nest families(message, IFLA_AF_SPEC);
  if (inet) put_inet_conf(message, change);
  if (change.no_auto_link_local) {
    const Nest family(message, AF_INET6);
    put(message, IFLA_INET6_ADDR_GEN_MODE,
        static_cast<std::uint8_t>(IN6_ADDR_GEN_MODE_NONE));
  }
}

}  // namespace

void Batch::Free::operator()(nl_msg* message) const {
  nlmsg_free(message);
}

Batch::Batch() = default;
Batch::~Batch() = default;
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;

nl_msg* Batch::start(int type, int flags, std::function<std::string()> what) {
  nl_msg* message = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);
  if (message == nullptr) panic("out of memory for a netlink message");
  Step step;
  step.message.reset(message);
  step.what = std::move(what);
  steps_.push_back(std::move(step));
  return message;
}

void Batch::tolerate(std::initializer_list<int> errnos) {
  steps_.back().tolerated = errnos;
}

Batch& Batch::add_link(const LinkSpec& spec) {
  nl_msg* message =
      start(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
            [name = spec.name] { return fmt::format("create link {}", name); });
  ifinfomsg header{};
  if (spec.up) header.ifi_flags = header.ifi_change = IFF_UP;
  put_header(message, header);
  put_common(message, spec.name, spec.mac, spec.mtu);
  if (spec.group != 0) put(message, IFLA_GROUP, spec.group);
  if (spec.lower_index != 0) put(message, IFLA_LINK, spec.lower_index);
  if (spec.netns_fd >= 0) put(message, IFLA_NET_NS_FD, spec.netns_fd);
  if (spec.kind == "veth") put_one_queue(message);
  put_kind(message, spec);
  return *this;
}

Batch& Batch::set_link(const LinkRef& link, const LinkChange& change,
                       Missing missing) {
  nl_msg* message = start(RTM_SETLINK, 0, [link] {
    return fmt::format("change link {}", to_string(link));
  });
  ifinfomsg header{};
  header.ifi_index = link.index;
  if (change.up) {
    header.ifi_change = IFF_UP;
    if (*change.up) header.ifi_flags = IFF_UP;
  }
  put_header(message, header);
  put_ref(message, link);
  if (change.name) put_string(message, IFLA_IFNAME, *change.name);
  if (change.mtu) put(message, IFLA_MTU, *change.mtu);
  if (change.mac) put_mac(message, IFLA_ADDRESS, *change.mac);
  if (change.alias) put_string(message, IFLA_IFALIAS, *change.alias);
  if (change.group) put(message, IFLA_GROUP, *change.group);
  if (change.master_index) put(message, IFLA_MASTER, *change.master_index);
  if (change.netns_fd) put(message, IFLA_NET_NS_FD, *change.netns_fd);
  put_families(message, change);
  if (missing == Missing::kFine) tolerate({ENODEV});
  return *this;
}

Batch& Batch::delete_link(const LinkRef& link, Missing missing) {
  nl_msg* message = start(RTM_DELLINK, 0, [link] {
    return fmt::format("remove link {}", to_string(link));
  });
  ifinfomsg header{};
  header.ifi_index = link.index;
  put_header(message, header);
  put_ref(message, link);
  if (missing == Missing::kFine) tolerate({ENODEV});
  return *this;
}

Batch& Batch::delete_group(std::uint32_t group) {
  nl_msg* message = start(RTM_DELLINK, 0, [group] {
    return fmt::format("remove the links of group {}", group);
  });
  put_header(message, ifinfomsg{});
  put(message, IFLA_GROUP, group);
  tolerate({ENODEV});
  return *this;
}

Batch& Batch::read_link(const LinkRef& link, std::optional<Link>& out) {
  nl_msg* message = start(RTM_GETLINK, 0, [link] {
    return fmt::format("read link {}", to_string(link));
  });
  ifinfomsg header{};
  header.ifi_index = link.index;
  put_header(message, header);
  put_ref(message, link);
  put(message, IFLA_EXT_MASK,
      static_cast<std::uint32_t>(RTEXT_FILTER_SKIP_STATS));
  tolerate({ENODEV});
  out.reset();
  steps_.back().link_out = &out;
  return *this;
}

}  // namespace linsey::netlink
