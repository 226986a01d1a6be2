#include "agent/kube_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_api.h"
#include "tests/support/fake_clock.h"

namespace linsey::agent {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct KubeWriterTest : ::testing::Test {
  KubeWriterTest() {
    // Writes are of a type that the server knows.
    writer.submit(write("warm-up"));
    settle();
    said.clear();
    clock.advance(std::chrono::seconds(1));
  }

  KubeWrite write(const std::string& key, Urgency urgency = Urgency::kEvent,
                  const std::string& value = "1") {
    return {.key = key,
            .kind = "test",
            .urgency = urgency,
            .call = [key, value](kube::Client& client) -> Result<void> {
              (void)TRY(client.create(kube::kNodeNetworks, "",
                                      {{"metadata", {{"name", key + value}}}}));
              return {};
            },
            .done =
                [this, key, value](const Result<void>& result) {
                  said.push_back(
                      key + value + " " +
                      (result ? "ok" : std::string(name(result.error().code))));
                }};
  }
  void settle() { loop.run_until_idle(); }
  /// Time passes in small steps, as it does.
  void pass(Duration time) {
    for (Duration at{}; at < time; at += milliseconds(10)) {
      clock.advance(milliseconds(10));
      settle();
    }
  }

  tests::FakeClock clock;
  Loop loop{clock};
  Worker worker{loop, "kube", Worker::Kind::kInline};
  Metrics metrics;
  tests::FakeApi api;
  std::vector<std::string> said;
  KubeWriter writer{
      {.loop = loop,
       .worker = worker,
       .metrics = metrics,
       .per_second = 5,
       .seed = 7,
       .connect = [this]() -> Result<std::unique_ptr<kube::Transport>> {
         return api.connect();
       }}};
};

TEST_F(KubeWriterTest, WritesAndTellsHowItEnded) {
  writer.submit(write("a"));
  settle();
  EXPECT_THAT(said, ElementsAre("a1 ok"));

  pass(std::chrono::seconds(1));
  writer.submit(write("a"));
  settle();

  EXPECT_THAT(said, ElementsAre("a1 ok", "a1 APIExists"));
}

TEST_F(KubeWriterTest, NeverWritesMoreThanSoManyInASecond) {
  for (int i = 0; i < 20; ++i) {
    writer.submit(write("w" + std::to_string(i)));
  }

  pass(milliseconds(990));
  EXPECT_GE(said.size(), 4U);
  EXPECT_LE(said.size(), 5U);

  pass(std::chrono::seconds(4));
  EXPECT_EQ(said.size(), 20U);
}

TEST_F(KubeWriterTest, WritesWhatIsMoreUrgentFirst) {
  writer.submit(write("first"));
  writer.submit(write("event"));
  writer.submit(write("status", Urgency::kStatus));
  writer.submit(write("block", Urgency::kBlock));

  pass(std::chrono::seconds(1));

  EXPECT_THAT(said,
              ElementsAre("first1 ok", "block1 ok", "status1 ok", "event1 ok"));
}

TEST_F(KubeWriterTest, ANewerWriteTakesThePlaceOfOneThatWaits) {
  writer.submit(write("other"));
  writer.submit(write("status", Urgency::kStatus, "1"));
  writer.submit(write("status", Urgency::kStatus, "2"));

  pass(std::chrono::seconds(1));

  EXPECT_THAT(said, ElementsAre("other1 ok", "status2 ok"));
}

TEST_F(KubeWriterTest, WaitsOutAnOutageAndThenKeepsThePace) {
  api.set_down(true);
  for (int i = 0; i < 20; ++i) {
    writer.submit(write("w" + std::to_string(i)));
  }
  pass(std::chrono::minutes(2));
  EXPECT_TRUE(said.empty());
  // One try at a time, and ever more rarely.
  EXPECT_LT(api.count("POST", "/"), 15U);

  api.set_down(false);
  writer.api_is_back();
  pass(std::chrono::seconds(3));
  EXPECT_GE(said.size(), 5U);
  EXPECT_LE(said.size(), 15U);

  pass(std::chrono::seconds(4));
  EXPECT_EQ(said.size(), 20U);
}

TEST_F(KubeWriterTest, OneThatAlwaysFailsDoesNotHideTheOthers) {
  api.push_fault({.status = 500, .reason = "InternalError"}, 1);
  writer.submit(write("a"));
  writer.submit(write("b"));

  pass(std::chrono::seconds(3));

  EXPECT_THAT(said, ElementsAre("b1 ok", "a1 ok"));
}

TEST_F(KubeWriterTest, DropsTheLeastUrgentWhenTooManyWait) {
  api.set_down(true);
  writer.submit(write("block", Urgency::kBlock));
  for (std::size_t i = 0; i < KubeWriter::kMostWaiting + 10; ++i) {
    writer.submit(write("e" + std::to_string(i)));
  }

  EXPECT_EQ(writer.waiting(), KubeWriter::kMostWaiting);
  EXPECT_THAT(metrics.text(),
              HasSubstr("linsey_api_writes_dropped_total{kind=\"test\"} 1"));
  api.set_down(false);
  pass(std::chrono::seconds(35));
  EXPECT_EQ(said.front(), "block1 ok");
}

}  // namespace
}  // namespace linsey::agent
