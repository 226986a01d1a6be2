#include "controller/controller.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/eventually.h"
#include "tests/support/fake_api.h"
#include "tests/support/fake_clock.h"

namespace linsey::controller {
namespace {

using std::chrono_literals::operator""min;  // NOLINT(misc-unused-using-decls)

const std::string kPool = "/apis/linsey.dev/v1/ippools/p";
const std::string kBlock = "/apis/linsey.dev/v1/ipblocks/4-0a000000-26";
const std::string kNode = "/api/v1/nodes/m1";

class ControllerTest : public testing::Test {
 protected:
  ControllerTest() {
    (void)api_.put(kNode, {{"metadata", {{"name", "m1"}}}});
    (void)api_.put(kPool, {{"metadata", {{"name", "p"}}},
                           {"spec", {{"cidr", "10.0.0.0/16"}}}});
    (void)api_.put(
        kBlock,
        kube::to_json(kube::IpBlock{
            .cidr = *Cidr::parse("10.0.0.0/26"), .pool = "p", .node = "m1"}));
  }
  void start() {
    controller_ =
        std::make_unique<Controller>([this] { return api_.connect(); }, clock_);
  }
  bool eventually_current() {
    return tests::eventually([this] { return controller_->current(); });
  }

  tests::FakeApi api_;
  tests::FakeClock clock_;
  std::unique_ptr<Controller> controller_;
};

TEST_F(ControllerTest, MarksAPoolValidWithItsCountsAndFinalizer) {
  start();
  ASSERT_TRUE(eventually_current());

  controller_->tick(true);

  const Json pool = api_.at(kPool);
  EXPECT_EQ(pool["status"]["conditions"][0]["status"], "True");
  EXPECT_EQ(pool["status"]["blocks"]["total"], 1024);
  EXPECT_EQ(pool["status"]["blocks"]["used"], 1);
  EXPECT_EQ(pool["metadata"]["finalizers"][0], "linsey.dev/blocks");
}

TEST_F(ControllerTest, OneThatDoesNotLeadWritesNothing) {
  start();
  ASSERT_TRUE(eventually_current());

  EXPECT_EQ(controller_->tick(false), 0U);

  EXPECT_FALSE(api_.at(kPool).contains("status"));
}

TEST_F(ControllerTest, FreesTheBlockOfAGoneNodeAndTellsSo) {
  (void)api_.erase(kNode);
  start();
  ASSERT_TRUE(eventually_current());
  controller_->tick(true);
  ASSERT_FALSE(api_.at(kBlock).is_null());

  clock_.advance(6min);
  controller_->tick(true);

  EXPECT_TRUE(api_.at(kBlock).is_null());
  EXPECT_GT(api_.count("POST", "/apis/events.k8s.io/v1/namespaces/default"),
            0U);
}

TEST_F(ControllerTest, AsksForTheNodeByNameBeforeItFrees) {
  (void)api_.erase(kNode);
  start();
  ASSERT_TRUE(eventually_current());
  controller_->tick(true);
  clock_.advance(6min);

  const auto before = api_.count("GET", kNode);
  controller_->tick(true);

  EXPECT_GT(api_.count("GET", kNode), before);
}

}  // namespace
}  // namespace linsey::controller
