#include "kube/watch.h"

#include <thread>

#include <gtest/gtest.h>

#include "base/thread_queue.h"
#include "tests/support/fake_api.h"

namespace linsey::kube {
namespace {

const std::string kPath = "/apis/linsey.dev/v1/ipblocks/";

Json block(const std::string& name, int value = 0) {
  return {{"metadata", {{"name", name}}}, {"spec", {{"value", value}}}};
}

/// A watch on a thread of its own whose words can be waited for, one by one.
class Follower {
 public:
  explicit Follower(tests::FakeApi& api)
      : transport_(api.connect()),
        watch_(*transport_,
               {.type = kIpBlocks,
                .backoff = {.first = std::chrono::milliseconds(1),
                            .longest = std::chrono::milliseconds(5)}},
               {.changed =
                    [this](const std::vector<Event>& events) {
                      for (const Event& event : events) {
                        words_.push(word(event));
                      }
                    },
                .synced = [this] { words_.push("synced"); },
                .stale =
                    [this](const Error& why) {
                      words_.push("stale " + std::string(name(why.code)));
                    }}),
        thread_([this] { watch_.run(); }) {}
  ~Follower() { watch_.stop(); }

  std::string next() { return words_.pop(); }
  const Watch& watch() const { return watch_; }

 private:
  static std::string word(const Event& event) {
    const char* kind = event.change == Change::kAdded      ? "+"
                       : event.change == Change::kModified ? "~"
                                                           : "-";
    return kind + event.object["metadata"]["name"].get<std::string>() + "=" +
           std::to_string(event.object["spec"]["value"].get<int>());
  }

  std::unique_ptr<Transport> transport_;
  ThreadQueue<std::string> words_;
  Watch watch_;
  std::jthread thread_;
};

TEST(Watch, ListsThenFollows) {
  tests::FakeApi api;
  (void)api.put(kPath + "a", block("a"));
  Follower follower(api);
  EXPECT_EQ(follower.next(), "+a=0");
  EXPECT_EQ(follower.next(), "synced");

  (void)api.put(kPath + "b", block("b"));
  (void)api.put(kPath + "a", block("a", 5));
  (void)api.erase(kPath + "b");

  EXPECT_EQ(follower.next(), "+b=0");
  EXPECT_EQ(follower.next(), "~a=5");
  EXPECT_EQ(follower.next(), "-b=0");
  EXPECT_EQ(follower.watch().lists(), 1U);
}

TEST(Watch, ResumesWithoutANewListAfterABreak) {
  tests::FakeApi api;
  (void)api.put(kPath + "a", block("a"));
  Follower follower(api);
  EXPECT_EQ(follower.next(), "+a=0");
  EXPECT_EQ(follower.next(), "synced");

  api.set_down(true);
  EXPECT_EQ(follower.next(), "stale APIUnavailable");
  (void)api.put(kPath + "b", block("b"));
  api.set_down(false);

  EXPECT_EQ(follower.next(), "synced");
  EXPECT_EQ(follower.next(), "+b=0");
  EXPECT_EQ(follower.watch().lists(), 1U);
}

TEST(Watch, TellsTheDifferenceAfterAnExpiredHistory) {
  tests::FakeApi api;
  (void)api.put(kPath + "a", block("a"));
  (void)api.put(kPath + "b", block("b"));
  (void)api.put(kPath + "c", block("c"));
  Follower follower(api);
  EXPECT_EQ(follower.next(), "+a=0");
  EXPECT_EQ(follower.next(), "+b=0");
  EXPECT_EQ(follower.next(), "+c=0");
  EXPECT_EQ(follower.next(), "synced");
  api.set_down(true);
  EXPECT_EQ(follower.next(), "stale APIUnavailable");

  (void)api.erase(kPath + "a");
  (void)api.erase(kPath + "b");
  (void)api.put(kPath + "b", block("b", 9));  // another object of that name
  (void)api.put(kPath + "c", block("c", 1));
  api.expire();
  api.set_down(false);

  EXPECT_EQ(follower.next(), "-a=0");
  EXPECT_EQ(follower.next(), "-b=0");
  EXPECT_EQ(follower.next(), "+b=9");
  EXPECT_EQ(follower.next(), "~c=1");
  EXPECT_EQ(follower.next(), "synced");
  EXPECT_EQ(follower.watch().lists(), 2U);
}

TEST(Watch, ABookmarkSavesTheNewList) {
  tests::FakeApi api;
  Follower follower(api);
  EXPECT_EQ(follower.next(), "synced");
  (void)api.put("/api/v1/nodes/other", block("other"));
  api.bookmark();
  (void)api.put(kPath + "a", block("a"));
  EXPECT_EQ(follower.next(), "+a=0");
  EXPECT_EQ(follower.watch().lists(), 1U);
}

TEST(Watch, SaysWhyItCannotBegin) {
  tests::FakeApi api;
  api.push_fault({.status = 403, .reason = "Forbidden"}, 3);
  Follower follower(api);
  EXPECT_EQ(follower.next(), "stale APIForbidden");
  EXPECT_EQ(follower.next(), "synced");
}

}  // namespace
}  // namespace linsey::kube
