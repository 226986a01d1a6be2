#include "line/plan.h"

#include <netinet/in.h>

#include <algorithm>
#include <limits>
#include <set>

namespace linsey::line {
namespace {

using conf::LineClass;
using netlink::HtbClass;
using netlink::TcQdisc;
using netlink::U32Filter;
using netlink::U32Key;

constexpr std::uint32_t kRoot = 0x10000;               // 1:
constexpr std::uint64_t kCountOnly = 125'000'000'000;  // 1 Tbit/s
constexpr std::uint64_t kBitsPerByte = 8;
// A leaf is guaranteed only this part of its class: above it the leaves of a
// class borrow from it in turn, which is what makes them equal.
constexpr std::uint64_t kLeafPart = 1024;
constexpr std::uint64_t kMinLeafRate = 1000;
constexpr std::uint64_t kMinBurst = 32768;
constexpr std::uint64_t kMinQueue = 131072;

// Preferences on an ifb, and the hash tables of the two families.
constexpr std::uint16_t kPrefV4 = 1;
constexpr std::uint16_t kPrefV6 = 2;
constexpr std::uint32_t kBuckets = 256;

struct FamilyFacts {
  std::uint16_t protocol;
  std::uint16_t step;  // added to a preference
  std::uint32_t table;
  int source;  // offsets in the header
  int destination;
  int length;
};

constexpr FamilyFacts facts(Family family) {
  return family == Family::kV4
             ? FamilyFacts{netlink::kEtherIpv4, 0, 1, 12, 16, 4}
             : FamilyFacts{netlink::kEtherIpv6, 1, 2, 8, 24, 16};
}

std::uint32_t word(const IpAddr& ip, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value << 8 | ip.bytes()[at + i];
  }
  return value;
}

/// Keys that match addresses of `cidr` at `offset`.
std::vector<U32Key> address_keys(const Cidr& cidr, int offset) {
  std::vector<U32Key> keys;
  const unsigned words = cidr.addr().bit_length() / 32;
  for (unsigned i = 0; i < words; ++i) {
    const unsigned before = i * 32;
    if (cidr.prefix_len() <= before) break;
    const unsigned bits = std::min(32U, cidr.prefix_len() - before);
    const auto mask =
        static_cast<std::uint32_t>(~((std::uint64_t{1} << (32 - bits)) - 1));
    keys.push_back({word(cidr.addr(), std::size_t{i} * 4) & mask, mask,
                    offset + static_cast<int>(i) * 4});
  }
  if (keys.empty()) keys.push_back({0, 0, 0});
  return keys;
}

/// Adds "whole packet, no options, this protocol, this port".
void add_port_keys(std::vector<U32Key>& keys, Family family,
                   const conf::LineExemption& exemption, bool source) {
  const std::uint32_t protocol =
      exemption.protocol == "udp" ? IPPROTO_UDP : IPPROTO_TCP;
  const std::uint32_t port =
      source ? std::uint32_t{exemption.port} << 16 : exemption.port;
  const std::uint32_t port_mask = source ? 0xffff0000 : 0x0000ffff;
  if (family == Family::kV4) {
    keys.push_back({0x05000000, 0x0f000000, 0});
    keys.push_back({0, 0x00001fff, 4});  // no later fragment
    keys.push_back({protocol << 16, 0x00ff0000, 8});
    keys.push_back({port, port_mask, 20});
  } else {
    keys.push_back({protocol << 8, 0x0000ff00, 4});
    keys.push_back({port, port_mask, 40});
  }
}

struct Rates {
  std::uint64_t budget = 0;  // bytes a second
  bool limits = true;

  std::uint64_t part(unsigned percent) const {
    return limits ? budget * percent / 100 : budget;
  }
  std::uint64_t guaranteed(unsigned percent) const {
    return budget * percent / 100;
  }
};

std::uint32_t saturated(std::uint64_t value) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(
      value, std::numeric_limits<std::uint32_t>::max()));
}

/// 10 ms of it: what a timer of a busy node may be late.
std::uint32_t burst_of(std::uint64_t rate) {
  return saturated(std::clamp<std::uint64_t>(rate / 100, kMinBurst, 64U << 20));
}

std::uint32_t quantum_of(std::uint64_t budget) {
  return saturated(std::clamp<std::uint64_t>(budget / 1000, 3028, 60000));
}

HtbClass make_class(std::uint32_t minor, std::uint32_t parent_minor,
                    std::uint64_t rate, std::uint64_t ceil) {
  return {.handle = kRoot | minor,
          .parent = kRoot | parent_minor,
          .rate = rate,
          .ceil = ceil,
          .burst = burst_of(ceil)};
}

TcQdisc make_queue(std::uint32_t minor, const std::string& kind,
                   std::uint64_t ceil) {
  TcQdisc queue{.kind = kind, .handle = minor << 16, .parent = kRoot | minor};
  // 100 ms of the ceiling: two round trips of a line of 20 ms, and some.
  if (kind == "bfifo") {
    queue.limit = saturated(std::max(ceil / 10, kMinQueue));
  }
  return queue;
}

void add_leaf(Tree& tree, std::uint32_t minor, const HtbClass& parent,
              const Rates& rates, const std::string& queue) {
  HtbClass leaf =
      make_class(minor, parent.handle & 0xffff,
                 std::max(parent.rate / kLeafPart, kMinLeafRate), parent.ceil);
  leaf.prio = parent.prio;
  leaf.quantum = quantum_of(rates.budget);
  tree.classes.push_back(leaf);
  tree.queues.push_back(make_queue(minor, queue, leaf.ceil));
}

void add_tables(Tree& tree, Direction direction) {
  for (const Family family : kFamilies) {
    const FamilyFacts of = facts(family);
    U32Filter table{.parent = kRoot,
                    .pref = family == Family::kV4 ? kPrefV4 : kPrefV6,
                    .protocol = of.protocol,
                    .table = of.table,
                    .divisor = kBuckets};
    tree.filters.push_back(table);
    const int start =
        direction == Direction::kDown ? of.destination : of.source;
    U32Filter link = table;
    link.table = link.divisor = 0;
    link.keys = {{0, 0, 0}};
    link.link_table = of.table;
    link.hash_mask = 0xff;
    link.hash_offset = start + of.length - 4;
    tree.filters.push_back(link);
  }
}

U32Filter pod_filter(const IpAddr& address, std::uint32_t minor,
                     Direction direction) {
  const FamilyFacts of = facts(address.family());
  const int start = direction == Direction::kDown ? of.destination : of.source;
  return {.parent = kRoot,
          .pref = address.is_v4() ? kPrefV4 : kPrefV6,
          .protocol = of.protocol,
          .table = of.table,
          .bucket = address.bytes().back(),
          .keys = address_keys(Cidr::host(address), start),
          .class_id = kRoot | minor};
}

/// The class that gets its share first when others would borrow.
std::uint32_t prio_of(LineClass cls) {
  return cls == LineClass::kGuaranteed   ? 0
         : cls == LineClass::kBestEffort ? 2
                                         : 1;
}

Rates rates_of(const conf::Line& line, Direction direction) {
  if (line.mode != "on") return {.budget = kCountOnly, .limits = false};
  return {.budget = (direction == Direction::kDown ? line.down : line.up) /
                    kBitsPerByte};
}

std::array<HtbClass, 4> inner_classes(const conf::Line& line,
                                      const Rates& rates) {
  std::array<HtbClass, 4> inner;
  for (const LineClass cls : conf::kLineClasses) {
    const conf::LineShare& share = line.of(cls);
    HtbClass& made = inner.at(static_cast<std::size_t>(cls));
    made = make_class(class_minor(cls), kRootMinor,
                      rates.guaranteed(share.share), rates.part(share.ceiling));
    made.quantum = quantum_of(rates.budget);
    made.prio = prio_of(cls);
  }
  return inner;
}

std::vector<U32Filter> nic_filters(const conf::Line& line,
                                   const std::vector<Cidr>& far,
                                   Direction direction) {
  std::vector<U32Filter> out;
  // u32 mixes the filters of both hooks of a clsact where preferences are
  // equal, so each direction has four of its own.
  const int first = line.preference + (direction == Direction::kDown ? 0 : 4);
  for (const conf::LineExemption& exemption : line.exemptions) {
    const Family family = exemption.cidr.family();
    const FamilyFacts of = facts(family);
    for (const bool source : {true, false}) {
      auto keys =
          address_keys(exemption.cidr, source ? of.source : of.destination);
      add_port_keys(keys, family, exemption, source);
      out.push_back({.pref = static_cast<std::uint16_t>(first + of.step),
                     .protocol = of.protocol,
                     .keys = std::move(keys),
                     .class_id = kMark});
    }
  }
  for (const Cidr& cidr : far) {
    const FamilyFacts of = facts(cidr.family());
    const int offset =
        direction == Direction::kDown ? of.source : of.destination;
    out.push_back({.pref = static_cast<std::uint16_t>(first + 2 + of.step),
                   .protocol = of.protocol,
                   .keys = address_keys(cidr, offset),
                   .class_id = kMark,
                   .redirect = kToIfb});
  }
  return out;
}

}  // namespace

std::string_view name(Direction direction) {
  return direction == Direction::kDown ? "down" : "up";
}

std::string_view ifb_name(Direction direction) {
  return direction == Direction::kDown ? "linsey-down" : "linsey-up";
}

std::uint32_t class_minor(LineClass cls) {
  return 0x10 + static_cast<std::uint32_t>(cls);
}

Plan make_plan(const conf::Line& line, const std::vector<Cidr>& far,
               const std::vector<Pod>& pods, const Numbers& numbers,
               const std::string& queue) {
  Plan plan;
  for (const Direction direction : kDirections) {
    const auto at = static_cast<std::size_t>(direction);
    Tree& tree = plan.trees.at(at);
    const Rates rates = rates_of(line, direction);
    tree.root = {.kind = "htb",
                 .handle = kRoot,
                 .parent = netlink::kTcRoot,
                 .default_class = kNodeLeafMinor};
    tree.classes.push_back(
        make_class(kRootMinor, 0, rates.budget, rates.budget));
    tree.classes.back().parent = netlink::kTcRoot;
    tree.classes.back().quantum = quantum_of(rates.budget);
    const std::array<HtbClass, 4> inner = inner_classes(line, rates);
    tree.classes.insert(tree.classes.end(), inner.begin(), inner.end());
    add_leaf(tree, kNodeLeafMinor, inner.back(), rates, queue);
    add_tables(tree, direction);
    for (const Pod& pod : pods) {
      const std::uint32_t minor = numbers.of(pod);
      if (minor == 0) continue;  // stays in the node's class
      add_leaf(tree, minor, inner.at(static_cast<std::size_t>(pod.cls)), rates,
               queue);
      for (const IpAddr& address : pod.addresses) {
        tree.filters.push_back(pod_filter(address, minor, direction));
      }
    }
    plan.nic.at(at) = nic_filters(line, far, direction);
  }
  return plan;
}

}  // namespace linsey::line
