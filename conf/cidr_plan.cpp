#include "conf/cidr_plan.h"

#include <algorithm>
#include <array>

namespace linsey::conf {
namespace {

using enum NetworkKind;

struct Nesting {
  NetworkKind outer;
  NetworkKind inner;
};

/// Who may lie in whom. Equal networks count as nested.
constexpr auto kNestings = std::to_array<Nesting>({
    {kVpc, kNodes},
    {kVpc, kHostVSwitch},
    {kVpc, kPodVSwitch},
    {kVpc, kNodeAddress},
    {kVpc, kLearned},
    {kDataCentre, kNodes},
    {kDataCentre, kNodeAddress},
    {kDataCentre, kLearned},
    {kNodes, kHostVSwitch},
    {kNodes, kNodeAddress},
    {kNodes, kLearned},
    {kHostVSwitch, kNodes},
    {kHostVSwitch, kNodeAddress},
    {kHostVSwitch, kLearned},
    {kPodVSwitch, kLearned},
    {kPool, kBlock},
    {kLearned, kNodeAddress},
});

bool nests(const NamedNetwork& outer, const NamedNetwork& inner) {
  if (!outer.cidr.contains(inner.cidr)) return false;
  const bool other_pool = inner.kind == kBlock && !inner.parent.empty() &&
                          inner.parent != outer.name;
  return !other_pool && std::ranges::any_of(kNestings, [&](const Nesting& one) {
    return one.outer == outer.kind && one.inner == inner.kind;
  });
}

/// A route may cover whatever it likes, and be exactly a block.
bool route_fits(const NamedNetwork& route, const NamedNetwork& other) {
  if (route.kind != kLearned) return false;
  if (other.kind == kLearned) return true;
  if (route.cidr == other.cidr) return other.kind == kBlock;
  return route.cidr.contains(other.cidr);
}

std::string describe(const NamedNetwork& network) {
  std::string text(name(network.kind));
  if (!network.name.empty()) text += fmt::format(" \"{}\"", network.name);
  return fmt::format("{} {} ({})", text, network.cidr.to_string(),
                     network.where);
}

Code code_of(const NamedNetwork& a, const NamedNetwork& b) {
  const auto are = [&](NetworkKind one, NetworkKind other) {
    return (a.kind == one && b.kind == other) ||
           (a.kind == other && b.kind == one);
  };
  if (are(kPool, kPool)) return Code::kPoolOverlap;
  if (are(kHostVSwitch, kPodVSwitch)) return Code::kVSwitchIsHost;
  if (are(kLearned, kPool) || are(kLearned, kBlock)) {
    return Code::kRouteInsidePool;
  }
  return Code::kCidrOverlap;
}

Error conflict(const NamedNetwork& a, const NamedNetwork& b) {
  const Code code = code_of(a, b);
  return make_error(code, "{}: {} overlaps {}; {}", b.where, describe(b),
                    describe(a), info(code).remedy);
}

bool is_v_switch(const NamedNetwork& network) {
  return network.kind == kHostVSwitch || network.kind == kPodVSwitch;
}

/// What must lie in something and does not.
std::optional<Error> orphan(const NamedNetwork& network,
                            std::span<const NamedNetwork> networks) {
  if (network.kind != kBlock && !is_v_switch(network)) return {};
  const NetworkKind outer = network.kind == kBlock ? kPool : kVpc;
  const bool any_vpc = std::ranges::any_of(
      networks, [](const NamedNetwork& one) { return one.kind == kVpc; });
  if (outer == kVpc && !any_vpc) return {};
  const bool fits = std::ranges::any_of(networks, [&](const NamedNetwork& one) {
    return one.kind == outer && nests(one, network);
  });
  if (fits) return {};
  if (outer == kVpc) {
    return make_error(Code::kVSwitchWrongVpc,
                      "{}: {} lies in no range of the VPC; {}", network.where,
                      describe(network), info(Code::kVSwitchWrongVpc).remedy);
  }
  const std::string pool =
      network.parent.empty() ? "any pool" : "its pool " + network.parent;
  return make_error(Code::kBlockOutsidePool, "{}: {} does not lie in {}; {}",
                    network.where, describe(network), pool,
                    info(Code::kBlockOutsidePool).remedy);
}

bool is_listed_block(const NamedNetwork& route,
                     std::span<const NamedNetwork> networks) {
  return std::ranges::any_of(networks, [&](const NamedNetwork& one) {
    return one.kind == kBlock && one.cidr == route.cidr;
  });
}

}  // namespace

std::string_view name(NetworkKind kind) {
  constexpr auto kNames = std::to_array<std::string_view>(
      {"pool", "services", "vpc", "dataCentre", "nodes", "hostVSwitch",
       "podVSwitch", "block", "nodeAddress", "learnedRoute"});
  return kNames.at(static_cast<std::size_t>(kind));
}

std::string_view name(Verdict verdict) {
  constexpr auto kNames =
      std::to_array<std::string_view>({"disjoint", "nested", "conflict"});
  return kNames.at(static_cast<std::size_t>(verdict));
}

Verdict verdict(const NamedNetwork& a, const NamedNetwork& b) {
  if (!a.cidr.overlaps(b.cidr)) return Verdict::kDisjoint;
  const bool fine =
      nests(a, b) || nests(b, a) || route_fits(a, b) || route_fits(b, a);
  return fine ? Verdict::kNested : Verdict::kConflict;
}

std::vector<PairVerdict> prove(std::span<const NamedNetwork> networks) {
  std::vector<PairVerdict> pairs;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    for (std::size_t j = i + 1; j < networks.size(); ++j) {
      const NamedNetwork& a = networks[i];
      const NamedNetwork& b = networks[j];
      Verdict found = verdict(a, b);
      if (found == Verdict::kConflict &&
          code_of(a, b) == Code::kRouteInsidePool &&
          (a.kind == kPool || b.kind == kPool) &&
          is_listed_block(a.kind == kLearned ? a : b, networks)) {
        found = Verdict::kNested;
      }
      pairs.push_back({i, j, found});
    }
  }
  return pairs;
}

std::vector<Error> conflicts(std::span<const NamedNetwork> networks) {
  std::vector<Error> errors;
  for (const PairVerdict& pair : prove(networks)) {
    if (pair.verdict != Verdict::kConflict) continue;
    errors.push_back(conflict(networks[pair.first], networks[pair.second]));
  }
  for (const NamedNetwork& network : networks) {
    if (auto error = orphan(network, networks)) {
      errors.push_back(*std::move(error));
    }
  }
  return errors;
}

Result<void> check_plan(std::span<const NamedNetwork> networks) {
  const std::vector<Error> errors = conflicts(networks);
  if (errors.empty()) return {};
  return errors.front();
}

std::optional<IpAddr> uncovered(const Cidr& wanted, std::span<const Cidr> by) {
  IpAddr next = wanted.first();
  for (;;) {
    // CIDRs nest: the widest that holds `next` also holds the most after it.
    const Cidr* widest = nullptr;
    for (const Cidr& one : by) {
      if (one.family() != wanted.family() || !one.contains(next)) continue;
      if (widest == nullptr || one.prefix_len() < widest->prefix_len()) {
        widest = &one;
      }
    }
    if (widest == nullptr) return next;
    if (widest->last() >= wanted.last()) return {};
    next = *widest->last().plus(1);
  }
}

}  // namespace linsey::conf
