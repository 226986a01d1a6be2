// The prover of CIDR plans: given every network that has a name, says for each
// pair whether they are disjoint, may lie in each other, or conflict. Pure, so
// that the agent's configuration, preflight and the controller share one rule.
//
// The rule: all networks are disjoint, but for what the table in cidr_plan.cpp
// allows to lie in another (nodes in a data centre, vSwitches in their VPC,
// blocks in their pool). Pods of cloud nodes live in vSwitches of the VPC,
// never in pools, so a pool inside the VPC is a conflict. Routes that BGP
// taught may cover anything (a default route does), and say nothing against
// each other; one that is no block of ours may not lie inside a pool. CIDRs
// either nest or are disjoint; there is no partial overlap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace linsey::conf {

enum class NetworkKind : std::uint8_t {
  kPool,
  kServices,
  kVpc,
  kDataCentre,
  kNodes,
  kHostVSwitch,
  kPodVSwitch,
  kBlock,
  kNodeAddress,  // one node's own, as /32 or /128
  kLearned,      // a route that BGP taught
};
/// "pool", "services", "vpc", "dataCentre", "nodes", "hostVSwitch", …
std::string_view name(NetworkKind kind);

struct NamedNetwork {
  NetworkKind kind = NetworkKind::kPool;
  std::string name;   // how people know it: "pool a"; may be empty
  std::string where;  // JSON pointer or other place where it is written
  Cidr cidr;
  std::string parent = {};  // of a block: its pool's name; empty: any pool
};

enum class Verdict : std::uint8_t { kDisjoint, kNested, kConflict };
std::string_view name(Verdict verdict);

/// Indexes into the list that was proved; `first` < `second`.
struct PairVerdict {
  std::size_t first = 0;
  std::size_t second = 0;
  Verdict verdict = Verdict::kDisjoint;

  bool operator==(const PairVerdict&) const = default;
};

/// Of two networks by themselves: a learned route inside a pool conflicts.
Verdict verdict(const NamedNetwork& a, const NamedNetwork& b);

/// Every pair once, in order. Here a learned route that is one of the listed
/// blocks is nested in its pool. Cost: quadratic; plans are dozens of networks.
std::vector<PairVerdict> prove(std::span<const NamedNetwork> networks);

/// What speaks against the plan: every conflicting pair, every block that lies
/// outside its pool, every vSwitch outside all VPC ranges (where any is
/// listed). Codes: kPoolOverlap, kVSwitchIsHost (host and pod vSwitch overlap),
/// kRouteInsidePool, kBlockOutsidePool, kVSwitchWrongVpc, else kCidrOverlap;
/// each message names the objects, the places and the remedy.
std::vector<Error> conflicts(std::span<const NamedNetwork> networks);

/// The first of conflicts(), if any.
Result<void> check_plan(std::span<const NamedNetwork> networks);

/// What of `wanted` no network of `by` covers; nullopt: all is covered, also
/// by several together. The first uncovered address stands for the rest.
std::optional<IpAddr> uncovered(const Cidr& wanted, std::span<const Cidr> by);

}  // namespace linsey::conf
