#include "ipam/block_claims.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "ipam/probe_order.h"
#include "tests/ipam/claim_world.h"

namespace linsey::ipam {
namespace {

using std::chrono_literals::operator""s;  // NOLINT(misc-unused-using-decls)
using tests::ApiBlocks;
using tests::cidr;
using tests::ClaimNode;
using tests::kStart;

const ClaimPool kPool4{
    .name = "p4", .cidr = cidr("10.244.0.0/16"), .block_size = 26};
const ClaimPool kPool6{
    .name = "p6", .cidr = cidr("fd00::/64"), .block_size = 122};
const ClaimPool kSmall{
    .name = "s", .cidr = cidr("10.1.0.0/24"), .block_size = 26};

TEST(ProbeOrder, VisitsEveryBlockOnce) {
  const ProbeOrder order = *ProbeOrder::make("m1", kPool4);
  std::set<Cidr> seen;
  for (std::uint64_t i = 0; i < order.count(); ++i) {
    seen.insert(order.at(i));
  }

  EXPECT_EQ(seen.size(), 1024U);
  EXPECT_TRUE(kPool4.cidr.contains(*seen.begin()));
  EXPECT_TRUE(kPool4.cidr.contains(*seen.rbegin()));
}

TEST(ProbeOrder, NodesStartApart) {
  std::set<Cidr> starts;
  for (int i = 0; i < 100; ++i) {
    starts.insert(ProbeOrder::make("m" + std::to_string(i), kPool6)->at(0));
  }

  EXPECT_EQ(starts.size(), 100U);
}

TEST(BlockClaims, ClaimInTwoPhasesWithTwoWrites) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});

  ASSERT_TRUE(node.step(kStart));  // looks
  ASSERT_TRUE(node.step(kStart));  // creates
  ASSERT_EQ(api.objects.size(), 1U);
  const Cidr block = api.objects.begin()->first;
  ASSERT_TRUE(node.step(kStart));  // into the ledger
  EXPECT_EQ(node.last.blocks.at(block), Use::kHold);
  ASSERT_TRUE(node.step(kStart));  // confirms
  EXPECT_EQ(node.last.actions.at(0).verb, ClaimVerb::kConfirm);
  node.settle(kStart);

  EXPECT_EQ(node.last.blocks.at(block), Use::kGive);
  EXPECT_EQ(api.objects.at(block).phase, BlockPhase::kConfirmed);
  EXPECT_EQ(api.writes, 2);
}

TEST(BlockClaims, ClaimOneBlockOfEachFamily) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4, kPool6});

  node.settle(kStart);

  ASSERT_EQ(api.objects.size(), 2U);
  EXPECT_EQ(api.objects.begin()->first.family(), Family::kV4);
  EXPECT_EQ(api.objects.rbegin()->first.family(), Family::kV6);
  EXPECT_EQ(api.writes, 4);
}

TEST(BlockClaims, ClaimTheNextBlockAheadOfNeed) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});
  node.settle(kStart);

  node.take(48);
  node.settle(kStart);
  EXPECT_EQ(api.objects.size(), 1U);
  node.take(1);
  node.settle(kStart);

  EXPECT_EQ(api.objects.size(), 2U);
}

TEST(BlockClaims, GoOnUntilEveryWaiterHasAnAddress) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});
  node.waiting = 200;

  node.settle(kStart);

  EXPECT_EQ(api.objects.size(), 4U);
}

TEST(BlockClaims, StepAsideFromABlockOfAnother) {
  ApiBlocks api;
  const Cidr first = ProbeOrder::make("m1", kPool4)->at(0);
  api.objects[first] = {"m2", "p4", "x", BlockPhase::kConfirmed};
  ClaimNode node(api, "m1", {kPool4});

  node.settle(kStart);

  EXPECT_EQ(api.objects.size(), 2U);
  EXPECT_EQ(api.objects.at(first).node, "m2");
  EXPECT_EQ(api.writes, 2);
  EXPECT_EQ(api.refused, 0);
}

TEST(BlockClaims, ACreateThatLostTheRaceTriesTheNext) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});
  ASSERT_TRUE(node.step(kStart));
  const Cidr first = node.last.actions.at(0).block;
  api.objects[first] = {"m2", "p4", "x", BlockPhase::kPending};

  node.settle(kStart);

  EXPECT_EQ(api.refused, 1);
  EXPECT_EQ(api.writes, 2);
  EXPECT_EQ(node.ledger.size(), 1U);
  EXPECT_FALSE(node.ledger.contains(first));
}

TEST(BlockClaims, ALostReplyToACreateCostsNoSecondBlock) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});
  node.step(kStart);
  api.lose_reply = true;
  node.step(kStart);
  ASSERT_EQ(api.objects.size(), 1U);

  node.settle(kStart + 10s);

  EXPECT_EQ(api.objects.size(), 1U);
  EXPECT_EQ(api.writes, 2);
}

TEST(BlockClaims, FindTheLastFreeBlockWithOneList) {
  ApiBlocks api;
  const ProbeOrder order = *ProbeOrder::make("m1", kPool4);
  for (std::uint64_t i = 0; i + 1 < order.count(); ++i) {
    api.objects[order.at(i)] = {"m2", "p4", "x", BlockPhase::kConfirmed};
  }
  ClaimNode node(api, "m1", {kPool4});

  node.settle(kStart);

  EXPECT_EQ(api.lists, 1);
  EXPECT_EQ(api.objects.at(order.at(1023)).node, "m1");
}

TEST(BlockClaims, AFullPoolIsBlockExhaustedWithTheNumbers) {
  ApiBlocks api;
  for (std::uint64_t n = 0; n < 4; ++n) {
    api.objects[Cidr(*kSmall.cidr.addr().plus(64U * n), 26)] = {
        "m2", "s", "x", BlockPhase::kConfirmed};
  }
  ClaimNode node(api, "m1", {kSmall});

  node.settle(kStart);
  node.step(kStart + 5s);

  ASSERT_TRUE(node.last.trouble);
  EXPECT_EQ(node.last.trouble->code, Code::kBlockExhausted);
  EXPECT_NE(node.last.trouble->msg.find("has 4 of 4 blocks in use"),
            std::string::npos)
      << node.last.trouble->msg;
  EXPECT_EQ(api.lists, 1);
  EXPECT_EQ(api.writes, 0);
}

TEST(BlockClaims, AFullPoolIsTriedAgainWhenTheControllersCountFalls) {
  ApiBlocks api;
  ClaimPool pool = kSmall;
  pool.total = 4;
  pool.used = 4;
  ClaimNode node(api, "m1", {pool});
  node.settle(kStart);
  ASSERT_EQ(api.lists + api.writes, 0);

  node.pools[0].used = 3;
  node.settle(kStart + 5s);

  EXPECT_EQ(api.objects.size(), 1U);
}

TEST(BlockClaims, TheNextPoolIsTakenWhenOneIsFull) {
  ApiBlocks api;
  ClaimPool full = kSmall;
  full.name = "a";
  full.total = full.used = 4;
  ClaimNode node(api, "m1", {full, kPool4});

  node.settle(kStart);

  ASSERT_EQ(api.objects.size(), 1U);
  EXPECT_EQ(api.objects.begin()->second.pool, "p4");
}

TEST(BlockClaims, APoolNearlyFullIsAWarningNotATrouble) {
  ApiBlocks api;
  ClaimPool pool = kPool4;
  pool.total = 1024;
  pool.used = 922;
  ClaimNode node(api, "m1", {pool});

  node.settle(kStart);

  EXPECT_FALSE(node.last.trouble);
  ASSERT_EQ(node.last.warnings.size(), 1U);
  EXPECT_EQ(node.last.warnings[0].code, Code::kPoolNearlyFull);
}

TEST(BlockClaims, NoPoolIsNoBlock) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {});

  node.settle(kStart);

  ASSERT_TRUE(node.last.trouble);
  EXPECT_EQ(node.last.trouble->code, Code::kNoBlock);
}

TEST(BlockClaims, AnInvalidPoolIsNotClaimedFrom) {
  ApiBlocks api;
  ClaimPool pool = kPool4;
  pool.claim = false;
  ClaimNode node(api, "m1", {pool});

  node.settle(kStart);

  EXPECT_TRUE(api.objects.empty());
  EXPECT_EQ(node.last.trouble->code, Code::kBlockExhausted);
}

TEST(BlockClaims, AnEmptySpareBlockGoesAfterTheGraceWithTwoWrites) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});
  node.settle(kStart);
  node.take(60);
  node.settle(kStart);
  ASSERT_EQ(api.objects.size(), 2U);
  node.give_back_all();
  api.writes = 0;

  node.settle(kStart + 1s);
  EXPECT_EQ(api.objects.size(), 2U);
  node.settle(kStart + 1s + node.options.spare_grace);

  EXPECT_EQ(api.objects.size(), 1U);
  EXPECT_EQ(node.ledger.size(), 1U);
  EXPECT_EQ(api.writes, 2);
}

TEST(BlockClaims, ASpareBlockIsWithdrawnBeforeItIsReleased) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});
  node.settle(kStart);
  node.take(60);
  node.settle(kStart);
  node.give_back_all();
  node.settle(kStart);
  const Instant later = kStart + node.options.spare_grace;

  const ClaimPlan plan = node.claims.plan(node.scene(), later);

  EXPECT_TRUE(plan.actions.empty());
  EXPECT_TRUE(std::ranges::any_of(
      plan.blocks, [](const auto& b) { return b.second == Use::kWithdraw; }));
}

TEST(BlockClaims, AReleaseIsTakenBackWhenAddressesRunLow) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});
  node.settle(kStart);
  node.take(60);
  node.settle(kStart);
  node.give_back_all();
  node.settle(kStart);
  const Instant later = kStart + node.options.spare_grace;
  (void)node.claims.plan(node.scene(), later);  // withdraws

  node.waiting = 100;
  const ClaimPlan plan = node.claims.plan(node.scene(), later);

  EXPECT_TRUE(std::ranges::all_of(
      plan.blocks, [](const auto& b) { return b.second == Use::kGive; }));
}

TEST(BlockClaims, TheLastBlockIsKept) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});
  node.settle(kStart);

  for (int i = 1; i < 10; ++i) {
    node.settle(kStart + i * node.options.spare_grace);
  }

  EXPECT_EQ(api.objects.size(), 1U);
}

TEST(BlockClaims, ADisabledPoolsBlocksDrainAndGoWhenEmpty) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});
  node.settle(kStart);
  const Cidr block = node.ledger.begin()->first;
  node.take(1);
  node.pools[0].claim = node.pools[0].give = false;

  node.settle(kStart + 1s);
  EXPECT_EQ(node.last.blocks.at(block), Use::kDrain);
  node.settle(kStart + 2 * node.options.spare_grace);
  EXPECT_EQ(api.objects.size(), 1U);
  node.give_back_all();
  node.settle(kStart + 3 * node.options.spare_grace);
  node.settle(kStart + 4 * node.options.spare_grace);

  EXPECT_TRUE(api.objects.empty());
  EXPECT_TRUE(node.ledger.empty());
}

TEST(BlockClaims, PendingLeftByACrashIsConfirmed) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});
  node.step(kStart);
  node.step(kStart);
  ASSERT_EQ(api.objects.begin()->second.phase, BlockPhase::kPending);
  node.crash();

  node.settle(kStart);

  EXPECT_EQ(api.objects.size(), 1U);
  EXPECT_EQ(api.objects.begin()->second.phase, BlockPhase::kConfirmed);
}

TEST(BlockClaims, ABlockThatOnlyTheApiKnowsIsAdopted) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});
  node.settle(kStart);
  node.ledger.clear();
  node.crash();

  node.settle(kStart);

  EXPECT_EQ(api.objects.size(), 1U);
  EXPECT_EQ(node.ledger.size(), 1U);
  EXPECT_EQ(api.writes, 2);
}

TEST(BlockClaims, AReleaseLeftByACrashIsFinished) {
  ApiBlocks api;
  const Cidr block = cidr("10.244.7.0/26");
  api.objects[block] = {"m1", "p4", "x", BlockPhase::kReleasing};
  ClaimNode node(api, "m1", {kPool4});

  node.settle(kStart);

  EXPECT_FALSE(api.objects.contains(block));
  EXPECT_EQ(api.objects.size(), 1U);
}

TEST(BlockClaims, AReleasingBlockInUseIsConfirmedAgain) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});
  node.settle(kStart);
  node.take(1);
  api.objects.begin()->second.phase = BlockPhase::kReleasing;
  node.crash();

  node.settle(kStart);

  EXPECT_EQ(api.objects.begin()->second.phase, BlockPhase::kConfirmed);
}

TEST(BlockClaims, ABlockThatTheApiGivesToAnotherIsContested) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});
  node.settle(kStart);
  node.take(3);
  const Cidr block = node.ledger.begin()->first;
  api.objects[block].node = "m2";
  node.crash();

  node.settle(kStart + 1s);

  EXPECT_EQ(node.last.blocks.at(block), Use::kContested);
  ASSERT_FALSE(node.last.warnings.empty());
  EXPECT_EQ(node.last.warnings[0].code, Code::kBlockContested);
  EXPECT_EQ(api.objects.at(block).node, "m2");
  node.give_back_all();
  node.settle(kStart + 2s);
  EXPECT_FALSE(node.ledger.contains(block));
}

TEST(BlockClaims, AnObjectThatVanishedIsMadeAgainWhilePodsUseIt) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});
  node.settle(kStart);
  node.take(3);
  const Cidr block = node.ledger.begin()->first;
  api.objects.clear();
  node.crash();

  node.settle(kStart + 100s);

  ASSERT_TRUE(api.objects.contains(block));
  EXPECT_EQ(api.objects.at(block).phase, BlockPhase::kConfirmed);
  EXPECT_EQ(node.last.blocks.at(block), Use::kGive);
}

TEST(BlockClaims, WithoutTheApiNothingIsClaimedReleasedOrForgotten) {
  ApiBlocks api;
  ClaimNode node(api, "m1", {kPool4});
  node.settle(kStart);
  node.take(60);
  node.settle(kStart);
  node.give_back_all();
  const auto ledger = node.ledger.size();
  api.writes = 0;
  api.down = true;
  node.crash();

  node.settle(kStart + 1s);
  node.settle(kStart + 1s + 10 * node.options.spare_grace);

  EXPECT_EQ(node.ledger.size(), ledger);
  EXPECT_EQ(api.writes, 0);
  for (const auto& [block, use] : node.last.blocks) {
    EXPECT_EQ(use, Use::kGive);
  }
  node.waiting = 500;
  node.step(kStart + 9000s);
  EXPECT_EQ(node.last.trouble->code, Code::kApiUnavailable);
}

}  // namespace
}  // namespace linsey::ipam
