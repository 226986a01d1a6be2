// The prover against a checker that knows no prefixes: it counts addresses one
// by one, in a universe of 4096 of them.
#include <bitset>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "conf/cidr_plan.h"
#include "conf/preflight.h"

namespace linsey::conf {
namespace {

using enum NetworkKind;

constexpr std::size_t kUniverse = 4096;
constexpr std::uint32_t kBase = 0x0a000000;
using Addresses = std::bitset<kUniverse>;

NamedNetwork network(NetworkKind kind, std::string name, std::uint32_t offset,
                     unsigned prefix_len) {
  NamedNetwork out{kind, std::move(name), "here",
                   Cidr(IpAddr::v4(kBase + offset), prefix_len).network()};
  return out;
}

Addresses addresses_of(const NamedNetwork& network) {
  Addresses out;
  for (std::uint32_t i = 0; i < kUniverse; ++i) {
    if (network.cidr.contains(IpAddr::v4(kBase + i))) out.set(i);
  }
  return out;
}

/// Written as people say it: who may stand in whom.
bool may_stand_in(NetworkKind inner, NetworkKind outer) {
  static const std::map<NetworkKind, std::set<NetworkKind>> kHomes = {
      {kNodes, {kVpc, kDataCentre, kHostVSwitch}},
      {kHostVSwitch, {kVpc, kNodes}},
      {kPodVSwitch, {kVpc}},
      {kNodeAddress, {kVpc, kDataCentre, kNodes, kHostVSwitch, kLearned}},
      {kBlock, {kPool}},
      {kLearned, {kVpc, kDataCentre, kNodes, kHostVSwitch, kPodVSwitch}}};
  const auto homes = kHomes.find(inner);
  return homes != kHomes.end() && homes->second.contains(outer);
}

Verdict brute_force(const NamedNetwork& a, const NamedNetwork& b) {
  const Addresses one = addresses_of(a);
  const Addresses other = addresses_of(b);
  const Addresses both = one & other;
  if (both.none()) return Verdict::kDisjoint;
  const auto fits = [&](const NamedNetwork& inner, const Addresses& in,
                        const NamedNetwork& outer, const Addresses& out) {
    if (both != in) return false;  // not wholly inside
    if (outer.kind == kLearned) {
      return inner.kind == kLearned || in != out || inner.kind == kBlock ||
             may_stand_in(inner.kind, kLearned);
    }
    if (inner.kind == kBlock && !inner.parent.empty() &&
        inner.parent != outer.name) {
      return false;
    }
    return may_stand_in(inner.kind, outer.kind) ||
           (inner.kind == kLearned && outer.kind == kBlock && in == out);
  };
  return fits(a, one, b, other) || fits(b, other, a, one) ? Verdict::kNested
                                                          : Verdict::kConflict;
}

NetworkKind random_kind(std::mt19937& random) {
  return static_cast<NetworkKind>(random() % 10);
}

TEST(CidrPlanProperty, AgreesWithTheCountOfAddresses) {
  std::mt19937 random(7);
  for (int round = 0; round < 100; ++round) {
    std::vector<NamedNetwork> networks;
    for (int i = 0; i < 8; ++i) {
      const NetworkKind kind = random_kind(random);
      const unsigned prefix_len =
          kind == kNodeAddress ? 32 : 20 + static_cast<unsigned>(random() % 9);
      networks.push_back(network(
          kind, "n" + std::to_string(i),
          static_cast<std::uint32_t>(random() % kUniverse), prefix_len));
      if (kind == kBlock && random() % 2 == 0) networks.back().parent = "n0";
    }
    for (const NamedNetwork& a : networks) {
      for (const NamedNetwork& b : networks) {
        if (&a == &b) continue;
        ASSERT_EQ(verdict(a, b), brute_force(a, b))
            << name(a.kind) << " " << a.cidr.to_string() << " and "
            << name(b.kind) << " " << b.cidr.to_string();
      }
    }
  }
}

TEST(CidrPlanProperty, UncoveredAgreesWithTheCountOfAddresses) {
  std::mt19937 random(11);
  for (int round = 0; round < 500; ++round) {
    const NamedNetwork wanted =
        network(kPool, "w", static_cast<std::uint32_t>(random() % kUniverse),
                20 + static_cast<unsigned>(random() % 9));
    std::vector<Cidr> by;
    Addresses covered;
    for (std::size_t i = 0; i < random() % 12; ++i) {
      const NamedNetwork one = network(
          kLearned, "r", static_cast<std::uint32_t>(random() % kUniverse),
          21 + static_cast<unsigned>(random() % 8));
      by.push_back(one.cidr);
      covered |= addresses_of(one);
    }

    const auto gap = uncovered(wanted.cidr, by);

    const Addresses left = addresses_of(wanted) & ~covered;
    ASSERT_EQ(gap.has_value(), left.any());
    if (gap) {
      const std::uint64_t at = gap->minus(IpAddr::v4(kBase));
      ASSERT_TRUE(left.test(static_cast<std::size_t>(at)));
    }
  }
}

/// Cuts 10.0.0.0/8 into pieces that are disjoint, and hands them out.
class Carver {
 public:
  explicit Carver(std::mt19937& random) : random_(random) {
    pieces_.emplace_back(IpAddr::v4(0x0a000000), 8);
    while (pieces_.size() < 40) {
      split(random_() % pieces_.size());
    }
    std::shuffle(pieces_.begin(), pieces_.end(), random_);
  }
  Cidr next() {
    const Cidr out = pieces_.back();
    pieces_.pop_back();
    return out;
  }
  /// A part of `whole`.
  Cidr part_of(const Cidr& whole, unsigned deeper) {
    const unsigned prefix_len = std::min(whole.prefix_len() + deeper, 32U);
    const std::uint64_t offset = random_() % whole.size();
    return Cidr(*whole.first().plus(offset), prefix_len).network();
  }

 private:
  void split(std::size_t at) {
    const Cidr whole = pieces_[at];
    if (whole.prefix_len() >= 22) return;
    const unsigned prefix_len = whole.prefix_len() + 1;
    pieces_[at] = Cidr(whole.first(), prefix_len);
    pieces_.emplace_back(*whole.first().plus(whole.size() / 2), prefix_len);
  }
  std::mt19937& random_;
  std::vector<Cidr> pieces_;
};

void add_cloud(Plan& plan, Carver& carver) {
  const Cidr vpc = carver.next();
  plan.vpcs = {{"vpc-1", {vpc}}};
  const Cidr hosts(vpc.first(), vpc.prefix_len() + 1);
  const Cidr pods(*vpc.first().plus(vpc.size() / 2), vpc.prefix_len() + 1);
  plan.v_switches = {{"vsw-h", "z", "", false, {hosts}},
                     {"vsw-p", "z", "", true, {carver.part_of(pods, 1)}}};
  plan.zones["z"].v_switches = {"vsw-p"};
  plan.nodes.push_back(
      {"c1", "z", "vsw-h", {carver.part_of(hosts, 32).first()}, 10, 20});
}

void add_data_centre(Plan& plan, Carver& carver) {
  plan.data_centre = {{"idc", carver.next()}};
  const Cidr rack = carver.part_of(plan.data_centre[0].cidr, 2);
  plan.node_ranges = {{"rack", rack}};
  plan.nodes.push_back({"m1", "", "", {rack.first()}, {}, {}});
  plan.services = {{"svc", carver.next()}};
  for (const char* name : {"p1", "p2", "p3"}) {
    plan.pools.push_back({.name = name, .cidr = carver.next()});
    const Cidr block = carver.part_of(plan.pools.back().cidr, 4);
    plan.blocks.push_back({"", name, "m1", block});
  }
}

void add_reach(Plan& plan) {
  plan.learned.emplace();
  plan.learned->push_back({plan.blocks[1].cidr, "rr", "m1"});
  plan.learned->push_back({Cidr(IpAddr(), 0), "rr", "m1"});
  plan.vpc_routes = {{Cidr(IpAddr::v4(0x0a000000), 8), "line", ""}};
  const PlanGroupRule all{.cidr = Cidr(IpAddr::v4(0x0a000000), 8)};
  plan.security_groups = {{"sg", false, {all}}};
}

TEST(CidrPlanProperty, ReportsNothingOnAThousandPlansWithoutConflict) {
  std::mt19937 random(23);
  for (int round = 0; round < 1000; ++round) {
    Carver carver(random);
    Plan plan;
    add_cloud(plan, carver);
    add_data_centre(plan, carver);
    add_reach(plan);
    for (const Check& check : examine(plan)) {
      ASSERT_NE(check.finding, Finding::kAgainst)
          << "plan " << round << ": " << to_string(check.why);
    }
  }
}

TEST(CidrPlanProperty, FindsAConflictPlantedInAThousandPlans) {
  std::mt19937 random(29);
  for (int round = 0; round < 1000; ++round) {
    Carver carver(random);
    Plan plan;
    add_cloud(plan, carver);
    add_data_centre(plan, carver);
    const std::vector<NamedNetwork> all = networks_of(plan);
    const NamedNetwork& victim = all[random() % all.size()];
    plan.pools.push_back(
        {.name = "planted", .cidr = carver.part_of(victim.cidr, 3)});

    const std::vector<Error> errors = conflicts(networks_of(plan));

    ASSERT_FALSE(errors.empty()) << victim.name;
  }
}

}  // namespace
}  // namespace linsey::conf
