#include "controller/lease.h"

#include <gtest/gtest.h>

#include "tests/support/fake_api.h"
#include "tests/support/fake_clock.h"

namespace linsey::controller {
namespace {

using std::chrono_literals::operator""s;  // NOLINT(misc-unused-using-decls)

class LeaseTest : public testing::Test {
 protected:
  tests::FakeApi api_;
  tests::FakeClock clock_;
  std::unique_ptr<kube::Transport> transport_ = api_.connect();
  kube::Client client_{*transport_};
  Leader a_{client_, clock_, {.identity = "a"}};
  Leader b_{client_, clock_, {.identity = "b"}};
};

TEST_F(LeaseTest, OneLeads) {
  ASSERT_TRUE(a_.tick());
  ASSERT_TRUE(b_.tick());

  EXPECT_TRUE(a_.leads());
  EXPECT_FALSE(b_.leads());
}

TEST_F(LeaseTest, TheHolderStaysWhileItRenews) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(a_.tick());
    ASSERT_TRUE(b_.tick());
    clock_.advance(5s);
    ASSERT_TRUE(a_.leads());
    ASSERT_FALSE(b_.leads());
  }
}

TEST_F(LeaseTest, TheOtherTakesOverOnlyAfterTheHolderStopped) {
  ASSERT_TRUE(a_.tick());
  ASSERT_TRUE(b_.tick());
  clock_.advance(11s);
  ASSERT_TRUE(b_.tick());
  EXPECT_FALSE(a_.leads());
  EXPECT_FALSE(b_.leads());

  clock_.advance(5s);
  ASSERT_TRUE(b_.tick());

  EXPECT_TRUE(b_.leads());
  ASSERT_TRUE(a_.tick());
  EXPECT_FALSE(a_.leads());
}

TEST_F(LeaseTest, WithoutTheApiTheHolderStopsByItself) {
  ASSERT_TRUE(a_.tick());
  api_.set_down(true);
  EXPECT_FALSE(a_.tick());
  EXPECT_TRUE(a_.leads());

  clock_.advance(10s);

  EXPECT_FALSE(a_.leads());
}

TEST_F(LeaseTest, WhoResignsIsFollowedAtOnce) {
  ASSERT_TRUE(a_.tick());
  ASSERT_TRUE(b_.tick());

  a_.resign();
  ASSERT_TRUE(b_.tick());

  EXPECT_FALSE(a_.leads());
  EXPECT_TRUE(b_.leads());
}

}  // namespace
}  // namespace linsey::controller
