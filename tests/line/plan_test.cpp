#include "line/plan.h"

#include <gmock/gmock.h>

#include "line/owned.h"
#include "tests/support/golden.h"

namespace linsey::line {
namespace {

using conf::LineClass;

IpAddr ip(const char* text) {
  return *IpAddr::parse(text);
}

conf::Line lab_line() {
  conf::Line line;
  line.mode = "on";
  line.down = 90'000'000;
  line.up = 45'000'000;
  line.classes = {{{50, 100}, {25, 100}, {15, 80}, {10, 50}}};
  line.exemptions = {{"api", *Cidr::parse("10.0.0.10/32"), 6443, "tcp"},
                     {"dns", *Cidr::parse("fd00:10::53/128"), 53, "udp"}};
  return line;
}

std::vector<Cidr> far() {
  return {*Cidr::parse("10.0.0.0/14"), *Cidr::parse("fd00:10::/44")};
}

std::vector<Pod> pods() {
  return {{"web",
           "a",
           {ip("172.16.1.5"), ip("fd00:20::5")},
           LineClass::kGuaranteed},
          {"train", "b", {ip("172.16.1.6")}, LineClass::kBestEffort}};
}

TEST(LinePlan, IsTheSameTextForTheSameLab) {
  Numbers numbers;
  numbers.update(pods());

  tests::expect_golden(
      "line/lab.txt",
      to_text(make_plan(lab_line(), far(), pods(), numbers, "bfifo")));
}

TEST(LinePlan, OnlyCountsWithoutLimitsInModeCount) {
  conf::Line line = lab_line();
  line.mode = "count";
  Numbers numbers;
  numbers.update(pods());

  const Plan plan = make_plan(line, far(), pods(), numbers, "bfifo");

  for (const netlink::HtbClass& cls : plan.tree(Direction::kDown).classes) {
    EXPECT_GE(cls.ceil, 100'000'000'000U) << cls.handle;
  }
}

TEST(LinePlan, GuaranteesNoMoreThanTheBudget) {
  std::vector<Pod> many;
  for (std::uint32_t i = 0; i < 250; ++i) {
    many.push_back({"x",
                    std::to_string(i),
                    {IpAddr::v4(0xac100000 + i)},
                    LineClass::kBurstable});
  }
  Numbers numbers;
  numbers.update(many);

  const Plan plan = make_plan(lab_line(), far(), many, numbers, "fq_codel");

  std::map<std::uint32_t, std::uint64_t> below;
  std::map<std::uint32_t, std::uint64_t> rate;
  for (const netlink::HtbClass& cls : plan.tree(Direction::kUp).classes) {
    below[cls.parent] += cls.rate;
    rate[cls.handle] = cls.rate;
  }
  for (const auto& [handle, sum] : below) {
    if (!rate.contains(handle)) continue;
    EXPECT_LE(sum, rate[handle]) << handle;
  }
}

TEST(LineNumbers, StayWhilePodsComeAndGo) {
  Numbers numbers;
  std::vector<Pod> some = pods();
  numbers.update(some);
  const std::uint32_t kept = numbers.of(some[1]);
  const std::uint32_t gone = numbers.of(some[0]);

  some[0].addresses = {ip("172.16.1.7")};
  numbers.update(some);

  EXPECT_EQ(numbers.of(some[1]), kept);
  EXPECT_NE(numbers.of(some[0]), gone);
  EXPECT_NE(numbers.of(some[0]), 0U);
}

TEST(LineNumbers, AreUsedAgainAtTheEndOfTheirRange) {
  Numbers numbers;
  numbers.take({ip("10.9.9.9"), LineClass::kNode}, kLastPodMinor);

  numbers.update(pods());

  EXPECT_EQ(numbers.of(pods()[0]), kFirstPodMinor);
  EXPECT_EQ(numbers.of(pods()[1]), kFirstPodMinor + 1);
}

TEST(LineNumbers, ChangeWithTheClass) {
  Numbers numbers;
  std::vector<Pod> some = pods();
  numbers.update(some);
  const std::uint32_t before = numbers.of(some[1]);

  some[1].cls = LineClass::kGuaranteed;
  numbers.update(some);

  EXPECT_NE(numbers.of(some[1]), before);
}

TEST(LineNics, MatchByNameOrPrefix) {
  EXPECT_TRUE(is_nic({"eth*", "bond0"}, "eth12"));
  EXPECT_TRUE(is_nic({"eth*", "bond0"}, "bond0"));
  EXPECT_FALSE(is_nic({"eth*", "bond0"}, "bond01"));
  EXPECT_FALSE(is_nic({"eth*"}, "cali0"));
}

TEST(LineOwned, ComesBackFromItsText) {
  const Owned owned{.nics = {2, 33}, .made = {33}};

  EXPECT_EQ(parse_owned(to_text(owned)), owned);
  EXPECT_EQ(parse_owned(to_text(Owned{})), Owned{});
  EXPECT_EQ(parse_owned("something else"), Owned{});
}

}  // namespace
}  // namespace linsey::line
