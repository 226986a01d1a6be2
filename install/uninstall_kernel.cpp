// The kernel's side of uninstall: what carries a mark of docs/datapath.md.
#include <algorithm>
#include <memory>
#include <set>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "datapath/plan.h"
#include "datapath/wire.h"
#include "install/uninstall.h"
#include "netlink/netns.h"
#include "netlink/nft_tables.h"
#include "netlink/socket.h"
#include "netlink/sysctl_record.h"

namespace linsey::install {
namespace {

using netlink::Link;
using netlink::Missing;
using netlink::Route;
using netlink::Rule;
using netlink::Socket;

constexpr std::uint8_t kBirdProtocol = 12;  // RTPROT_BIRD
constexpr std::size_t kIfbNameSize = 15;    // "lfb" and 12 digits

/// Opens a socket for each removal: a trace may outlive the look.
Result<void> run(netlink::Batch& batch) {
  Socket socket = TRY(Socket::open());
  return socket.run(batch);
}

Trace link_trace(const Link& link) {
  return {fmt::format("{} ({}{})", link.name,
                      link.kind.empty() ? "link" : link.kind,
                      link.alias.empty() ? "" : ", " + link.alias),
          [index = link.index]() -> Result<void> {
            netlink::Batch batch;
            batch.delete_link(index, Missing::kFine);
            return run(batch);
          }};
}

bool is_ours(const Link& link, const std::set<int>& half_made) {
  return link.alias.starts_with(datapath::kAliasPrefix) ||
         half_made.contains(link.index) ||
         (link.kind == "ifb" && link.name.starts_with("lfb") &&
          link.name.size() == kIfbNameSize);
}

Result<std::vector<Link>> our_links() {
  std::set<int> half_made;
  const datapath::Traces traces = TRY(datapath::find_ours());
  for (const datapath::OurLink& link : traces.links) {
    half_made.insert(link.index);
  }
  Socket socket = TRY(Socket::open());
  std::vector<Link> links = TRY(socket.links());
  std::erase_if(links,
                [&](const Link& link) { return !is_ours(link, half_made); });
  return links;
}

Result<void> find_links(Place& place) {
  for (const Link& link : TRY(our_links())) {
    place.found.push_back(link_trace(link));
  }
  return {};
}

/// Filters on links of others that lead into an ifb of ours.
Result<void> find_redirects(Place& place) {
  std::set<int> ours;
  for (const Link& link : TRY(our_links())) {
    ours.insert(link.index);
  }
  Socket socket = TRY(Socket::open());
  for (const Link& link : TRY(socket.links())) {
    if (ours.contains(link.index)) continue;
    const auto target = TRY(socket.ingress_redirect(link.index));
    if (!target || !ours.contains(*target)) continue;
    place.found.push_back({fmt::format("ingress of {}", link.name),
                           [index = link.index]() -> Result<void> {
                             netlink::Batch batch;
                             batch.delete_qdisc(index, true, Missing::kFine);
                             return run(batch);
                           }});
  }
  return {};
}

std::string rule_text(const Rule& rule) {
  std::string text = fmt::format("priority {}", rule.priority);
  if (rule.from) text += " from " + rule.from->to_string();
  if (rule.to) text += " to " + rule.to->to_string();
  return fmt::format("{} lookup {}", text, rule.table);
}

Result<void> find_rules(Place& place) {
  Socket socket = TRY(Socket::open());
  for (const Family family : kFamilies) {
    for (const Rule& rule : TRY(socket.rules(family))) {
      if (rule.protocol != netlink::kProtocol) continue;
      place.found.push_back({rule_text(rule), [rule]() -> Result<void> {
                               netlink::Batch batch;
                               batch.delete_rule(rule, Missing::kFine);
                               return run(batch);
                             }});
    }
  }
  return {};
}

Trace route_trace(const Route& route) {
  const std::string kind =
      route.type == netlink::RouteType::kBlackhole ? "blackhole " : "";
  return {
      fmt::format("{}{} table {}", kind, route.dst.to_string(), route.table),
      [route]() -> Result<void> {
        netlink::Batch batch;
        batch.delete_route(route, Missing::kFine);
        return run(batch);
      }};
}

Result<void> find_routes(Place& place) {
  Socket socket = TRY(Socket::open());
  for (const Route& route :
       TRY(socket.routes({.protocol = netlink::kProtocol}))) {
    place.found.push_back(route_trace(route));
  }
  return {};
}

/// The pools of the configuration that the agent had in force.
std::vector<Cidr> pools_of(const Host& host) {
  std::vector<Cidr> pools;
  const Result<std::string> text =
      read_file(host.at(host.state_dir) + "/config.json");
  const Result<Json> json =
      text ? parse_json(*text) : Result<Json>(text.error());
  const Json* list = json ? find_member(*json, "pools") : nullptr;
  if (list == nullptr || !list->is_array()) return pools;
  for (const Json& pool : *list) {
    const Json* cidr = find_member(pool, "cidr");
    if (cidr == nullptr || !cidr->is_string()) continue;
    const Result<Cidr> parsed = Cidr::parse(cidr->get<std::string>());
    if (parsed) pools.push_back(*parsed);
  }
  return pools;
}

/// BIRD leaves its routes in the kernel when it ends (persist): those into our
/// pools are ours, all others may be another BIRD's.
Result<void> find_learned_routes(Place& place, const std::vector<Cidr>& pools) {
  Socket socket = TRY(Socket::open());
  for (const Route& route : TRY(socket.routes({.protocol = kBirdProtocol}))) {
    const bool ours = std::ranges::any_of(
        pools, [&](const Cidr& pool) { return pool.contains(route.dst); });
    if (ours) place.found.push_back(route_trace(route));
  }
  return {};
}

Result<void> find_tables(Place& place) {
  for (const netlink::NftTable& table : TRY(netlink::nft_tables("linsey"))) {
    place.found.push_back(
        {fmt::format("{} {}", table.family, table.name),
         [table] { return netlink::delete_nft_table(table); }});
  }
  return {};
}

Result<void> find_sysctls(Place& place, const std::string& file) {
  const auto record = netlink::SysctlRecord::load(file);
  for (const auto& [key, before] : record.values()) {
    const Result<std::string> now = netlink::get_sysctl(key);
    if (!now || *now == before) continue;  // its link is gone, or it is as was
    place.found.push_back(
        {fmt::format("{} = {} (before: {})", key, *now, before),
         [key = key, before = before] {
           return netlink::set_sysctl(key, before);
         }});
  }
  return {};
}

template <typename Find>
Place look_for(std::string what, std::string where, Find find) {
  Place place{.what = std::move(what), .where = std::move(where)};
  const Result<void> done = find(place);
  if (!done) place.errors.push_back(done.error());
  return place;
}

}  // namespace

std::vector<Place> look_at_kernel(const Host& host) {
  const std::vector<Cidr> pools = pools_of(host);
  const std::string sysctls = host.at(host.state_dir) + "/sysctls.json";
  std::vector<Place> places;
  // What leads into a link goes before the link.
  places.push_back(look_for("qdiscs", "ingress filters that lead into our ifbs",
                            find_redirects));
  places.push_back(look_for("rules", "protocol 80, both families", find_rules));
  places.push_back(
      look_for("links", "alias linsey:, half made, ifb lfb…", find_links));
  places.push_back(look_for("routes", "protocol 80, all tables, both families",
                            find_routes));
  places.push_back(look_for(
      "routes", fmt::format("protocol bird, into {} pools", pools.size()),
      [&](Place& place) { return find_learned_routes(place, pools); }));
  places.push_back(look_for("nftables", "tables linsey…", find_tables));
  places.push_back(
      look_for("sysctls", "those recorded in " + sysctls,
               [&](Place& place) { return find_sysctls(place, sysctls); }));
  return places;
}

}  // namespace linsey::install
