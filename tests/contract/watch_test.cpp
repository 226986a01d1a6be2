#include "kube/watch.h"

#include <atomic>
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "base/thread_queue.h"
#include "tests/contract/party.h"

namespace linsey::contract {
namespace {

using kube::kConfigMaps;

/// The lines of one watch, until it ends.
struct Stream {
  kube::Response response;
  std::vector<Json> events;
};

class Watches : public Fixture, public testing::Test {
 protected:
  Watches() { clear(); }
  ~Watches() override { clear(); }

  void clear() {
    for (const char* name : {"w-a", "w-b"}) {
      forget(kConfigMaps, kNamespace, name);
    }
  }

  void make(const std::string& name, const std::string& set) {
    const Result<Json> made = client_.create(kConfigMaps, kNamespace,
                                             config_map(name, {{"set", set}}));
    ASSERT_TRUE(made) << to_string(made.error());
  }

  void label(const std::string& name, const std::string& set) {
    ASSERT_TRUE(client_.patch(kConfigMaps, kNamespace, name,
                              {{"metadata", {{"labels", {{"set", set}}}}}}));
  }

  std::string version_now() {
    return client_.list(kConfigMaps, kNamespace)->resource_version;
  }

  Stream follow(const std::string& query, std::size_t count) {
    return follow(kConfigMaps.path(kNamespace), query, count);
  }

  /// Follows until `count` events came, or the server ends it.
  Stream follow(const std::string& path, const std::string& query,
                std::size_t count) {
    Stream out;
    const std::atomic<bool> never{false};
    const auto line = [&](std::string_view text) {
      out.events.push_back(*parse_json(text));
      if (out.events.size() == 1 && on_first_) on_first_();
      return out.events.size() < count;
    };
    const Result<kube::Response> done =
        transport_->stream({.path = path + "?watch=1&" + query,
                            .timeout = std::chrono::seconds(60)},
                           line, never);
    if (done) out.response = *done;
    return out;
  }

  std::function<void()> on_first_;  // done when the first event came

  static std::string word(const Json& event) {
    return event["type"].get<std::string>() + " " +
           event["object"]["metadata"].value("name", "");
  }
};

TEST_F(Watches, TellWhatHappenedSinceAVersion) {
  const std::string from = version_now();
  make("w-a", "w");
  label("w-a", "v");
  ASSERT_TRUE(client_.remove(kConfigMaps, kNamespace, "w-a"));

  const Stream seen = follow("timeoutSeconds=30&resourceVersion=" + from, 3);

  ASSERT_EQ(seen.events.size(), 3U);
  EXPECT_EQ(word(seen.events[0]), "ADDED w-a");
  EXPECT_EQ(word(seen.events[1]), "MODIFIED w-a");
  EXPECT_EQ(word(seen.events[2]), "DELETED w-a");
  EXPECT_EQ(seen.events[0]["object"]["kind"], "ConfigMap");
}

TEST_F(Watches, AnObjectThatLeavesTheSelectionIsToldAsDeleted) {
  const std::string from = version_now();
  make("w-a", "other");
  label("w-a", "w");
  label("w-a", "other");

  const Stream seen = follow(
      "timeoutSeconds=30&labelSelector=set%3Dw&resourceVersion=" + from, 2);

  ASSERT_EQ(seen.events.size(), 2U);
  EXPECT_EQ(word(seen.events[0]), "ADDED w-a");
  EXPECT_EQ(word(seen.events[1]), "DELETED w-a");
}

TEST_F(Watches, ResumeFromTheVersionOfAnEvent) {
  const std::string from = version_now();
  make("w-a", "w");
  make("w-b", "w");
  const Stream first = follow("timeoutSeconds=30&resourceVersion=" + from, 1);
  ASSERT_EQ(first.events.size(), 1U);
  const std::string seen =
      first.events[0]["object"]["metadata"]["resourceVersion"];

  const Stream second = follow("timeoutSeconds=30&resourceVersion=" + seen, 1);

  ASSERT_EQ(second.events.size(), 1U);
  EXPECT_EQ(word(second.events[0]), "ADDED w-b");
}

/// What the selection leaves out moves the version all the same, and the watch
/// must have begun before: a server tells no version that it was asked from.
TEST_F(Watches, ABookmarkComesBeforeTheServerEndsThem) {
  const std::string from = version_now();
  make("w-a", "w");
  const auto other = Party::get().connect();
  kube::Client elsewhere(*other);
  on_first_ = [&] {
    EXPECT_TRUE(elsewhere.create(kConfigMaps, kNamespace,
                                 config_map("w-b", {{"set", "other"}})));
  };

  const Stream seen = follow(
      "allowWatchBookmarks=true&timeoutSeconds=5&labelSelector=set%3Dw"
      "&resourceVersion=" +
          from,
      100);

  EXPECT_EQ(seen.response.status, 200);
  // One more comes when the server's clock for them runs out just before.
  ASSERT_GE(seen.events.size(), 2U);
  const auto version = [](const Json& event) {
    return std::stoull(
        event["object"]["metadata"].value("resourceVersion", "0"));
  };
  for (std::size_t i = 1; i < seen.events.size(); ++i) {
    EXPECT_EQ(seen.events[i]["type"], "BOOKMARK");
    EXPECT_EQ(seen.events[i]["object"]["kind"], "ConfigMap");
  }
  EXPECT_GT(version(seen.events.back()), version(seen.events[0]));
}

/// Of events no server keeps more than its store does, so the first version
/// is gone as soon as that was compacted.
TEST_F(Watches, AVersionThatIsForgottenIsGone) {
  Json told = Json::object();
  for (int tries = 0; tries < 120 && told.value("code", 0) != 410; ++tries) {
    const Stream seen = follow(kube::kEvents.path(kNamespace),
                               "timeoutSeconds=1&resourceVersion=1", 1);
    const Result<Json> body = parse_json(seen.response.body);
    if (!seen.events.empty()) {
      told = seen.events[0]["object"];
    } else {
      told = body ? *body : Json::object();
    }
  }

  EXPECT_EQ(told["code"], 410) << told;
  EXPECT_EQ(told["reason"], "Expired") << told;
}

TEST_F(Watches, OurWatchFollowsWithOneList) {
  ThreadQueue<std::string> words;
  kube::Watch watch(
      *transport_,
      {.type = kConfigMaps,
       .name_space = kNamespace,
       .which = {.label_selector = "set=w"},
       .lifetime = std::chrono::seconds(2)},
      {.changed =
           [&](const std::vector<kube::Event>& events) {
             for (const kube::Event& event : events) {
               words.push(event.object["metadata"]["name"]);
             }
           },
       .synced = [&] { words.push("synced"); },
       .stale = [&](const Error& why) { words.push(to_string(why)); }});
  const auto other = Party::get().connect();
  kube::Client own_client(*other);
  std::jthread thread([&] { watch.run(); });

  EXPECT_EQ(words.pop(), "synced");
  ASSERT_TRUE(own_client.create(kConfigMaps, kNamespace,
                                config_map("w-a", {{"set", "w"}})));
  EXPECT_EQ(words.pop(), "w-a");
  while (watch.resumes() < 2) {
    std::this_thread::yield();
  }
  ASSERT_TRUE(own_client.create(kConfigMaps, kNamespace,
                                config_map("w-b", {{"set", "w"}})));
  EXPECT_EQ(words.pop(), "w-b");
  EXPECT_EQ(watch.lists(), 1U);
  watch.stop();
}

}  // namespace
}  // namespace linsey::contract
