#include "conf/cidr_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linsey::conf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

NamedNetwork network(NetworkKind kind, const char* name, const char* cidr) {
  return {kind, name, std::string("/") + name, *Cidr::parse_network(cidr)};
}

constexpr auto kPool = NetworkKind::kPool;
constexpr auto kNodes = NetworkKind::kNodes;
constexpr auto kVpc = NetworkKind::kVpc;
constexpr auto kDataCentre = NetworkKind::kDataCentre;
constexpr auto kServices = NetworkKind::kServices;

struct VerdictCase {
  NamedNetwork a;
  NamedNetwork b;
  Verdict verdict;
};

class CidrVerdict : public ::testing::TestWithParam<VerdictCase> {};

TEST_P(CidrVerdict, IsTheSameBothWaysRound) {
  const VerdictCase& c = GetParam();

  EXPECT_EQ(verdict(c.a, c.b), c.verdict);
  EXPECT_EQ(verdict(c.b, c.a), c.verdict);
}

INSTANTIATE_TEST_SUITE_P(
    Table, CidrVerdict,
    ::testing::Values(
        VerdictCase{network(kPool, "a", "10.0.0.0/16"),
                    network(kPool, "b", "10.1.0.0/16"), Verdict::kDisjoint},
        VerdictCase{network(kPool, "a", "10.0.0.0/16"),
                    network(kPool, "b", "10.0.8.0/24"), Verdict::kConflict},
        VerdictCase{network(kPool, "a", "10.0.0.0/16"),
                    network(kPool, "b", "fd00::/64"), Verdict::kDisjoint},
        VerdictCase{network(kPool, "a", "fd00::/64"),
                    network(kPool, "b", "fd00::/48"), Verdict::kConflict},
        VerdictCase{network(kVpc, "a", "10.0.0.0/8"),
                    network(kNodes, "b", "10.1.0.0/16"), Verdict::kNested},
        VerdictCase{network(kDataCentre, "a", "10.0.0.0/8"),
                    network(kNodes, "b", "10.0.0.0/8"), Verdict::kNested},
        VerdictCase{network(kDataCentre, "a", "10.1.0.0/16"),
                    network(kNodes, "b", "10.0.0.0/8"), Verdict::kConflict},
        VerdictCase{network(kServices, "a", "10.0.0.0/8"),
                    network(kNodes, "b", "10.1.0.0/16"), Verdict::kConflict},
        VerdictCase{network(kVpc, "a", "10.0.0.0/8"),
                    network(kPool, "b", "10.1.0.0/16"), Verdict::kConflict},
        VerdictCase{network(kVpc, "a", "10.0.0.0/8"),
                    network(kDataCentre, "b", "10.0.0.0/8"),
                    Verdict::kConflict},
        VerdictCase{network(kNodes, "a", "10.0.0.0/8"),
                    network(kPool, "b", "10.1.0.0/16"), Verdict::kConflict}));

TEST(CidrPlan, ProvesEveryPairOnce) {
  const std::vector<NamedNetwork> networks = {
      network(kVpc, "vpc", "10.0.0.0/8"),
      network(kNodes, "nodes", "10.1.0.0/16"),
      network(kPool, "pool", "10.2.0.0/16")};

  EXPECT_THAT(prove(networks),
              ElementsAre(PairVerdict{0, 1, Verdict::kNested},
                          PairVerdict{0, 2, Verdict::kConflict},
                          PairVerdict{1, 2, Verdict::kDisjoint}));
}

TEST(CidrPlan, NamesBothPoolsOfAnOverlap) {
  const std::vector<NamedNetwork> networks = {
      network(kPool, "east", "10.0.0.0/16"),
      network(kPool, "west", "10.0.128.0/17")};

  const Result<void> checked = check_plan(networks);

  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, Code::kPoolOverlap);
  EXPECT_THAT(checked.error().msg, HasSubstr("pool \"east\" 10.0.0.0/16"));
  EXPECT_THAT(checked.error().msg, HasSubstr("pool \"west\" 10.0.128.0/17"));
  EXPECT_THAT(checked.error().msg, HasSubstr("disjoint"));
}

TEST(CidrPlan, HoldsWhenNothingConflicts) {
  const std::vector<NamedNetwork> networks = {
      network(kVpc, "vpc", "10.0.0.0/8"),
      network(kNodes, "nodes", "10.1.0.0/16")};

  EXPECT_TRUE(check_plan(networks));
}

}  // namespace
}  // namespace linsey::conf
