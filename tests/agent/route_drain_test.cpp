#include "agent/route_drain.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace linsey::agent {
namespace {

using std::chrono_literals::operator""s;  // NOLINT(misc-unused-using-decls)

constexpr char kNetDev[] =
    "Inter-|   Receive                            |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes "
    "packets errs drop fifo colls carrier compressed\n"
    "    lo:     100       9    0    0    0     0          0         0      "
    "100 "
    "      9    0    0    0     0       0          0\n"
    "cali0123456789a: 5 1 0 0 0 0 0 0 6 2 0 0 0 0 0 0\n"
    "lin0123456789ab: 5 10 0 0 0 0 0 0 6 20 0 0 0 0 0 0\n";

class RouteDrainTest : public ::testing::Test {
 protected:
  tests::TempDir dir_;
  RouteDrain drain_{dir_ / "drain"};
  Instant start_{};
  conf::Drain settings_{
      .communities = {}, .med = 0, .timeout = 60s, .quiet = 5s};
};

TEST(PodPackets, AreThoseOfPodsLinksAlone) {
  EXPECT_EQ(pod_packets(kNetDev), 33U);
}

TEST(DrainWish, IsReadStrictly) {
  EXPECT_TRUE(parse_drain_wish(R"({"cancel": true})")->cancel);
  EXPECT_EQ(parse_drain_wish(R"({"timeoutMs": 1500})")->timeout,
            std::chrono::milliseconds(1500));
  EXPECT_FALSE(parse_drain_wish(R"({"timeout": 1})").has_value());
}

TEST_F(RouteDrainTest, WaitsUntilTrafficIsGone) {
  ASSERT_TRUE(drain_.begin(start_, settings_).has_value());

  EXPECT_FALSE(drain_.step(start_ + 4s, 100));
  EXPECT_FALSE(drain_.step(start_ + 8s, 101));
  EXPECT_FALSE(drain_.step(start_ + 12s, 101));
  EXPECT_EQ(drain_.word(), "lowered");
  EXPECT_TRUE(drain_.step(start_ + 13s, 101));
  EXPECT_EQ(drain_.word(), "withdrawn");
  EXPECT_EQ(drain_.why(), "traffic is gone");
}

TEST_F(RouteDrainTest, WithdrawsAtItsTimeLimitTrafficOrNot) {
  ASSERT_TRUE(drain_.begin(start_, settings_).has_value());

  for (int second = 1; second < 60; ++second) {
    EXPECT_FALSE(drain_.step(start_ + second * 1s, 100U + second));
  }
  EXPECT_TRUE(drain_.step(start_ + 60s, 200));
  EXPECT_EQ(drain_.why(), "the time is over");
}

TEST_F(RouteDrainTest, OutlivesTheAgentAndEndsWithCancel) {
  ASSERT_TRUE(drain_.begin(start_, settings_).has_value());
  RouteDrain second(dir_ / "drain");
  second.load(start_, settings_);
  EXPECT_EQ(second.word(), "lowered");
  EXPECT_TRUE(second.step(start_ + 60s, 1));

  RouteDrain third(dir_ / "drain");
  third.load(start_, settings_);
  EXPECT_EQ(third.word(), "withdrawn");
  ASSERT_TRUE(third.cancel().has_value());

  RouteDrain fourth(dir_ / "drain");
  fourth.load(start_, settings_);
  EXPECT_FALSE(fourth.active());
}

TEST_F(RouteDrainTest, ACordonBeginsItAndItsEndEndsIt) {
  EXPECT_TRUE(*drain_.follow_cordon(start_, settings_, true));
  EXPECT_TRUE(drain_.by_cordon());
  EXPECT_TRUE(drain_.step(start_ + 60s, 1));

  RouteDrain restarted(dir_ / "drain");
  restarted.load(start_, settings_);
  EXPECT_EQ(restarted.word(), "withdrawn");
  EXPECT_FALSE(*restarted.follow_cordon(start_, settings_, true));
  EXPECT_TRUE(*restarted.follow_cordon(start_, settings_, false));
  EXPECT_FALSE(restarted.active());
  EXPECT_FALSE(read_file(dir_ / "drain").has_value());
}

TEST_F(RouteDrainTest, OneThatWasCancelledDuringACordonStaysSoOverARestart) {
  ASSERT_TRUE(*drain_.follow_cordon(start_, settings_, true));
  ASSERT_TRUE(drain_.cancel().has_value());

  RouteDrain restarted(dir_ / "drain");
  restarted.load(start_, settings_);
  EXPECT_FALSE(*restarted.follow_cordon(start_, settings_, true));
  EXPECT_FALSE(restarted.active());

  EXPECT_FALSE(*restarted.follow_cordon(start_, settings_, false));
  EXPECT_TRUE(*restarted.follow_cordon(start_, settings_, true));
}

TEST_F(RouteDrainTest, TheEndOfACordonLeavesTheOperatorsDrain) {
  ASSERT_TRUE(drain_.begin(start_, settings_).has_value());
  EXPECT_FALSE(*drain_.follow_cordon(start_, settings_, true));
  EXPECT_FALSE(drain_.by_cordon());

  EXPECT_FALSE(*drain_.follow_cordon(start_, settings_, false));

  EXPECT_TRUE(drain_.active());
}

}  // namespace
}  // namespace linsey::agent
