#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>

#include "netlink/message.h"

namespace linsey::netlink {
namespace {

std::optional<Family> family_of(unsigned number) {
  if (number == AF_INET) return Family::kV4;
  if (number == AF_INET6) return Family::kV6;
  return std::nullopt;
}

IpAddr any_of(Family family) {
  constexpr std::array<std::uint8_t, 16> kZero{};
  return IpAddr::from_bytes({kZero.data(), family == Family::kV4 ? 4U : 16U});
}

template <typename T>
const T* header_of(const nlmsghdr* message) {
  if (nlmsg_valid_hdr(message, sizeof(T)) == 0) return nullptr;
  return static_cast<const T*>(nlmsg_data(message));
}

}  // namespace

std::optional<Link> parse_link(const nlmsghdr* message) {
  const auto* header = header_of<ifinfomsg>(message);
  if (header == nullptr || header->ifi_family != AF_UNSPEC) return {};
  const Attributes<IFLA_MAX> attributes(message, sizeof *header);
  const Attributes<IFLA_INFO_MAX> info(attributes.get(IFLA_LINKINFO));
  return Link{
      .index = header->ifi_index,
      .name = attributes.text(IFLA_IFNAME),
      .kind = info.text(IFLA_INFO_KIND),
      .alias = attributes.text(IFLA_IFALIAS),
      .mac = attributes.mac(IFLA_ADDRESS).value_or(Mac()),
      .mtu = attributes.value<std::uint32_t>(IFLA_MTU).value_or(0),
      .up = (header->ifi_flags & IFF_UP) != 0,
      .running = (header->ifi_flags & IFF_LOWER_UP) != 0,
      .group = attributes.value<std::uint32_t>(IFLA_GROUP).value_or(0),
      .peer_index = attributes.value<int>(IFLA_LINK).value_or(0),
      .master_index = attributes.value<int>(IFLA_MASTER).value_or(0),
  };
}

std::optional<Address> parse_address(const nlmsghdr* message) {
  const auto* header = header_of<ifaddrmsg>(message);
  if (header == nullptr) return {};
  const Attributes<IFA_MAX> attributes(message, sizeof *header);
  auto ip = attributes.ip(IFA_LOCAL);
  if (!ip) ip = attributes.ip(IFA_ADDRESS);
  if (!ip) return {};
  const std::uint32_t flags =
      attributes.value<std::uint32_t>(IFA_FLAGS).value_or(header->ifa_flags);
  return Address{
      .link_index = static_cast<int>(header->ifa_index),
      .cidr = Cidr(*ip, header->ifa_prefixlen),
      .no_prefix_route = (flags & IFA_F_NOPREFIXROUTE) != 0,
      .tentative = (flags & IFA_F_TENTATIVE) != 0,
  };
}

std::optional<Route> parse_route(const nlmsghdr* message) {
  const auto* header = header_of<rtmsg>(message);
  if (header == nullptr) return {};
  const auto family = family_of(header->rtm_family);
  const bool blackhole = header->rtm_type == RTN_BLACKHOLE;
  if (!family || (header->rtm_type != RTN_UNICAST && !blackhole)) return {};
  if ((header->rtm_flags & RTM_F_CLONED) != 0) return {};
  const Attributes<RTA_MAX> attributes(message, sizeof *header);
  const Attributes<RTAX_MAX> metrics(attributes.get(RTA_METRICS));
  return Route{
      .dst = Cidr(attributes.ip(RTA_DST).value_or(any_of(*family)),
                  header->rtm_dst_len),
      .type = blackhole ? RouteType::kBlackhole : RouteType::kUnicast,
      // IPv6 hangs a blackhole on lo; we say no link, as for IPv4.
      .link_index = blackhole ? 0 : attributes.value<int>(RTA_OIF).value_or(0),
      .gateway = attributes.ip(RTA_GATEWAY),
      .onlink = (header->rtm_flags & RTNH_F_ONLINK) != 0,
      .src = attributes.ip(RTA_PREFSRC),
      .scope = static_cast<Scope>(header->rtm_scope),
      .table = attributes.value<std::uint32_t>(RTA_TABLE).value_or(
          header->rtm_table),
      .protocol = header->rtm_protocol,
      .priority = attributes.value<std::uint32_t>(RTA_PRIORITY).value_or(0),
      .mtu = metrics.value<std::uint32_t>(RTAX_MTU).value_or(0),
  };
}

std::optional<Rule> parse_rule(const nlmsghdr* message) {
  const auto* header = header_of<fib_rule_hdr>(message);
  if (header == nullptr || header->action != FR_ACT_TO_TBL) return {};
  const auto family = family_of(header->family);
  if (!family) return {};
  const Attributes<FRA_MAX> attributes(message, sizeof *header);
  Rule rule{
      .family = *family,
      .priority = attributes.value<std::uint32_t>(FRA_PRIORITY).value_or(0),
      .from = {},
      .to = {},
      .iif = attributes.text(FRA_IIFNAME),
      .table =
          attributes.value<std::uint32_t>(FRA_TABLE).value_or(header->table),
      .protocol = attributes.value<std::uint8_t>(FRA_PROTOCOL).value_or(0),
      .mark = attributes.value<std::uint32_t>(FRA_FWMARK).value_or(0),
      .mark_mask = attributes.value<std::uint32_t>(FRA_FWMASK).value_or(0),
  };
  if (const auto ip = attributes.ip(FRA_SRC)) {
    rule.from = Cidr(*ip, header->src_len);
  }
  if (const auto ip = attributes.ip(FRA_DST)) {
    rule.to = Cidr(*ip, header->dst_len);
  }
  return rule;
}

std::optional<Neighbor> parse_neighbor(const nlmsghdr* message) {
  const auto* header = header_of<ndmsg>(message);
  if (header == nullptr || (header->ndm_flags & NTF_PROXY) != 0) return {};
  const Attributes<NDA_MAX> attributes(message, sizeof *header);
  const auto ip = attributes.ip(NDA_DST);
  if (!ip) return {};
  return Neighbor{
      .link_index = header->ndm_ifindex,
      .addr = *ip,
      .mac = attributes.mac(NDA_LLADDR).value_or(Mac()),
      .permanent = (header->ndm_state & NUD_PERMANENT) != 0,
  };
}

namespace {

/// The kernel gives the burst back as time, in ticks of 64 ns.
Tbf parse_tbf(const nlattr* options) {
  const Attributes<TCA_TBF_MAX> attributes(options);
  const auto parms = attributes.value<tc_tbf_qopt>(TCA_TBF_PARMS);
  if (!parms) return {};
  const std::uint64_t rate = attributes.value<std::uint64_t>(TCA_TBF_RATE64)
                                 .value_or(parms->rate.rate);
  const double burst =
      static_cast<double>(parms->buffer) * 64e-9 * static_cast<double>(rate);
  return {.rate = rate,
          .burst = static_cast<std::uint32_t>(std::min(burst, 4294967295.0)),
          .limit = parms->limit};
}

}  // namespace

std::optional<Qdisc> parse_qdisc(const nlmsghdr* message) {
  const auto* header = header_of<tcmsg>(message);
  if (header == nullptr) return {};
  const Attributes<TCA_MAX> attributes(message, sizeof *header);
  Qdisc qdisc{.link_index = header->tcm_ifindex,
              .kind = attributes.text(TCA_KIND),
              .handle = header->tcm_handle,
              .parent = header->tcm_parent,
              .tbf = {}};
  if (qdisc.kind == "tbf") qdisc.tbf = parse_tbf(attributes.get(TCA_OPTIONS));
  return qdisc;
}

std::optional<int> parse_redirect(const nlmsghdr* message) {
  const Attributes<TCA_MAX> attributes(message, sizeof(tcmsg));
  if (attributes.text(TCA_KIND) != "u32") return {};
  const Attributes<TCA_U32_MAX> u32(attributes.get(TCA_OPTIONS));
  const Attributes<TCA_ACT_MAX_PRIO> actions(u32.get(TCA_U32_ACT));
  const Attributes<TCA_ACT_MAX> action(actions.get(1));
  if (action.text(TCA_ACT_KIND) != "mirred") return {};
  const Attributes<TCA_MIRRED_MAX> mirred(action.get(TCA_ACT_OPTIONS));
  const auto parms = mirred.value<tc_mirred>(TCA_MIRRED_PARMS);
  if (!parms || parms->eaction != TCA_EGRESS_REDIR) return {};
  return static_cast<int>(parms->ifindex);
}

}  // namespace linsey::netlink
