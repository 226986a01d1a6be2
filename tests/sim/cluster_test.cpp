#include "sim/cluster.h"

#include <gtest/gtest.h>

namespace linsey::sim {
namespace {

constexpr SimOptions kSmall{.nodes = 100, .pods = 2000, .seed = 7};

Outcome run(const SimOptions& options) {
  return Cluster(options).run({});
}

Outcome run_with(Plant plant) {
  SimOptions options = kSmall;
  options.plant = plant;
  return run(options);
}

TEST(Cluster, KeepsEveryRuleAndTheSameSeedHasTheSameHash) {
  const Outcome first = run(kSmall);
  const Outcome second = run(kSmall);

  EXPECT_EQ(first.violation_count, 0U)
      << testing::PrintToString(first.violations);
  EXPECT_EQ(first.hash, second.hash);
  EXPECT_GT(first.created, 9 * kSmall.pods);
  EXPECT_GT(first.crashes, 0U);
  EXPECT_GT(first.died, 0U);
}

TEST(Cluster, AnotherSeedIsAnotherHistory) {
  SimOptions other = kSmall;
  other.seed = 8;

  EXPECT_NE(run(kSmall).hash, run(other).hash);
}

class PlantedTest : public testing::TestWithParam<Plant> {};

TEST_P(PlantedTest, IsFound) {
  EXPECT_GT(run_with(GetParam()).violation_count, 0U);
}

INSTANTIATE_TEST_SUITE_P(Cluster, PlantedTest,
                         testing::Values(Plant::kDoubleAddress,
                                         Plant::kLostAddress,
                                         Plant::kDoubleBlock,
                                         Plant::kManyWrites));

}  // namespace
}  // namespace linsey::sim
