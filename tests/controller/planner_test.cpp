#include "controller/planner.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace linsey::controller {
namespace {

using std::chrono_literals::operator""min;  // NOLINT(misc-unused-using-decls)
using std::chrono_literals::operator""s;    // NOLINT(misc-unused-using-decls)

constexpr Instant kStart = std::chrono::hours(1);

class PlannerTest : public testing::Test {
 protected:
  PlannerTest() {
    scene_.current = true;
    scene_.wall = "2026-01-02T00:00:00Z";
    scene_.nodes = {"m1"};
  }
  kube::IpPool& pool(const std::string& name, std::string_view cidr,
                     const std::string& created) {
    kube::IpPool& pool = scene_.pools[name];
    pool.meta.name = name;
    pool.meta.created = created;
    pool.meta.finalizers = {std::string(kube::kBlocksFinalizer)};
    pool.cidr = *Cidr::parse(cidr);
    pool.block_size = 26;
    return pool;
  }
  void block(std::string_view cidr, const std::string& node) {
    kube::IpBlock block{.cidr = *Cidr::parse(cidr), .pool = "p", .node = node};
    block.meta.name = kube::block_name(block.cidr);
    scene_.blocks[block.meta.name] = block;
  }
  /// Carries out what is said about pools; the rest is counted.
  std::size_t settle(Instant now) {
    std::size_t freed = 0;
    for (const Action& action : planner_.plan(scene_, now)) {
      if (action.verb == Verb::kFreeBlock) {
        scene_.blocks.erase(action.block.meta.name);
        ++freed;
      } else if (action.verb == Verb::kForgetNode) {
        forgotten_.push_back(action.node);
      } else if (action.verb == Verb::kSetFinalizers) {
        scene_.pools[action.pool.meta.name].meta.finalizers =
            action.pool.meta.finalizers;
      } else {
        kube::IpPool& pool = scene_.pools[action.pool.meta.name];
        pool.conditions = action.pool.conditions;
        pool.blocks_total = action.pool.blocks_total;
        pool.blocks_used = action.pool.blocks_used;
      }
    }
    return freed;
  }

  Scene scene_;
  Planner planner_;
  std::vector<std::string> forgotten_;
};

TEST_F(PlannerTest, OfTwoPoolsThatOverlapTheOlderIsValid) {
  pool("a", "10.0.0.0/16", "2026-01-02T00:00:00Z");
  pool("b", "10.0.128.0/17", "2026-01-01T00:00:00Z");

  settle(kStart);

  EXPECT_TRUE(scene_.pools["b"].valid());
  EXPECT_FALSE(scene_.pools["a"].valid());
  EXPECT_EQ(scene_.pools["a"].conditions.at(0).reason, "PoolOverlap");
  EXPECT_NE(scene_.pools["a"].conditions.at(0).message.find("IPPool b"),
            std::string::npos);
}

TEST_F(PlannerTest, APoolBecomesValidWhenTheOlderIsGone) {
  pool("a", "10.0.0.0/16", "2");
  pool("b", "10.0.0.0/16", "1");
  settle(kStart);

  scene_.pools.erase("b");
  settle(kStart + 1s);

  EXPECT_TRUE(scene_.pools["a"].valid());
}

TEST_F(PlannerTest, AnInvalidPoolIsInNobodysWay) {
  pool("a", "10.0.0.0/16", "1").block_size = 8;
  pool("b", "10.0.0.0/16", "2");

  settle(kStart);

  EXPECT_EQ(scene_.pools["a"].conditions.at(0).reason, "InvalidConfig");
  EXPECT_TRUE(scene_.pools["b"].valid());
}

TEST_F(PlannerTest, NothingIsWrittenTwice) {
  pool("p", "10.0.0.0/16", "1");
  settle(kStart);

  EXPECT_TRUE(planner_.plan(scene_, kStart + 1min).empty());
}

TEST_F(PlannerTest, CountsAreToldWithAPauseBetween) {
  pool("p", "10.0.0.0/24", "1");
  settle(kStart);
  block("10.0.0.0/26", "m1");

  settle(kStart + 1s);
  EXPECT_EQ(scene_.pools["p"].blocks_used, 0);
  settle(kStart + 61s);

  EXPECT_EQ(scene_.pools["p"].blocks_used, 1);
  EXPECT_EQ(scene_.pools["p"].blocks_total, 4);
}

TEST_F(PlannerTest, AConditionKeepsItsTimeWhileItStands) {
  pool("p", "10.0.0.0/24", "1");
  settle(kStart);
  block("10.0.0.0/26", "m1");
  scene_.wall = "later";

  settle(kStart + 2min);

  EXPECT_EQ(scene_.pools["p"].conditions.at(0).since, "2026-01-02T00:00:00Z");
}

TEST_F(PlannerTest, AFinalizerKeepsAPoolUntilItsLastBlockIsGone) {
  pool("p", "10.0.0.0/24", "1").meta.finalizers = {"other"};
  settle(kStart);
  ASSERT_EQ(scene_.pools["p"].meta.finalizers.size(), 2U);
  block("10.0.0.0/26", "m1");
  scene_.pools["p"].meta.deleting = true;

  settle(kStart + 1s);
  EXPECT_EQ(scene_.pools["p"].meta.finalizers.size(), 2U);
  scene_.blocks.clear();
  settle(kStart + 2s);

  EXPECT_EQ(scene_.pools["p"].meta.finalizers,
            std::vector<std::string>{"other"});
}

TEST_F(PlannerTest, BlocksOfAGoneNodeAreFreedAfterTheGrace) {
  block("10.0.0.0/26", "m1");
  block("10.0.0.64/26", "m2");

  EXPECT_EQ(settle(kStart), 0U);
  EXPECT_EQ(settle(kStart + 4min), 0U);
  EXPECT_EQ(settle(kStart + 5min), 1U);

  EXPECT_EQ(scene_.blocks.size(), 1U);
  EXPECT_EQ(scene_.blocks.begin()->second.node, "m1");
}

TEST_F(PlannerTest, ANodeMadeAnewKeepsItsBlocks) {
  block("10.0.0.0/26", "m2");
  settle(kStart);
  scene_.nodes.insert("m2");
  settle(kStart + 4min);
  scene_.nodes.erase("m2");

  EXPECT_EQ(settle(kStart + 6min), 0U);
  EXPECT_EQ(settle(kStart + 11min), 1U);
}

TEST_F(PlannerTest, NothingIsFreedOnStaleData) {
  block("10.0.0.0/26", "m2");
  settle(kStart);
  scene_.current = false;
  EXPECT_EQ(settle(kStart + 6min), 0U);
  scene_.current = true;

  EXPECT_EQ(settle(kStart + 7min), 0U);
  EXPECT_EQ(settle(kStart + 12min), 1U);
}

TEST_F(PlannerTest, AGoneNodesNetworkStatusIsForgotten) {
  settle(kStart);
  scene_.nodes.clear();
  settle(kStart + 1s);
  settle(kStart + 6min);
  settle(kStart + 12min);

  EXPECT_EQ(forgotten_, std::vector<std::string>{"m1"});
}

TEST_F(PlannerTest, ManyBlocksAreFreedInPortions) {
  for (int i = 0; i < 250; ++i) {
    block(fmt::format("10.0.{}.0/26", i), fmt::format("n{}", i));
  }
  settle(kStart);

  EXPECT_EQ(settle(kStart + 5min), 100U);
  EXPECT_EQ(settle(kStart + 5min + 1s), 100U);
  EXPECT_EQ(settle(kStart + 5min + 2s), 50U);
}

}  // namespace
}  // namespace linsey::controller
