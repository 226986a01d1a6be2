#include "agent/forgetter.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/log.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace linsey::agent {
namespace {

using std::chrono_literals::operator""s;  // NOLINT(misc-unused-using-decls)
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

IpAddr ip(const char* text) {
  return IpAddr::parse(text).value();
}

/// A kernel that answers as told and remembers what it was asked.
class ForgetterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(write_file_atomic(dir_ / "syn_sent", "120\n").has_value());
    ASSERT_TRUE(log::configure({.level = log::Level::kWarn,
                                .format = log::Format::kText,
                                .file = dir_ / "log"})
                    .has_value());
  }
  void TearDown() override { (void)log::configure({}); }

  Forgetter& start() {
    forgetter_.emplace(ForgetterDeps{
        .loop = loop_,
        .worker = worker_,
        .metrics = metrics_,
        .cool_down = [this] { return cool_down_; },
        .gather = [this] { return gather_; },
        .syn_sent_file = dir_ / "syn_sent",
        .forget = [this](const netlink::Stale& stale) -> Result<std::size_t> {
          asked_.emplace_back(stale.addresses.begin(), stale.addresses.end());
          ports_.insert(stale.udp_ports.begin(), stale.udp_ports.end());
          if (refusals_ == 0) return 1;
          --refusals_;
          return make_error(refusal_, "the kernel refused");
        }});
    return *forgetter_;
  }
  void pass(Duration time) {
    clock_.advance(time);
    loop_.run_until_idle();
  }
  std::string log() { return read_file(dir_ / "log").value_or(""); }

  tests::TempDir dir_;
  tests::FakeClock clock_;
  Loop loop_{clock_};
  Worker worker_{loop_, "kernel", Worker::Kind::kInline};
  Metrics metrics_;
  Duration cool_down_ = 30s;
  Duration gather_{};
  int refusals_ = 0;
  Code refusal_ = Code::kKernel;
  std::vector<std::vector<IpAddr>> asked_;
  std::set<std::uint16_t> ports_;
  std::optional<Forgetter> forgetter_;
};

TEST_F(ForgetterTest, ForgetsBothFamiliesInOneWalk) {
  start().forget({ip("10.0.0.1"), ip("fd00::1")});
  loop_.run_until_idle();

  EXPECT_THAT(asked_,
              ElementsAre(UnorderedElementsAre(ip("10.0.0.1"), ip("fd00::1"))));
  EXPECT_TRUE(forgetter_->possible());
}

TEST_F(ForgetterTest, WalksOnceForAllThatComeWithinAMoment) {
  gather_ = 1s;
  start().forget({ip("10.0.0.1")});
  pass(0s);
  EXPECT_THAT(asked_, IsEmpty());
  forgetter_->forget({ip("10.0.0.2")});
  pass(1s);
  EXPECT_THAT(asked_, ElementsAre(UnorderedElementsAre(ip("10.0.0.1"),
                                                       ip("10.0.0.2"))));
  pass(5s);
  EXPECT_EQ(asked_.size(), 1U);

  forgetter_->forget({ip("10.0.0.3")});
  pass(1s);
  EXPECT_EQ(asked_.size(), 2U);
}

TEST_F(ForgetterTest, KeepsNoPortWaiting) {
  gather_ = 1s;
  start().forget({ip("10.0.0.1")});
  forgetter_->forget_udp(53);
  loop_.run_until_idle();
  EXPECT_THAT(ports_, ElementsAre(53));
  EXPECT_THAT(asked_, ElementsAre(ElementsAre(ip("10.0.0.1"))));
  pass(5s);
  EXPECT_EQ(asked_.size(), 1U);
}

TEST_F(ForgetterTest, RepeatsAFailedWalkWithAllThatCameMeanwhile) {
  refusals_ = 1;
  start().forget({ip("10.0.0.1")});
  loop_.run_until_idle();
  forgetter_->forget({ip("10.0.0.2")});
  pass(1s);

  ASSERT_EQ(asked_.size(), 2U);
  EXPECT_THAT(asked_[1], UnorderedElementsAre(ip("10.0.0.1"), ip("10.0.0.2")));
  EXPECT_TRUE(forgetter_->possible());
  EXPECT_THAT(log(), IsEmpty());
}

TEST_F(ForgetterTest, GivesUpBeforeTheCoolDownCanEndAndWarns) {
  refusals_ = 100;
  start().forget({ip("10.0.0.1")});
  for (int i = 0; i < 10; ++i) {
    pass(1s);
  }

  EXPECT_EQ(asked_.size(), 3U);
  EXPECT_FALSE(forgetter_->possible());
  EXPECT_THAT(log(),
              HasSubstr("ipam.coolDown of 30 s is shorter than the 120"));
}

TEST_F(ForgetterTest, AsksARefusingKernelOnceAndIsUsableWhenItNoLongerRefuses) {
  refusals_ = 1;
  refusal_ = Code::kKernelFeatureMissing;
  start().forget({ip("10.0.0.1")});
  pass(5s);
  EXPECT_EQ(asked_.size(), 1U);
  EXPECT_FALSE(forgetter_->possible());

  forgetter_->forget({ip("10.0.0.2")});
  pass(0s);

  EXPECT_TRUE(forgetter_->possible());
}

TEST_F(ForgetterTest, SaysNothingWhereTheCoolDownIsLongEnough) {
  refusals_ = 1;
  refusal_ = Code::kPermission;
  cool_down_ = 120s;
  start().forget({ip("10.0.0.1")});
  pass(1s);

  EXPECT_FALSE(forgetter_->possible());
  EXPECT_THAT(log(), IsEmpty());
}

TEST_F(ForgetterTest, SaysNothingWhereTheKernelTracksNothing) {
  ASSERT_TRUE(remove_file(dir_ / "syn_sent").has_value());
  refusals_ = 1;
  refusal_ = Code::kKernelFeatureMissing;
  start().forget({ip("10.0.0.1")});
  pass(1s);

  EXPECT_THAT(log(), IsEmpty());
}

}  // namespace
}  // namespace linsey::agent
