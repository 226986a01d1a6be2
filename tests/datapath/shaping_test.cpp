#include <gtest/gtest.h>

#include "datapath/plan.h"
#include "tests/support/netns.h"

namespace linsey::datapath {
namespace {

using netlink::Tbf;
using tests::must;

constexpr std::uint32_t kMtu = 1500;

Tbf tbf(std::uint64_t rate, std::uint64_t burst) {
  return must(make_tbf(rate, burst, kMtu)).value();
}

TEST(Shaping, IsNoneWithoutARate) {
  EXPECT_EQ(must(make_tbf(0, 0, kMtu)), std::nullopt);
}

TEST(Shaping, KeepsAnOrdinaryBurstToTheByte) {
  EXPECT_EQ(tbf(1'000'000, 1'000'000),
            (Tbf{.rate = 125000, .burst = 125000, .limit = 128125}));
}

TEST(Shaping, DefaultsTheBurstTo20MsOfTheRate) {
  EXPECT_EQ(tbf(1'000'000'000, 0).burst, 2'500'000U);
  EXPECT_EQ(tbf(1'000'000, 0).burst, 16384U);
}

TEST(Shaping, CapsTheRuntimesDefaultBurstAtASecondOfTheRate) {
  EXPECT_EQ(tbf(1'000'000, 0xffffffff).burst, 125000U);
  EXPECT_EQ(tbf(1'000'000'000, 34359738359).burst, 125'000'000U);
}

TEST(Shaping, NeverWraps) {
  const Tbf fast = tbf(100'000'000'000, 34359738359);
  EXPECT_EQ(fast.rate, 12'500'000'000U);
  EXPECT_EQ(fast.burst, 256U << 20);
  EXPECT_EQ(fast.limit, (256U << 20) + 312'500'000U);

  const Tbf absurd = tbf(UINT64_MAX, 0);
  EXPECT_EQ(absurd.burst, 256U << 20);
  EXPECT_EQ(absurd.limit, UINT32_MAX);
}

TEST(Shaping, LetsAtLeastOnePacketPass) {
  EXPECT_EQ(tbf(8000, 80).burst, kMtu + 18);
  EXPECT_EQ(must(make_tbf(8000, 80, 9000)).value().burst, 9018U);
}

TEST(Shaping, RefusesABurstWithoutARate) {
  const auto result = make_tbf(0, 8000, kMtu);

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kInvalidNetworkConfig);
}

TEST(Shaping, RefusesARateBelowOneByteASecond) {
  EXPECT_FALSE(make_tbf(7, 8000, kMtu).has_value());
  EXPECT_TRUE(make_tbf(8, 8000, kMtu).has_value());
}

TEST(Shaping, RefusesABurstThatNoKernelCanHold) {
  EXPECT_FALSE(make_tbf(1'000'000, 34359738360, kMtu).has_value());
  EXPECT_TRUE(make_tbf(1'000'000, 34359738359, kMtu).has_value());
}

}  // namespace
}  // namespace linsey::datapath
