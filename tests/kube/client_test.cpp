#include "kube/client.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/fake_api.h"

namespace linsey::kube {
namespace {

Json block(const std::string& name) {
  return {{"metadata", {{"name", name}}}, {"spec", {{"node", "m1"}}}};
}

class ClientTest : public testing::Test {
 protected:
  tests::FakeApi api_;
  std::unique_ptr<Transport> transport_ = api_.connect();
  Client client_{*transport_};
};

TEST_F(ClientTest, CreateIsACompareAndSwapOnTheName) {
  ASSERT_TRUE(client_.create(kIpBlocks, "", block("4-0a")).has_value());

  const Result<Json> second = client_.create(kIpBlocks, "", block("4-0a"));

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kApiExists);
}

TEST_F(ClientTest, UpdateFailsWhenSomebodyWasFirst) {
  Json mine = *client_.create(kIpBlocks, "", block("b"));
  Json theirs = mine;
  theirs["spec"]["node"] = "m2";
  ASSERT_TRUE(client_.update(kIpBlocks, "", theirs).has_value());

  mine["spec"]["state"] = "confirmed";
  const Result<Json> lost = client_.update(kIpBlocks, "", mine);

  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Code::kApiConflict);
}

TEST_F(ClientTest, RemoveHonoursItsPreconditions) {
  const Json made = *client_.create(kIpBlocks, "", block("b"));
  const std::string uid = made["metadata"]["uid"];

  EXPECT_EQ(client_.remove(kIpBlocks, "", "b", {.uid = "other"}).error().code,
            Code::kApiConflict);
  EXPECT_TRUE(client_.remove(kIpBlocks, "", "b", {.uid = uid}).has_value());
  EXPECT_EQ(client_.remove(kIpBlocks, "", "b").error().code,
            Code::kApiNotFound);
}

TEST_F(ClientTest, ListReadsEveryPage) {
  api_.set_page_size(3);
  for (int i = 0; i < 10; ++i) {
    (void)api_.put("/api/v1/namespaces/ns/pods/p" + std::to_string(i),
                   {{"metadata", {{"name", "p" + std::to_string(i)}}},
                    {"spec", {{"nodeName", i % 2 == 0 ? "m1" : "m2"}}}});
  }

  EXPECT_EQ(client_.list(kPods, "")->items.size(), 10U);
  EXPECT_EQ(client_.list(kPods, "", {.field_selector = "spec.nodeName=m1"})
                ->items.size(),
            5U);
}

TEST_F(ClientTest, PagesGoOnWhereTheLastOneEnded) {
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_TRUE(client_.create(kIpBlocks, "", block(name)).has_value());
  }

  const Result<Page> first = client_.page(kIpBlocks, "", {}, {.limit = 2});
  ASSERT_TRUE(first.has_value());
  const Result<Page> second =
      client_.page(kIpBlocks, "", {}, {.limit = 2, .next = first->next});
  ASSERT_TRUE(second.has_value());
  api_.expire();
  const Result<Page> old =
      client_.page(kIpBlocks, "", {}, {.limit = 2, .next = first->next});

  EXPECT_EQ(first->items.size(), 2U);
  EXPECT_GT(first->bytes, 100U);
  EXPECT_EQ(second->items.size(), 1U);
  EXPECT_EQ(second->next, "");
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().code, Code::kApiExpired);
}

TEST_F(ClientTest, PatchMergesIntoTheStatus) {
  (void)client_.create(kNodeNetworks, "", block("m1"));

  const Result<Json> patched = client_.patch(
      kNodeNetworks, "", "m1", {{"status", {{"mode", "bgp"}}}}, "status");

  ASSERT_TRUE(patched.has_value());
  EXPECT_EQ((*patched)["status"]["mode"], "bgp");
  EXPECT_EQ((*patched)["spec"]["node"], "m1");
}

TEST_F(ClientTest, ErrorsAreToldByClass) {
  struct Row {
    int status;
    const char* reason;
    Code code;
  };
  for (const Row& row : {Row{403, "Forbidden", Code::kApiForbidden},
                         Row{404, "NotFound", Code::kApiNotFound},
                         Row{409, "AlreadyExists", Code::kApiExists},
                         Row{409, "Conflict", Code::kApiConflict},
                         Row{410, "Expired", Code::kApiExpired},
                         Row{422, "Invalid", Code::kApiInvalid},
                         Row{429, "TooManyRequests", Code::kApiThrottled},
                         Row{500, "InternalError", Code::kApiUnavailable},
                         Row{503, "", Code::kApiUnavailable}}) {
    api_.push_fault({.status = row.status, .reason = row.reason});
    EXPECT_EQ(client_.get(kNodes, "", "m1").error().code, row.code)
        << row.status << row.reason;
  }
}

TEST_F(ClientTest, RetryAfterTravelsWithTheError) {
  api_.push_fault({.status = 503, .retry_after = 7});

  const Result<Json> busy = client_.get(kNodes, "", "m1");

  EXPECT_EQ(busy.error().code, Code::kApiThrottled);
  EXPECT_EQ(retry_after(busy.error()), std::chrono::seconds(7));
}

TEST_F(ClientTest, RepeatsOnceAfterARefusedToken) {
  (void)api_.put("/api/v1/nodes/m1", {{"metadata", {{"name", "m1"}}}});
  api_.push_fault({.status = 401, .reason = "Unauthorized"});
  EXPECT_TRUE(client_.get(kNodes, "", "m1").has_value());
  EXPECT_EQ(api_.count("GET", "/api/v1/nodes"), 2U);

  api_.push_fault({.status = 401, .reason = "Unauthorized"}, 2);
  EXPECT_EQ(client_.get(kNodes, "", "m1").error().code, Code::kApiUnauthorized);
  EXPECT_EQ(api_.count("GET", "/api/v1/nodes"), 4U);
}

TEST_F(ClientTest, PathsAreEncoded) {
  EXPECT_EQ(kIpBlocks.path(), "/apis/linsey.dev/v1/ipblocks");
  EXPECT_EQ(kPods.path("a/b"), "/api/v1/namespaces/a%2Fb/pods");
}

}  // namespace
}  // namespace linsey::kube
