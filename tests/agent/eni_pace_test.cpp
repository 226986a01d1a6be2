#include "agent/eni_pace.h"

#include <gtest/gtest.h>

namespace linsey::agent {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr Instant kNow = std::chrono::hours(1);

TEST(Backoff, GrowsWithFailuresUpToItsCeiling) {
  Backoff backoff(1);

  Duration last{};
  for (int i = 0; i < 20; ++i) {
    last = backoff.failed(Class::kTransient);
    if (i == 0) {
      EXPECT_GE(last, std::chrono::milliseconds(500));
      EXPECT_LE(last, seconds(1));
    }
  }

  EXPECT_GE(last, seconds(30));
  EXPECT_LE(last, seconds(60));
}

TEST(Backoff, WaitsLongerWhenThrottledAndLongestForWhatAPersonMustMend) {
  EXPECT_GE(Backoff(1).failed(Class::kThrottled),
            std::chrono::milliseconds(2500));
  EXPECT_GE(Backoff(1).failed(Class::kAuth), seconds(15));
}

TEST(Backoff, StartsAnewAfterASuccess) {
  Backoff backoff(1);
  for (int i = 0; i < 8; ++i) {
    (void)backoff.failed(Class::kTransient);
  }

  backoff.succeeded();

  EXPECT_LE(backoff.failed(Class::kTransient), seconds(1));
}

TEST(Backoff, DiffersFromNodeToNode) {
  EXPECT_NE(Backoff(1).failed(Class::kThrottled),
            Backoff(2).failed(Class::kThrottled));
}

TEST(CallBudget, AllowsABurstOfEachActionAndThenItsRate) {
  CallBudget budget;
  budget.set_rate(60, 20);
  for (unsigned i = 0; i < 20; ++i) {
    EXPECT_EQ(budget.blocked_until("Create", kNow), std::nullopt);
    budget.take("Create", kNow);
  }

  EXPECT_EQ(budget.blocked_until("Create", kNow), kNow + seconds(1));
  EXPECT_EQ(budget.blocked_until("Create", kNow + seconds(1)), std::nullopt);
  EXPECT_EQ(budget.blocked_until("Assign", kNow), std::nullopt);
}

TEST(CallBudget, TellsHowManyCallsAreLeftOfEachAction) {
  CallBudget budget;
  budget.set_rate(60, 20);
  for (unsigned i = 0; i < 5; ++i) {
    budget.take("Create", kNow);
  }

  EXPECT_EQ(budget.remaining(kNow).at("Create"), 15U);
  EXPECT_EQ(budget.remaining(kNow + seconds(2)).at("Create"), 17U);
  EXPECT_EQ(budget.remaining(kNow + minutes(1)).at("Create"), 20U);
  EXPECT_FALSE(budget.remaining(kNow).contains("Assign"));
}

TEST(Suspensions, EndAndDoubleWhenRefusedAgain) {
  Suspensions suspensions;
  const Error why = make_error(Code::kVSwitchExhausted, "full");

  suspensions.suspend("vsw-1", why, kNow);
  EXPECT_EQ(suspensions.active(kNow).at("vsw-1"), why);
  EXPECT_EQ(suspensions.next_end(kNow), kNow + seconds(30));
  EXPECT_TRUE(suspensions.active(kNow + seconds(30)).empty());

  suspensions.suspend("vsw-1", why, kNow + seconds(30));
  EXPECT_EQ(suspensions.next_end(kNow + seconds(30)), kNow + seconds(90));
}

TEST(Suspensions, AreForgottenWhenLifted) {
  Suspensions suspensions;
  const Error why = make_error(Code::kVSwitchExhausted, "full");
  suspensions.suspend("vsw-1", why, kNow);

  suspensions.lift("vsw-1");
  EXPECT_EQ(suspensions.next_end(kNow), std::nullopt);

  suspensions.suspend("vsw-1", why, kNow);
  EXPECT_EQ(suspensions.next_end(kNow), kNow + seconds(30));
}

TEST(TokenMemory, KeepsATokenUntilTheOutcomeIsKnown) {
  TokenMemory memory;
  const std::string first = memory.token("create 2 in vsw-1", kNow);

  EXPECT_EQ(memory.token("create 2 in vsw-1", kNow + minutes(1)), first);
  EXPECT_NE(memory.token("create 3 in vsw-1", kNow), first);
  EXPECT_LE(first.size(), 64U);

  memory.settle("create 2 in vsw-1");
  EXPECT_NE(memory.token("create 2 in vsw-1", kNow), first);
}

TEST(TokenMemory, GivesAnOldTokenUp) {
  TokenMemory memory;
  const std::string first = memory.token("create 2 in vsw-1", kNow);

  EXPECT_NE(memory.token("create 2 in vsw-1", kNow + minutes(11)), first);
}

}  // namespace
}  // namespace linsey::agent
