#include "agent/eni_links.h"

#include <sys/epoll.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/log.h"
#include "netlink/netns.h"
#include "netlink/sysctl_record.h"

namespace linsey::agent {
namespace {

void add_gateway(netlink::Batch& batch, const netlink::Link& link,
                 std::uint32_t table, const IpAddr& gateway) {
  const bool v4 = gateway.is_v4();
  // The gateway itself first: it is on no network of this link.
  batch.replace_route(
      {.dst = Cidr::host(gateway),
       .link_index = link.index,
       .scope = v4 ? netlink::Scope::kLink : netlink::Scope::kGlobal,
       .table = table});
  const IpAddr any = v4 ? IpAddr() : *IpAddr::parse("::");
  batch.replace_route({.dst = Cidr(any, 0),
                       .link_index = link.index,
                       .gateway = gateway,
                       .onlink = true,
                       .table = table});
}

/// Links that carry the MAC of the one below them.
bool wears_its_members_mac(const std::string& kind) {
  return kind == "bridge" || kind == "bond" || kind == "team" || kind == "vlan";
}

/// What set_up and set_ipv6 will change.
Result<void> note_settings(const std::string& file, const std::string& link) {
  if (file.empty()) return {};
  auto record = netlink::SysctlRecord::load(file);
  std::vector<std::string> keys;
  for (const char* key :
       {"ipv4/conf/{}/forwarding", "ipv4/conf/{}/rp_filter",
        "ipv6/conf/{}/accept_ra", "ipv6/conf/{}/force_forwarding"}) {
    keys.push_back("net/" + fmt::format(fmt::runtime(key), link));
  }
  return record.note(keys);
}

void set_ipv6(const std::string& link) {
  // Router advertisements would put a default route into the main table;
  // force_forwarding forwards on this link alone where the kernel has it.
  for (const auto& [name, value] :
       {std::pair("accept_ra", "0"), std::pair("force_forwarding", "1")}) {
    const Result<void> done = netlink::set_sysctl(
        fmt::format("net/ipv6/conf/{}/{}", link, name), value);
    if (!done) log::info("{}: {}", link, done.error().msg);
  }
}

/// Tells links that are new, renamed, gone or taken down, and removed routes,
/// from the echo of what is set on known ones: answering that would go round
/// for ever.
class Changes {
 public:
  void hear(const netlink::Event& event) {
    if (const auto* route = std::get_if<netlink::Route>(&event.what)) {
      if (!event.removed) return;
      tables_.insert(route->table);
    } else if (const auto* link = std::get_if<netlink::Link>(&event.what)) {
      if (!is_change(*link, event.removed)) return;
    }
    heard_ = true;
  }
  /// Were there any since it was last asked? Tables that lost routes.
  std::optional<std::set<std::uint32_t>> take() {
    if (!std::exchange(heard_, false)) return std::nullopt;
    return std::exchange(tables_, {});
  }

 private:
  struct Look {
    std::string name;
    Mac mac;
    bool up = false;
  };

  bool is_change(const netlink::Link& link, bool removed) {
    const auto it = known_.find(link.index);
    if (removed) {
      if (it != known_.end()) known_.erase(it);
      return true;
    }
    const bool is_new = it == known_.end() || it->second.name != link.name ||
                        it->second.mac != link.mac;
    const bool went_down = it != known_.end() && it->second.up && !link.up;
    known_.insert_or_assign(link.index, Look{link.name, link.mac, link.up});
    return is_new || went_down;
  }

  std::map<int, Look> known_;
  std::set<std::uint32_t> tables_;
  bool heard_ = false;
};

}  // namespace

EniLinks::EniLinks(Loop& loop, netlink::Socket socket, netlink::Monitor monitor)
    : loop_(loop), socket_(std::move(socket)), monitor_(std::move(monitor)) {}

EniLinks::~EniLinks() {
  loop_.unwatch(monitor_.fd());
}

Result<std::unique_ptr<EniLinks>> EniLinks::start(
    Loop& loop, std::function<void(const std::set<std::uint32_t>&)> on_change) {
  netlink::Socket socket = TRY(netlink::Socket::open());
  const auto fresh = std::make_shared<Changes>();
  netlink::Monitor monitor = TRY(netlink::Monitor::open(
      {netlink::Topic::kLinks, netlink::Topic::kRoutes},
      [fresh](const netlink::Event& event) { fresh->hear(event); }));
  std::unique_ptr<EniLinks> links(
      new EniLinks(loop, std::move(socket), std::move(monitor)));
  loop.watch(links->monitor_.fd(), EPOLLIN, "ENI links",
             [self = links.get(), fresh,
              on_change = std::move(on_change)](std::uint32_t) {
               const Result<void> drained = self->monitor_.drain();
               if (!drained) log::warn("{}", to_string(drained.error()));
               if (const auto tables = fresh->take()) on_change(*tables);
             });
  return links;
}

Result<std::optional<netlink::Link>> EniLinks::find(const Mac& mac) {
  for (const netlink::Link& link : TRY(socket_.links())) {
    if (link.mac == mac && !wears_its_members_mac(link.kind)) {
      return std::optional<netlink::Link>(link);
    }
  }
  return std::optional<netlink::Link>();
}

Result<std::optional<EniPlace>> EniLinks::set_up(const EniLink& wanted) {
  const std::optional<netlink::Link> link = TRY(find(wanted.mac));
  if (!link) return std::optional<EniPlace>();
  const std::uint32_t table =
      wanted.table_base + static_cast<std::uint32_t>(link->index);
  TRY(note_settings(wanted.record_file, link->name));
  netlink::Batch batch;
  netlink::LinkChange change{.rp_filter_strict = false,
                             .ipv4_forwarding = true};
  if (wanted.mtu != 0 && wanted.mtu != link->mtu) change.mtu = wanted.mtu;
  // Up on its own: the kernel handles flags before the families.
  batch.set_link(link->index, change).set_link(link->index, {.up = true});
  std::set<std::uint32_t> tables = wanted.more_tables;
  tables.insert(table);
  if (wanted.gateway6) set_ipv6(link->name);
  for (const std::uint32_t one : tables) {
    add_gateway(batch, *link, one, wanted.gateway);
    if (wanted.gateway6) add_gateway(batch, *link, one, *wanted.gateway6);
  }
  TRY(context(socket_.run(batch), "set up interface {}", link->name));
  return std::optional<EniPlace>(EniPlace{link->index, link->name, table});
}

}  // namespace linsey::agent
