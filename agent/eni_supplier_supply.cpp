// What EniSupplier gives to the ledger and tells about itself.

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/eni_supplier.h"
#include "base/crash_point.h"
#include "base/json.h"
#include "base/log.h"
#include "cloud/zone.h"

namespace linsey::agent {
namespace {

constexpr Duration kPatience = std::chrono::seconds(10);

/// The gateway of a vSwitch is the third address from the end of its network.
IpAddr third_from_end(const Cidr& cidr) {
  const IpAddr first = cidr.first();
  const std::uint64_t span = cidr.last().minus(first);
  return first.plus(span - 2).value_or(first);
}

/// The tables that rules of running pods name, by interface.
std::map<std::string, std::set<std::uint32_t>> tables_of_pods(
    const ipam::Ledger& ledger) {
  std::map<std::string, std::set<std::uint32_t>> tables;
  for (const auto& [key, held] : ledger.held()) {
    const auto& eni = held.allocation.eni;
    if (eni) tables[eni->eni_id].insert(eni->table);
  }
  return tables;
}

Json addresses_json(const std::vector<IpAddr>& addresses) {
  Json list = Json::array();
  for (const IpAddr& address : addresses) {
    list.push_back(address.to_string());
  }
  return list;
}

Json error_json(const std::optional<Error>& error) {
  return error ? Json(to_string(*error)) : Json(nullptr);
}

}  // namespace

cloud::Tags EniSupplier::tags() const {
  cloud::Tags tags = deps_.config.eni.tags;
  tags[kClusterTag] = deps_.config.cluster;
  tags[kInstanceTag] = instance_->id;
  return tags;
}

cloud::ZoneMap EniSupplier::zone_map() const {
  cloud::ZoneMap map;
  map.allow_host_v_switch = deps_.config.eni.allow_host_v_switch;
  for (const auto& [zone, entry] : deps_.config.eni.zones) {
    map.zones[zone] = entry.v_switches;
  }
  return map;
}

std::vector<IpAddr> EniSupplier::addresses_of(const std::string& eni_id) const {
  std::vector<IpAddr> addresses;
  for (const ipam::AddressRow& row : deps_.ledger.rows(deps_.clock.now())) {
    if (row.group == eni_id) addresses.push_back(row.address);
  }
  return addresses;
}

std::optional<IpAddr> EniSupplier::gateway_of(const KnownEni& known) const {
  if (known.gateway) return known.gateway;
  if (!v_switches_) return std::nullopt;
  const auto it =
      std::ranges::find(*v_switches_, known.eni.v_switch, &cloud::VSwitch::id);
  if (it == v_switches_->end()) return std::nullopt;
  return third_from_end(it->cidr);
}

// Somebody changed links or routes: what is ours is set up again at once.
void EniSupplier::heard_change(const std::set<std::uint32_t>& tables) {
  const auto count_drift = [this](const char* kind) {
    deps_.metrics.count("linsey_drift_repairs_total", {{"kind", kind}});
  };
  std::map<std::string, EniPlace> before;
  for (const auto& [id, known] : model_.enis()) {
    if (known.place && !known.busy) before.emplace(id, *known.place);
  }
  place_links();
  for (const auto& [id, place] : before) {
    const KnownEni* known = model_.find(id);
    if (known == nullptr || !known->place) {
      log::error("interface {}: its link {} is gone", id, place.link_name);
      count_drift("link-gone");
      next_check_ = Instant{};  // is it still attached?
    } else if (known->place->link_name != place.link_name) {
      count_drift("link-renamed");
    } else if (tables.contains(place.table)) {
      log::warn("interface {}: routes of its table {} were removed; repaired",
                id, place.table);
      count_drift("table");
    }
  }
  next_poll_ = Instant{};
  wake();
}

// What called the node's own address is answered from it.
void EniSupplier::keep_return_path() {
  if (!instance_) return;
  const auto kept = [this]() -> Result<void> {
    const auto primary = TRY(links_->find(instance_->mac));
    if (!primary) return {};
    if (!return_path_) {
      return_path_ = TRY(ReturnPath::start(deps_.loop, [this] {
        deps_.metrics.count("linsey_drift_repairs_total",
                            {{"kind", "return-path"}});
      }));
    }
    const conf::AgentConfig& config = deps_.config;
    return return_path_->set(
        {.primary = primary->name,
         .mark = config.eni.rules.return_mark,
         .priority = config.eni.rules.return_priority,
         .record_file = config.state_dir + "/sysctls.json"});
  }();
  if (!kept) {
    log::error("NodePort and hostPort of pods do not answer: {}",
               to_string(kept.error()));
  }
}

void EniSupplier::place_links() {
  keep_return_path();
  const auto tables = tables_of_pods(deps_.ledger);
  for (auto& [id, known] : model_.enis()) {
    const std::optional<IpAddr> gateway = gateway_of(known);
    if (!known.attached || known.busy || !gateway) continue;
    const conf::AgentConfig& config = deps_.config;
    const auto place = links_->set_up(
        {.mac = known.eni.mac,
         .mtu = config.mtu != 0 ? config.mtu : link_mtu_,
         .table_base = config.eni.rules.table_base,
         .more_tables =
             tables.contains(id) ? tables.at(id) : std::set<std::uint32_t>(),
         .gateway = *gateway,
         .gateway6 = known.gateway6,
         .record_file = config.state_dir + "/sysctls.json"});
    if (!place) {
      log::error("interface {}: {}", id, to_string(place.error()));
      machine_error_ = place.error();
      known.place.reset();
      continue;
    }
    machine_error_.reset();
    if (*place && known.place != *place) {
      log::info("interface {} is link {}, table {}", id, (*place)->link_name,
                (*place)->table);
    }
    known.place = *place;
  }
}

Result<std::vector<std::string>> EniSupplier::listed() const {
  return cloud::listed_v_switches(zone_map(), instance_->zone);
}

void EniSupplier::supply() {
  if (zone_error_ || !instance_) return;
  // Before the OpenAPI has confirmed the list for the first time the local
  // checks decide, so that a cut line does not stop a restarted agent.
  const auto ids = listed();
  if (!ids || (validated_ && *validated_ != *ids)) return;
  const Instant now = deps_.clock.now();
  std::vector<ipam::Supply> fresh;
  for (const auto& [id, known] : model_.enis()) {
    drop_strays(known);
    const std::string& v_switch = known.eni.v_switch;
    const bool hosts = v_switch == instance_->v_switch &&
                       !deps_.config.eni.allow_host_v_switch;
    if (hosts || std::ranges::find(*ids, v_switch) == ids->end()) continue;
    const std::vector<ipam::Supply> has = model_.supply_of(known);
    // Without an IPv6 address beside it an IPv4 one would be given alone.
    const bool alone = std::ranges::none_of(
        has, [](const ipam::Supply& one) { return !one.address.is_v4(); });
    if (deps_.config.eni.ipv6 && alone) continue;
    for (const ipam::Supply& one : has) {
      if (!one.address.is_v4() && !deps_.config.eni.ipv6) continue;
      const auto row = deps_.ledger.row(one.address, now);
      const bool given = row && !row->draining && row->group == one.group;
      if (!given) fresh.push_back(one);
    }
  }
  if (fresh.empty()) return;
  deps_.ledger.add(fresh);
  CRASH_POINT("eni.supplied");
  deps_.hooks.supply_changed();
}

// Addresses that the interface no longer has; held ones stay, draining.
void EniSupplier::drop_strays(const KnownEni& known) {
  if (!known.attached || !known.coming.empty()) return;
  std::vector<IpAddr> stray = addresses_of(known.eni.id);
  std::erase_if(stray,
                [&](const IpAddr& a) { return known.shown.contains(a); });
  if (stray.empty()) return;
  deps_.ledger.drain(stray);
  for (const IpAddr& address : stray) {
    (void)deps_.ledger.remove(std::span(&address, 1));  // fails while held
  }
}

void EniSupplier::withdraw(const std::string& eni_id) {
  deps_.ledger.drain(addresses_of(eni_id));
}

// Nothing is given, nothing is taken off, until the place is beyond doubt.
void EniSupplier::close_zone(const Error& why) {
  if (!zone_error_ || *zone_error_ != why) log::error("{}", to_string(why));
  zone_error_ = why;
  v_switches_.reset();
  for (const auto& [id, known] : model_.enis()) {
    withdraw(id);
  }
  refuse(why);
}

// A pod takes one address of each family from one interface: what counts are
// pairs.
ipam::Counts EniSupplier::pool_counts(Instant now) const {
  const auto sources = deps_.ledger.counts_by_source(now);
  ipam::Counts sum;
  for (const auto& [place, v4] : sources) {
    if (place.second != Family::kV4) continue;
    std::uint32_t free = v4.free;
    if (deps_.config.eni.ipv6) {
      const auto v6 = sources.find({place.first, Family::kV6});
      free = std::min(free, v6 == sources.end() ? 0 : v6->second.free);
    }
    sum.free += free;
    sum.cooling += v4.cooling;
  }
  return sum;
}

void EniSupplier::count_surplus() {
  const ipam::Counts counts = pool_counts(deps_.clock.now());
  const bool surplus = counts.free > deps_.config.eni.pool.max_idle;
  surplus_checks_ = surplus ? surplus_checks_ + 1 : 0;
}

Result<ipam::Allocation> EniSupplier::complete(
    const std::vector<IpAddr>& addresses) const {
  const auto row = addresses.empty()
                       ? std::nullopt
                       : deps_.ledger.row(addresses.front(), deps_.clock.now());
  const KnownEni* known = row ? model_.find(row->group) : nullptr;
  if (known == nullptr || !known->usable()) {
    return make_error(Code::kEniNotReady, "the interface {} is not set up",
                      row ? row->group : "of the address");
  }
  ipam::Allocation allocation;
  allocation.addresses = addresses;
  for (const IpAddr& address : addresses) {
    const auto node =
        std::ranges::find(node_addresses_, address.family(), &IpAddr::family);
    if (node == node_addresses_.end()) {
      return make_error(Code::kNodeUnknown,
                        "the primary interface has no IPv{} address for {}",
                        static_cast<int>(address.family()),
                        address.to_string());
    }
    allocation.node_addresses.push_back(*node);
  }
  const conf::AgentConfig& config = deps_.config;
  const std::uint32_t base = config.mtu != 0 ? config.mtu : link_mtu_;
  if (base > config.mtu_headroom) allocation.mtu = base - config.mtu_headroom;
  const conf::EniRules& rules = config.eni.rules;
  allocation.eni = ipam::EniPath{.eni_id = known->eni.id,
                                 .table = known->place->table,
                                 .to_pod_priority = rules.to_pod_priority,
                                 .from_pod_priority = rules.from_pod_priority};
  allocation.source = known->source();
  return allocation;
}

/// What a waiter is told whose deadline ends although nothing is wrong.
Error EniSupplier::on_its_way(Instant now) const {
  const auto seconds_since = [&](Instant then) {
    return std::chrono::duration_cast<std::chrono::seconds>(now - then).count();
  };
  if (!under_way_.empty()) {
    return make_error(Code::kEniNotReady,
                      "the cloud has worked at \"{}\" for {} s", under_way_,
                      seconds_since(under_way_since_));
  }
  for (const auto& [id, known] : model_.enis()) {
    if (known.usable() || known.retiring) continue;
    return make_error(Code::kEniNotReady, "interface {} is {} for {} s", id,
                      name(known.eni.status), seconds_since(known.asked));
  }
  return {};
}

Health EniSupplier::health() const {
  Health health{.ready = false,
                .why = make_error(Code::kAgentStarting,
                                  "linseyd reads what the cloud has"),
                .zone = instance_ ? instance_->zone : ""};
  const auto unready = [&](const Error& why) {
    health.why = why;
    return health;
  };
  if (zone_error_) return unready(*zone_error_);
  const Instant now = deps_.clock.now();
  health.ready = pool_counts(now).free > 0;
  if (health.ready) return health;
  if (machine_error_) return unready(*machine_error_);
  if (cloud_error_) return unready(*cloud_error_);
  if (!instance_ || !v_switches_) return health;
  if (shortage_) return unready(*shortage_);
  for (const auto& [id, known] : model_.enis()) {
    if (known.usable() || known.retiring || now - known.asked < kPatience) {
      continue;
    }
    return unready(make_error(
        Code::kEniNotReady, "interface {} ({}) is {}{}", id,
        known.eni.mac.to_string(), name(known.eni.status),
        known.attached ? ", but no link of the node has its MAC" : ""));
  }
  health.ready = true;  // it can be had on demand
  health.why = on_its_way(now);
  return health;
}

void EniSupplier::publish() const {
  Metrics& metrics = deps_.metrics;
  metrics.clear("linsey_cloud_api_budget_remaining");
  for (const auto& [action, left] : budget_.remaining(deps_.clock.now())) {
    metrics.set("linsey_cloud_api_budget_remaining", left, {{"api", action}});
  }
  metrics.clear("linsey_vswitch_free_addresses");
  if (!v_switches_) return;
  for (const cloud::VSwitch& v_switch : *v_switches_) {
    metrics.set("linsey_vswitch_free_addresses",
                static_cast<double>(v_switch.free),
                {{"zone", v_switch.zone}, {"vswitch", v_switch.id}});
  }
}

std::string EniSupplier::describe() const {
  Json enis = Json::array();
  for (const auto& [id, known] : model_.enis()) {
    Json eni{{"id", id},
             {"vSwitch", known.eni.v_switch},
             {"mac", known.eni.mac.to_string()},
             {"status", name(known.eni.status)},
             {"usable", known.usable()},
             {"retiring", known.retiring},
             {"ipv4", addresses_json(known.eni.ipv4)},
             {"ipv6", addresses_json(known.eni.ipv6)}};
    if (known.place) {
      eni["link"] = known.place->link_name;
      eni["table"] = known.place->table;
    }
    enis.push_back(std::move(eni));
  }
  Json v_switches = Json::array();
  for (const cloud::VSwitch& v_switch :
       v_switches_.value_or(std::vector<cloud::VSwitch>())) {
    v_switches.push_back({{"id", v_switch.id},
                          {"cidr", v_switch.cidr.to_string()},
                          {"free", v_switch.free}});
  }
  Json suspended = Json::object();
  for (const auto& [key, why] : suspensions_.active(deps_.clock.now())) {
    suspended[key.empty() ? "create" : key] = to_string(why);
  }
  const cloud::Instance instance = instance_.value_or(cloud::Instance());
  return dump_json({{"instance", instance.id},
                    {"type", instance.type},
                    {"zone", instance.zone},
                    {"vpc", instance.vpc},
                    {"hostVSwitch", instance.v_switch},
                    {"limits",
                     {{"enis", limits_.enis},
                      {"ipv4PerEni", limits_.ipv4_per_eni},
                      {"ipv6PerEni", limits_.ipv6_per_eni}}},
                    {"vSwitches", v_switches},
                    {"enis", enis},
                    {"suspended", suspended},
                    {"zoneError", error_json(zone_error_)},
                    {"cloudError", error_json(cloud_error_)},
                    {"machineError", error_json(machine_error_)},
                    {"shortage", error_json(shortage_)}});
}

}  // namespace linsey::agent
