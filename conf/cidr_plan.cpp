#include "conf/cidr_plan.h"

#include <array>

namespace linsey::conf {
namespace {

bool may_hold_nodes(NetworkKind kind) {
  return kind == NetworkKind::kVpc || kind == NetworkKind::kDataCentre;
}

bool nests(const NamedNetwork& outer, const NamedNetwork& inner) {
  return inner.kind == NetworkKind::kNodes && may_hold_nodes(outer.kind) &&
         outer.cidr.contains(inner.cidr);
}

std::string describe(const NamedNetwork& network) {
  std::string text(name(network.kind));
  if (!network.name.empty()) text += fmt::format(" \"{}\"", network.name);
  return fmt::format("{} {} ({})", text, network.cidr.to_string(),
                     network.where);
}

Error conflict(const NamedNetwork& a, const NamedNetwork& b) {
  const bool pools =
      a.kind == NetworkKind::kPool && b.kind == NetworkKind::kPool;
  const Code code = pools ? Code::kPoolOverlap : Code::kCidrOverlap;
  return make_error(code, "{}: {} overlaps {}; {}", b.where, describe(b),
                    describe(a), info(code).remedy);
}

}  // namespace

std::string_view name(NetworkKind kind) {
  constexpr auto kNames = std::to_array<std::string_view>(
      {"pool", "services", "vpc", "dataCentre", "nodes"});
  return kNames.at(static_cast<std::size_t>(kind));
}

Verdict verdict(const NamedNetwork& a, const NamedNetwork& b) {
  if (!a.cidr.overlaps(b.cidr)) return Verdict::kDisjoint;
  return nests(a, b) || nests(b, a) ? Verdict::kNested : Verdict::kConflict;
}

std::vector<PairVerdict> prove(std::span<const NamedNetwork> networks) {
  std::vector<PairVerdict> pairs;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    for (std::size_t j = i + 1; j < networks.size(); ++j) {
      pairs.push_back({i, j, verdict(networks[i], networks[j])});
    }
  }
  return pairs;
}

Result<void> check_plan(std::span<const NamedNetwork> networks) {
  for (const PairVerdict& pair : prove(networks)) {
    if (pair.verdict != Verdict::kConflict) continue;
    return conflict(networks[pair.first], networks[pair.second]);
  }
  return {};
}

}  // namespace linsey::conf
