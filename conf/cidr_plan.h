// The prover of CIDR plans: given every network that has a name, says for each
// pair whether they are disjoint, may lie in each other, or conflict. Pure, so
// that the agent's configuration, preflight and the controller share one rule.
//
// The rule: all networks are disjoint, but node ranges may lie inside a data
// centre or VPC range (nodes have addresses there). Pods of cloud nodes live in
// vSwitches of the VPC, never in pools, so a pool inside the VPC is a conflict.
// CIDRs either nest or are disjoint; there is no partial overlap.
#pragma once

#include <cstddef>
#include <cstdint>
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
  kNodes
};
std::string_view name(NetworkKind kind);  // "pool", "services", "vpc", …

struct NamedNetwork {
  NetworkKind kind = NetworkKind::kPool;
  std::string name;   // how people know it: "pool a"; may be empty
  std::string where;  // JSON pointer or other place where it is written
  Cidr cidr;
};

enum class Verdict : std::uint8_t { kDisjoint, kNested, kConflict };

/// Indexes into the list that was proved; `first` < `second`.
struct PairVerdict {
  std::size_t first = 0;
  std::size_t second = 0;
  Verdict verdict = Verdict::kDisjoint;

  bool operator==(const PairVerdict&) const = default;
};

Verdict verdict(const NamedNetwork& a, const NamedNetwork& b);

/// Every pair once, in order. Cost: quadratic; plans are dozens of networks.
std::vector<PairVerdict> prove(std::span<const NamedNetwork> networks);

/// Success when no pair conflicts. Errors: kPoolOverlap for the first two
/// pools that overlap, kCidrOverlap for any other pair; the message names both
/// networks and both places.
Result<void> check_plan(std::span<const NamedNetwork> networks);

}  // namespace linsey::conf
