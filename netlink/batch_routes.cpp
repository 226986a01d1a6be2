// The verbs of Batch for addresses, routes, rules and neighbours.
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <cerrno>

#include "netlink/batch.h"
#include "netlink/message.h"

namespace linsey::netlink {
namespace {

unsigned char number_of(Family family) {
  return family == Family::kV4 ? AF_INET : AF_INET6;
}

unsigned char length_of(const Cidr& cidr) {
  return static_cast<unsigned char>(cidr.prefix_len());
}

/// Old kernels read the byte, new ones the attribute.
unsigned char short_table(std::uint32_t table) {
  return table < 256 ? static_cast<unsigned char>(table)
                     : static_cast<unsigned char>(RT_TABLE_COMPAT);
}

std::string to_string(const Route& route) {
  return fmt::format("route {}{} table {} dev #{}",
                     route.type == RouteType::kBlackhole ? "blackhole " : "",
                     route.dst.to_string(), route.table, route.link_index);
}

std::string to_string(const Rule& rule) {
  return fmt::format("rule {} from {} to {} table {}", rule.priority,
                     rule.from ? rule.from->to_string() : "all",
                     rule.to ? rule.to->to_string() : "all", rule.table);
}

void put_address(nl_msg* message, const Address& address) {
  ifaddrmsg header{};
  header.ifa_family = number_of(address.cidr.family());
  header.ifa_prefixlen = length_of(address.cidr);
  header.ifa_index = static_cast<std::uint32_t>(address.link_index);
  put_header(message, header);
  put_ip(message, IFA_LOCAL, address.cidr.addr());
  put_ip(message, IFA_ADDRESS, address.cidr.addr());
}

void put_rule(nl_msg* message, const Rule& rule, unsigned char action) {
  fib_rule_hdr header{};
  header.family = number_of(rule.family);
  header.action = action;
  header.table = short_table(rule.table);
  if (rule.from) header.src_len = length_of(*rule.from);
  if (rule.to) header.dst_len = length_of(*rule.to);
  put_header(message, header);
  if (rule.table != 0) put(message, FRA_TABLE, rule.table);
  if (rule.priority != 0) put(message, FRA_PRIORITY, rule.priority);
  if (rule.protocol != 0) put(message, FRA_PROTOCOL, rule.protocol);
  if (rule.from) put_ip(message, FRA_SRC, rule.from->addr());
  if (rule.to) put_ip(message, FRA_DST, rule.to->addr());
  if (!rule.iif.empty()) put_string(message, FRA_IIFNAME, rule.iif);
  if (rule.mark_mask != 0) {
    put(message, FRA_FWMARK, rule.mark);
    put(message, FRA_FWMASK, rule.mark_mask);
  }
}

void put_neighbor(nl_msg* message, const Neighbor& neighbor) {
  ndmsg header{};
  header.ndm_family = number_of(neighbor.addr.family());
  header.ndm_ifindex = neighbor.link_index;
  header.ndm_state = neighbor.permanent ? NUD_PERMANENT : NUD_REACHABLE;
  put_header(message, header);
  put_ip(message, NDA_DST, neighbor.addr);
}

}  // namespace

void Batch::put_new_address(int flags, const Address& address) {
  nl_msg* message = start(RTM_NEWADDR, flags, [address] {
    return fmt::format("add address {} to #{}", address.cidr.to_string(),
                       address.link_index);
  });
  put_address(message, address);
  std::uint32_t wanted = address.no_prefix_route ? IFA_F_NOPREFIXROUTE : 0U;
  if (!address.cidr.addr().is_v4()) wanted |= IFA_F_NODAD;
  put(message, IFA_FLAGS, wanted);
}

Batch& Batch::add_address(const Address& address) {
  put_new_address(NLM_F_CREATE | NLM_F_EXCL, address);
  return *this;
}

Batch& Batch::replace_address(const Address& address) {
  put_new_address(NLM_F_CREATE | NLM_F_REPLACE, address);
  return *this;
}

Batch& Batch::delete_address(const Address& address, Missing missing) {
  nl_msg* message = start(RTM_DELADDR, 0, [address] {
    return fmt::format("remove address {} from #{}", address.cidr.to_string(),
                       address.link_index);
  });
  put_address(message, address);
  if (missing == Missing::kFine) tolerate({EADDRNOTAVAIL, ENODEV});
  return *this;
}

void Batch::put_new_route(int flags, const Route& route) {
  nl_msg* message = start(RTM_NEWROUTE, NLM_F_CREATE | flags,
                          [route] { return "add " + to_string(route); });
  rtmsg header{};
  header.rtm_family = number_of(route.dst.family());
  header.rtm_dst_len = length_of(route.dst);
  header.rtm_table = short_table(route.table);
  header.rtm_protocol = route.protocol;
  header.rtm_scope = static_cast<unsigned char>(route.scope);
  header.rtm_type =
      route.type == RouteType::kBlackhole ? RTN_BLACKHOLE : RTN_UNICAST;
  if (route.onlink) header.rtm_flags = RTNH_F_ONLINK;
  put_header(message, header);
  put_ip(message, RTA_DST, route.dst.addr());
  put(message, RTA_TABLE, route.table);
  if (route.link_index != 0) put(message, RTA_OIF, route.link_index);
  if (route.gateway) put_ip(message, RTA_GATEWAY, *route.gateway);
  if (route.src) put_ip(message, RTA_PREFSRC, *route.src);
  if (route.priority != 0) put(message, RTA_PRIORITY, route.priority);
  if (route.mtu != 0) {
    const Nest metrics(message, RTA_METRICS);
    put(message, RTAX_MTU, route.mtu);
  }
}

Batch& Batch::add_route(const Route& route) {
  put_new_route(NLM_F_EXCL, route);
  return *this;
}

Batch& Batch::replace_route(const Route& route) {
  put_new_route(NLM_F_REPLACE, route);
  return *this;
}

Batch& Batch::delete_route(const Route& route, Missing missing) {
  nl_msg* message =
      start(RTM_DELROUTE, 0, [route] { return "remove " + to_string(route); });
  rtmsg header{};
  header.rtm_family = number_of(route.dst.family());
  header.rtm_dst_len = length_of(route.dst);
  header.rtm_table = short_table(route.table);
  header.rtm_protocol = route.protocol;
  header.rtm_scope = RT_SCOPE_NOWHERE;  // matches every scope
  put_header(message, header);
  put_ip(message, RTA_DST, route.dst.addr());
  put(message, RTA_TABLE, route.table);
  if (route.link_index != 0) put(message, RTA_OIF, route.link_index);
  if (route.priority != 0) put(message, RTA_PRIORITY, route.priority);
  if (missing == Missing::kFine) tolerate({ESRCH, ENODEV, ENOENT});
  return *this;
}

Batch& Batch::add_rule(const Rule& rule, Existing existing) {
  nl_msg* message = start(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL,
                          [rule] { return "add " + to_string(rule); });
  put_rule(message, rule, FR_ACT_TO_TBL);
  if (existing == Existing::kFine) tolerate({EEXIST});
  return *this;
}

Batch& Batch::delete_rule(const Rule& rule, Missing missing) {
  nl_msg* message =
      start(RTM_DELRULE, 0, [rule] { return "remove " + to_string(rule); });
  put_rule(message, rule, FR_ACT_UNSPEC);
  if (missing == Missing::kFine) tolerate({ENOENT, ESRCH, EAFNOSUPPORT});
  return *this;
}

Batch& Batch::replace_neighbor(const Neighbor& neighbor) {
  nl_msg* message =
      start(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, [neighbor] {
        return fmt::format("add neighbour {} on #{}", neighbor.addr.to_string(),
                           neighbor.link_index);
      });
  put_neighbor(message, neighbor);
  put_mac(message, NDA_LLADDR, neighbor.mac);
  return *this;
}

Batch& Batch::delete_neighbor(const Neighbor& neighbor, Missing missing) {
  nl_msg* message = start(RTM_DELNEIGH, 0, [neighbor] {
    return fmt::format("remove neighbour {} from #{}",
                       neighbor.addr.to_string(), neighbor.link_index);
  });
  put_neighbor(message, neighbor);
  if (missing == Missing::kFine) tolerate({ENOENT, ENXIO, ENODEV});
  return *this;
}

}  // namespace linsey::netlink
