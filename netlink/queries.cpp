// What Socket reads: one link by name or index, and lists of everything else.
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "netlink/dump.h"
#include "netlink/message.h"
#include "netlink/socket.h"

namespace linsey::netlink {
namespace {

unsigned char number_of(const std::optional<Family>& family) {
  if (!family) return AF_UNSPEC;
  return *family == Family::kV4 ? AF_INET : AF_INET6;
}

Message routes_request(const RouteFilter& filter, Family family) {
  rtmsg header{};
  header.rtm_family = number_of(family);
  header.rtm_protocol = filter.protocol;
  Message message = dump_request(RTM_GETROUTE, header);
  if (filter.table != 0) put(message.get(), RTA_TABLE, filter.table);
  if (filter.link_index != 0) put(message.get(), RTA_OIF, filter.link_index);
  return message;
}

bool matches(const RouteFilter& filter, const Route& route) {
  return route.table != RT_TABLE_LOCAL &&
         (filter.table == 0 || route.table == filter.table) &&
         (filter.link_index == 0 || route.link_index == filter.link_index) &&
         (filter.protocol == 0 || route.protocol == filter.protocol) &&
         (!filter.dst || route.dst == *filter.dst);
}

}  // namespace

Result<std::optional<Link>> Socket::find_link(const LinkRef& link) {
  std::optional<Link> found;
  TRY(run(Batch().read_link(link, found)));
  return found;
}

Result<std::vector<Link>> Socket::links() {
  const Message request = dump_request(RTM_GETLINK, ifinfomsg{});
  put(request.get(), IFLA_EXT_MASK,
      static_cast<std::uint32_t>(RTEXT_FILTER_SKIP_STATS));
  return list<Link>(request.get(), "list links", parse_link);
}

Result<std::vector<Address>> Socket::addresses(int link_index,
                                               std::optional<Family> family) {
  ifaddrmsg header{};
  header.ifa_family = number_of(family);
  header.ifa_index = static_cast<std::uint32_t>(link_index);
  const Message request = dump_request(RTM_GETADDR, header);
  auto found =
      TRY(list<Address>(request.get(), "list addresses", parse_address));
  keep_of_link(found, link_index);
  return found;
}

Result<std::vector<Route>> Socket::routes(const RouteFilter& filter) {
  std::vector<Route> all;
  for (const Family family : kFamilies) {
    if (filter.family.value_or(family) != family) continue;
    const Message request = routes_request(filter, family);
    auto found = TRY(list<Route>(request.get(), "list routes", parse_route));
    std::ranges::copy_if(
        found, std::back_inserter(all),
        [&](const Route& route) { return matches(filter, route); });
  }
  return all;
}

Result<std::vector<Rule>> Socket::rules(Family family) {
  fib_rule_hdr header{};
  header.family = number_of(family);
  const Message request = dump_request(RTM_GETRULE, header);
  return list<Rule>(request.get(), "list rules", parse_rule);
}

Result<std::vector<Neighbor>> Socket::neighbors(int link_index,
                                                std::optional<Family> family) {
  ndmsg header{};
  header.ndm_family = number_of(family);
  const Message request = dump_request(RTM_GETNEIGH, header);
  if (link_index != 0) put(request.get(), NDA_IFINDEX, link_index);
  auto found =
      TRY(list<Neighbor>(request.get(), "list neighbours", parse_neighbor));
  keep_of_link(found, link_index);
  std::erase_if(found, [](const Neighbor& entry) { return !entry.permanent; });
  return found;
}

Result<std::vector<Qdisc>> Socket::qdiscs(int link_index) {
  tcmsg header{};
  header.tcm_ifindex = link_index;
  const Message request = dump_request(RTM_GETQDISC, header);
  auto found = TRY(list<Qdisc>(request.get(), "list qdiscs", parse_qdisc));
  keep_of_link(found, link_index);
  return found;
}

Result<std::optional<int>> Socket::ingress_redirect(int link_index) {
  tcmsg header{};
  header.tcm_ifindex = link_index;
  header.tcm_parent = TC_H_MAKE(TC_H_INGRESS, 0U);
  const Message request = dump_request(RTM_GETTFILTER, header);
  const auto found =
      TRY(list<int>(request.get(), "list filters", parse_redirect));
  if (found.empty()) return std::optional<int>();
  return std::optional<int>(found.front());
}

}  // namespace linsey::netlink
