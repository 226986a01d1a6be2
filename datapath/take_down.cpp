#include <algorithm>
#include <map>

#include "datapath/owner.h"
#include "datapath/wire.h"
#include "netlink/socket.h"

namespace linsey::datapath {
namespace {

using netlink::Batch;
using netlink::Link;
using netlink::Missing;
using netlink::Route;
using netlink::Rule;
using netlink::Socket;

bool half_made(const Link& link) {
  return link.kind == "veth" && link.alias.empty() &&
         (link.group & ~(kBirthGroups - 1)) == kBirthGroups &&
         (link.name.starts_with("cali") || link.name.starts_with("lin"));
}

bool is_pod_route(const Route& route) {
  return route.protocol == netlink::kProtocol &&
         route.table == netlink::kMainTable &&
         route.dst == Cidr::host(route.dst.addr());
}

/// Both rules of an address; the kernel compares only what is given.
void delete_rules_of(Batch& batch, const IpAddr& address) {
  Rule rule{.family = address.family(), .to = Cidr::host(address), .table = 0};
  batch.delete_rule(rule, Missing::kFine);
  std::swap(rule.from, rule.to);
  batch.delete_rule(rule, Missing::kFine);
}

/// The host's end of an attachment: under its name, else wherever its alias
/// is, as a DEL may not know the pod's name.
Result<std::optional<Link>> find_host_link(Socket& host,
                                           const ipam::AttachmentKey& key,
                                           const ipam::Pod& pod) {
  std::optional<Link> link = TRY(host.find_link(host_link_name(key, pod)));
  if (link && owned_by(*link, key)) return link;
  for (Link& other : TRY(host.links())) {
    if (other.kind == "veth" && owned_by(other, key)) {
      return std::optional(std::move(other));
    }
  }
  return std::optional<Link>();
}

/// The ifb goes with the links that are dying, whether or not the pair lives.
Result<void> take_down_ifb(Socket& host, const ipam::AttachmentKey& key) {
  const auto ifb = TRY(host.find_link(ifb_name(key)));
  if (!ifb || ifb->kind != "ifb") return {};
  return host.run(Batch().set_link(
      ifb->index, {.up = false, .group = netlink::kDyingGroup}));
}

std::optional<OurLink> our_link(const Link& link) {
  OurLink ours{.index = link.index, .name = link.name};
  if (half_made(link)) {
    ours.half_made = true;
    return ours;
  }
  if (link.kind != "veth" || !link.alias.starts_with(kAliasPrefix)) return {};
  const std::string owner = link.alias.substr(kAliasPrefix.size());
  const std::size_t colon = owner.rfind(':');
  if (colon == std::string::npos) return {};
  ours.container_id = owner.substr(0, colon);
  ours.ifname = owner.substr(colon + 1);
  ours.dying = link.group == netlink::kDyingGroup;
  return ours;
}

}  // namespace

bool owned_by(const Link& link, const ipam::AttachmentKey& key) {
  if (link.alias.empty()) return link.group == birth_group(key);
  return link.alias == alias_of(key);
}

bool owned_by_linsey(const Link& link) {
  return link.alias.starts_with(kAliasPrefix) || half_made(link);
}

Result<TakenDown> take_down_link(Socket& host, const Link& link) {
  TakenDown taken{.link_index = link.index, .link_name = link.name};
  Batch batch;
  for (const Route& route : TRY(host.routes({.link_index = link.index}))) {
    if (!is_pod_route(route)) continue;
    taken.addresses.push_back(route.dst.addr());
    delete_rules_of(batch, route.dst.addr());
    batch.delete_route(route, Missing::kFine);
  }
  batch.set_link(link.index, {.up = false, .group = netlink::kDyingGroup},
                 Missing::kFine);
  TRY(host.run(batch));
  return taken;
}

Result<TakenDown> take_down(const ipam::AttachmentKey& key,
                            const ipam::Pod& pod) {
  Socket host = TRY(Socket::open());
  const auto link = TRY(find_host_link(host, key, pod));
  TRY(take_down_ifb(host, key));
  if (!link) return TakenDown{};
  if (link->alias.empty()) {
    // Half made: its birth group is about to be replaced, and whoever deletes
    // it must still see whose it was.
    TRY(host.run(Batch().set_link(link->index, {.alias = alias_of(key)},
                                  Missing::kFine)));
  }
  return context(take_down_link(host, *link), "take {} down", link->name);
}

Result<TakenDown> take_down(const OurLink& ours) {
  Socket host = TRY(Socket::open());
  const auto link = TRY(host.find_link(ours.index));
  // The index may have been given to another link since.
  if (!link || our_link(*link).value_or(OurLink{}).name != ours.name) {
    return TakenDown{};
  }
  return take_down_link(host, *link);
}

Result<TakenDown> unwire(const ipam::AttachmentKey& key, const ipam::Pod& pod) {
  TakenDown taken = TRY(take_down(key, pod));
  Socket host = TRY(Socket::open());
  const auto ifb = TRY(host.find_link(ifb_name(key)));
  Batch batch;
  if (taken.link_index != 0) {
    batch.delete_link(taken.link_index, Missing::kFine);
  }
  if (ifb && ifb->kind == "ifb") batch.delete_link(ifb->index, Missing::kFine);
  TRY(host.run(batch));
  return taken;
}

Result<Traces> find_ours() {
  Socket host = TRY(Socket::open());
  std::map<int, std::vector<IpAddr>> addresses;
  for (const Route& route :
       TRY(host.routes({.protocol = netlink::kProtocol}))) {
    if (is_pod_route(route)) {
      addresses[route.link_index].push_back(route.dst.addr());
    }
  }
  Traces traces;
  for (const Link& link : TRY(host.links())) {
    if (auto ours = our_link(link)) {
      ours->addresses = addresses[link.index];
      traces.links.push_back(*std::move(ours));
    }
  }
  for (const Family family : kFamilies) {
    for (Rule& rule : TRY(host.rules(family))) {
      if (rule.protocol == netlink::kProtocol) traces.rules.push_back(rule);
    }
  }
  return traces;
}

Result<void> remove_rules(const IpAddr& address) {
  Socket host = TRY(Socket::open());
  Batch batch;
  delete_rules_of(batch, address);
  return host.run(batch);
}

}  // namespace linsey::datapath
