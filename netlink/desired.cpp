#include "netlink/desired.h"

#include <algorithm>

namespace linsey::netlink {
namespace {

// What the kernel makes of metric 0 for IPv6.
constexpr std::uint32_t kDefaultPriorityV6 = 1024;

template <typename T>
T on_link(T item, int index) {
  if (item.link_index == 0) item.link_index = index;
  return item;
}

Route on_link(Route route, int index) {
  if (route.link_index == 0 && route.type == RouteType::kUnicast) {
    route.link_index = index;
  }
  return route;
}

void add_link(Batch& batch, const Desired& desired, int index, Apply how) {
  LinkChange change;
  // Setting it flushes the permanent neighbours, also when it is the same.
  if (how == Apply::kRepair) change.mac = desired.mac;
  change.group = 0;
  if (!desired.alias.empty()) change.alias = desired.alias;
  if (desired.strict_reverse_path) change.rp_filter_strict = true;
  if (desired.ipv4_forwarding) change.ipv4_forwarding = true;
  if (desired.route_localnet) change.route_localnet = true;
  change.no_auto_link_local = desired.manual_link_local;
  batch.set_link(index, change);
  // On its own: the kernel handles flags before the families.
  batch.set_link(index, {.up = true});
}

/// A route as it reads back from the kernel.
Route as_read(Route route) {
  if (route.dst.family() == Family::kV6) {
    route.scope = Scope::kGlobal;
    if (route.priority == 0) route.priority = kDefaultPriorityV6;
  }
  route.onlink = false;
  route.protocol = 0;
  route.mtu = 0;
  return route;
}

std::string to_text(const Route& route) {
  std::string text = route.dst.to_string();
  if (route.gateway) text += " via " + route.gateway->to_string();
  if (route.src) text += " src " + route.src->to_string();
  return text + fmt::format(" table {}", route.table);
}

std::string to_text(const Rule& rule) {
  std::string text = fmt::format("{}:", rule.priority);
  if (rule.from) text += " from " + rule.from->to_string();
  if (rule.to) text += " to " + rule.to->to_string();
  return text + fmt::format(" lookup {}", rule.table);
}

/// Collects the differences of one link.
class Differences {
 public:
  explicit Differences(const Desired& desired) : desired_(desired) {}

  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    found_.push_back(desired_.name + ": " +
                     fmt::format(format, std::forward<Args>(args)...));
  }
  std::vector<std::string> take() { return std::move(found_); }

 private:
  const Desired& desired_;
  std::vector<std::string> found_;
};

void compare_link(Differences& out, const Desired& desired, const Link& link) {
  if (!link.up) out.add("link is down");
  if (link.mac != desired.mac) {
    out.add("MAC is {}, not {}", link.mac.to_string(), desired.mac.to_string());
  }
  if (!desired.alias.empty() && link.alias != desired.alias) {
    out.add("alias is \"{}\", not \"{}\"", link.alias, desired.alias);
  }
}

void compare_addresses(Differences& out, const Desired& desired,
                       const std::vector<Address>& have) {
  for (const Address& want : desired.addresses) {
    const auto it = std::ranges::find(have, want.cidr, &Address::cidr);
    if (it == have.end()) {
      out.add("address {} is missing", want.cidr.to_string());
    } else if (it->tentative) {
      out.add("address {} is tentative", want.cidr.to_string());
    }
  }
}

void compare_routes(Differences& out, const Desired& desired,
                    const Observed& observed) {
  for (const Route& want : desired.routes) {
    const Route wanted = as_read(on_link(want, observed.link.index));
    const bool there = std::ranges::any_of(
        observed.routes,
        [&](const Route& route) { return as_read(route) == wanted; });
    if (!there) out.add("route {} is missing", to_text(want));
  }
}

void compare_neighbors(Differences& out, const Desired& desired,
                       const Observed& observed) {
  for (const Neighbor& want : desired.neighbors) {
    if (std::ranges::count(observed.neighbors,
                           on_link(want, observed.link.index)) == 0) {
      out.add("neighbour {} {} is missing", want.addr.to_string(),
              want.mac.to_string());
    }
  }
}

Family family_of(const Address& address) {
  return address.cidr.family();
}
Family family_of(const Route& route) {
  return route.dst.family();
}
Family family_of(const Neighbor& neighbor) {
  return neighbor.addr.family();
}

template <typename T>
std::set<Family> families_of(const std::vector<T>& entries) {
  std::set<Family> families;
  for (const T& entry : entries)
    families.insert(family_of(entry));
  return families;
}

/// The family to ask for: both come in one answer.
std::optional<Family> only(const std::set<Family>& families) {
  if (families.size() > 1) return std::nullopt;
  return *families.begin();
}

std::set<Family> joined(std::set<Family> families,
                        const std::set<Family>& more) {
  families.insert(more.begin(), more.end());
  return families;
}

Result<void> compare_rules(Differences& out, Socket& socket,
                           const Desired& desired) {
  for (const Family family : kFamilies) {
    const bool any =
        std::ranges::count(desired.rules, family, &Rule::family) > 0;
    if (!any) continue;
    const auto have = TRY(socket.rules(family));
    for (const Rule& want : desired.rules) {
      if (want.family == family && std::ranges::count(have, want) == 0) {
        out.add("rule {} is missing", to_text(want));
      }
    }
  }
  return {};
}

}  // namespace

void add_to(Batch& batch, const Desired& desired, int index, Apply how) {
  const bool exact = how == Apply::kExact;
  add_link(batch, desired, index, how);
  for (const Address& address : desired.addresses) {
    const Address item = on_link(address, index);
    exact ? batch.add_address(item) : batch.replace_address(item);
  }
  for (const Neighbor& neighbor : desired.neighbors) {
    batch.replace_neighbor(on_link(neighbor, index));
  }
  for (const Route& route : desired.routes) {
    const Route item = on_link(route, index);
    exact ? batch.add_route(item) : batch.replace_route(item);
  }
  for (const Rule& rule : desired.rules) {
    batch.add_rule(rule, exact ? Existing::kError : Existing::kFine);
  }
}

Result<void> apply(Socket& socket, const Desired& desired, Apply how) {
  const auto link = TRY(socket.find_link(desired.name));
  if (!link) {
    return make_error(Code::kStateMismatch, "link {} is missing", desired.name);
  }
  Batch batch;
  add_to(batch, desired, link->index, how);
  return socket.run(batch);
}

Result<std::optional<Observed>> observe(Socket& socket, const Desired& desired,
                                        const std::set<Family>& whole) {
  auto link = TRY(socket.find_link(desired.name));
  if (!link) return std::optional<Observed>();
  Observed seen;
  seen.link = *std::move(link);
  const int index = seen.link.index;
  const auto addressed = joined(families_of(desired.addresses), whole);
  if (!addressed.empty()) {
    seen.addresses = TRY(socket.addresses(index, only(addressed)));
  }
  for (const Family family : joined(families_of(desired.routes), whole)) {
    const int of_link = whole.contains(family) ? 0 : index;
    const auto found =
        TRY(socket.routes({.family = family, .link_index = of_link}));
    seen.routes.insert(seen.routes.end(), found.begin(), found.end());
  }
  if (!desired.neighbors.empty()) {
    seen.neighbors =
        TRY(socket.neighbors(index, only(families_of(desired.neighbors))));
  }
  return std::optional<Observed>(std::move(seen));
}

std::vector<std::string> compare(const Desired& desired,
                                 const std::optional<Observed>& observed) {
  Differences out(desired);
  if (!observed) {
    out.add("link is missing");
  } else {
    compare_link(out, desired, observed->link);
    compare_addresses(out, desired, observed->addresses);
    compare_routes(out, desired, *observed);
    compare_neighbors(out, desired, *observed);
  }
  return out.take();
}

Result<std::vector<std::string>> verify_rules(Socket& socket,
                                              const Desired& desired) {
  Differences out(desired);
  TRY(compare_rules(out, socket, desired));
  return out.take();
}

Result<std::vector<std::string>> verify(Socket& socket,
                                        const Desired& desired) {
  std::vector<std::string> found =
      compare(desired, TRY(observe(socket, desired)));
  for (std::string& one : TRY(verify_rules(socket, desired))) {
    found.push_back(std::move(one));
  }
  return found;
}

Result<void> remove(Socket& socket, const Desired& desired) {
  Batch batch;
  for (const Rule& rule : desired.rules) {
    batch.delete_rule(rule, Missing::kFine);
  }
  const auto link = TRY(socket.find_link(desired.name));
  if (link) {
    for (const Route& route : desired.routes) {
      batch.delete_route(on_link(route, link->index), Missing::kFine);
    }
    for (const Neighbor& neighbor : desired.neighbors) {
      batch.delete_neighbor(on_link(neighbor, link->index), Missing::kFine);
    }
    for (const Address& address : desired.addresses) {
      batch.delete_address(on_link(address, link->index), Missing::kFine);
    }
  }
  return socket.run(batch);
}

}  // namespace linsey::netlink
