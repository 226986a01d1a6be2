#include "agent/block_survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/objects.h"
#include "tests/support/fake_api.h"
#include "tests/support/fake_clock.h"

namespace linsey::agent {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

Cidr numbered(unsigned n) {
  return *Cidr::parse(fmt::format("10.64.{}.{}/26", n / 4, n % 4 * 64));
}

struct BlockSurveyTest : ::testing::Test {
  void hold(unsigned n, const std::string& node,
            kube::BlockState state = kube::BlockState::kConfirmed) {
    const kube::IpBlock block{.cidr = numbered(n),
                              .pool = "v4",
                              .node = node,
                              .node_uid = "u",
                              .state = state};
    api.put("/apis/linsey.dev/v1/ipblocks/" + kube::block_name(block.cidr),
            kube::to_json(block));
  }
  void node(const std::string& name, const std::string& ready,
            const std::string& reason) {
    api.put("/api/v1/nodes/" + name,
            {{"metadata", {{"name", name}}},
             {"status",
              {{"conditions",
                {{{"type", "Ready"}, {"status", ready}},
                 {{"type", "LinseyReady"},
                  {"status", "True"},
                  {"reason", reason}}}}}}});
  }
  OtherBlocks after(Duration time, const std::vector<Cidr>& suspects = {}) {
    for (Duration at{}; at < time; at += seconds(5)) {
      clock.advance(seconds(5));
      (void)survey.sample(suspects);
      loop.run_until_idle();
    }
    return survey.sample(suspects);
  }
  std::size_t pages() {
    return api.count("GET", "/apis/linsey.dev/v1/ipblocks");
  }

  tests::FakeClock clock;
  Loop loop{clock};
  Worker worker{loop, "kube", Worker::Kind::kInline};
  Metrics metrics;
  tests::FakeApi api;
  KubeWriter writer{
      {.loop = loop,
       .worker = worker,
       .metrics = metrics,
       .per_second = 5,
       .seed = 7,
       .connect = [this]() -> Result<std::unique_ptr<kube::Transport>> {
         return api.connect();
       }}};
  BlockSurvey survey{{.clock = clock, .writer = writer, .node_name = "m1"}};
};

TEST_F(BlockSurveyTest, ShowsConfirmedBlocksOfOtherNodes) {
  hold(0, "m1");
  hold(1, "m2");
  hold(2, "m2", kube::BlockState::kPending);
  hold(3, "m3", kube::BlockState::kReleasing);

  EXPECT_THAT(after(seconds(20)).confirmed, ElementsAre(numbered(1)));
}

TEST_F(BlockSurveyTest, GoesRoundPageByPage) {
  for (unsigned n = 0; n < BlockSurvey::kPage + 3; ++n) {
    hold(n, "m2");
  }

  EXPECT_THAT(after(seconds(20)).confirmed, SizeIs(BlockSurvey::kPage));
  EXPECT_THAT(after(seconds(60)).confirmed, SizeIs(3));
  EXPECT_THAT(after(seconds(60)).confirmed, SizeIs(BlockSurvey::kPage));
}

TEST_F(BlockSurveyTest, BeginsAgainWhenTheServerForgotThePage) {
  for (unsigned n = 0; n < BlockSurvey::kPage + 3; ++n) {
    hold(n, "m2");
  }
  after(seconds(20));
  api.expire();

  EXPECT_THAT(after(seconds(60)).confirmed, SizeIs(BlockSurvey::kPage));
}

TEST_F(BlockSurveyTest, KeepsWithinItsBudgetOfBytes) {
  for (unsigned n = 0; n < 400; ++n) {
    hold(n, "m2");
  }
  after(seconds(20));
  api.forget_calls();

  after(std::chrono::hours(3));

  const double sent = api.counters()["sent"].get<double>();
  EXPECT_LT(sent / 3, BlockSurvey::kBytesPerHour * 1.2);
  EXPECT_GT(pages(), 12U);
}

TEST_F(BlockSurveyTest, ASuspectIsSureWhenItsNodeIsWell) {
  node("m2", "True", "LinseyIsUp");
  node("m3", "False", "LinseyIsUp");
  node("m4", "True", "PeerUnreachable");
  node("m5", "True", "PrefixNotPropagated");
  for (unsigned n = 2; n <= 6; ++n) {
    hold(n, "m" + std::to_string(n));
  }
  const std::vector<Cidr> suspects = {numbered(2), numbered(3), numbered(4),
                                      numbered(5), numbered(6)};

  EXPECT_THAT(after(seconds(40), suspects).sure,
              UnorderedElementsAre(numbered(2), numbered(5)));
}

TEST_F(BlockSurveyTest, ASuspectThatWasReleasedIsNoLongerLookedFor) {
  node("m2", "True", "LinseyIsUp");
  hold(1, "m2");
  ASSERT_THAT(after(seconds(20)).confirmed, ElementsAre(numbered(1)));
  hold(1, "m2", kube::BlockState::kReleasing);

  const OtherBlocks others = after(seconds(15), {numbered(1)});

  EXPECT_THAT(others.confirmed, IsEmpty());
  EXPECT_THAT(others.sure, IsEmpty());
}

TEST_F(BlockSurveyTest, WhatWasSeenStaysWhileTheServerIsAway) {
  hold(1, "m2");
  after(seconds(20));
  api.set_down(true);

  EXPECT_THAT(after(seconds(120)).confirmed, ElementsAre(numbered(1)));
}

TEST_F(BlockSurveyTest, ReadsAllForACheckByHand) {
  hold(0, "m1");
  for (unsigned n = 1; n < 100; ++n) {
    hold(n, "m2");
  }
  api.set_page_size(30);
  std::size_t found = 0;

  survey.read_all([&](const Result<std::vector<Cidr>>& all) {
    found = all ? all->size() : 0;
  });
  loop.run_until_idle();

  EXPECT_EQ(found, 99U);
}

}  // namespace
}  // namespace linsey::agent
