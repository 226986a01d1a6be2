#include "agent/kube_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_api.h"
#include "tests/support/fake_clock.h"

namespace linsey::agent {
namespace {

using ::testing::HasSubstr;

const std::string kEventsOf = "/apis/events.k8s.io/v1/namespaces/";

struct KubeEventsTest : ::testing::Test {
  KubeEventsTest() {
    api.put("/api/v1/namespaces/web", {{"metadata", {{"name", "web"}}}});
  }

  void pass(Duration time) {
    for (Duration at{}; at < time; at += std::chrono::milliseconds(100)) {
      clock.advance(std::chrono::milliseconds(100));
      loop.run_until_idle();
    }
  }
  std::vector<Json> in(const std::string& name_space) {
    const auto transport = api.connect();
    return kube::Client(*transport)
        .list(kube::kEvents, name_space)
        .value()
        .items;
  }
  static ipam::Pod pod(const std::string& name) { return {"web", name, "u-1"}; }
  static Error no_zone() {
    return make_error(Code::kZoneNotMapped, "zone z has no pod vSwitch");
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
       .connect = [this]() -> Result<std::unique_ptr<kube::Transport>> {
         return api.connect();
       }}};
  KubeEvents events{{.loop = loop,
                     .clock = clock,
                     .metrics = metrics,
                     .writer = writer,
                     .node_name = "m1"}};
};

TEST_F(KubeEventsTest, AFailedAddIsAWarningOnItsPod) {
  events.pod_refused(pod("a"), no_zone());
  pass(std::chrono::seconds(1));

  const std::vector<Json> found = in("web");
  ASSERT_EQ(found.size(), 1U);
  const Json& event = found[0];
  EXPECT_EQ(event["reason"], "ZoneNotMapped");
  EXPECT_EQ(event["type"], "Warning");
  EXPECT_THAT(event["note"].get<std::string>(),
              HasSubstr("zone z has no pod vSwitch"));
  EXPECT_EQ(event["regarding"]["kind"], "Pod");
  EXPECT_EQ(event["regarding"]["name"], "a");
  EXPECT_EQ(event["regarding"]["uid"], "u-1");
  EXPECT_EQ(event["eventTime"], "2026-01-02T00:00:00.000000Z");
}

TEST_F(KubeEventsTest, RepetitionsAreCountedAndWrittenOnceAMinute) {
  for (int i = 0; i < 130; ++i) {
    events.pod_refused(pod("a"), no_zone());
    pass(std::chrono::seconds(1));
  }

  ASSERT_EQ(in("web").size(), 1U);
  EXPECT_EQ(in("web")[0]["series"]["count"], 121);
  EXPECT_EQ(api.count("PATCH", "/"), 2U);
}

TEST_F(KubeEventsTest, AnotherReasonIsAnotherEvent) {
  events.pod_refused(pod("a"), no_zone());
  events.pod_refused(pod("a"), make_error(Code::kBlockExhausted, "none"));
  pass(std::chrono::seconds(1));

  EXPECT_EQ(in("web").size(), 2U);
}

TEST_F(KubeEventsTest, ManyPodsAreABurstAndThenATrickle) {
  for (int i = 0; i < 100; ++i) {
    events.pod_refused(pod("p" + std::to_string(i)), no_zone());
  }
  pass(std::chrono::seconds(30));
  EXPECT_EQ(in("web").size(), KubeEvents::kBurst);

  for (int i = 100; i < 200; ++i) {
    events.pod_refused(pod("p" + std::to_string(i)), no_zone());
  }
  pass(std::chrono::seconds(30));
  EXPECT_EQ(in("web").size(), KubeEvents::kBurst + 10);
  EXPECT_THAT(metrics.text(),
              HasSubstr("linsey_events_total{result=\"dropped\"} 165"));
}

TEST_F(KubeEventsTest, WhatPassesByItselfIsNoEvent) {
  events.pod_refused(pod("a"), make_error(Code::kAgentStarting, "soon"));
  events.pod_refused({}, no_zone());
  pass(std::chrono::seconds(1));

  EXPECT_EQ(api.count("POST", "/"), 0U);
}

TEST_F(KubeEventsTest, AnEventOfTheNodeStandsInDefault) {
  events.node(false, "LinseyReady", "rule metal");
  pass(std::chrono::seconds(1));

  ASSERT_EQ(in("default").size(), 1U);
  EXPECT_EQ(in("default")[0]["type"], "Normal");
  EXPECT_EQ(in("default")[0]["regarding"]["name"], "m1");
}

TEST_F(KubeEventsTest, AnEventThatExpiredIsMadeAnew) {
  events.pod_refused(pod("a"), no_zone());
  pass(std::chrono::seconds(61));
  const std::string name = in("web")[0]["metadata"]["name"];
  api.erase(kEventsOf + "web/events/" + name);

  events.pod_refused(pod("a"), no_zone());  // the count meets no event
  pass(std::chrono::seconds(1));
  events.pod_refused(pod("a"), no_zone());
  pass(std::chrono::seconds(1));

  EXPECT_EQ(in("web").size(), 1U);
}

}  // namespace
}  // namespace linsey::agent
