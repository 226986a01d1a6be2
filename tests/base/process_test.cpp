#include "base/process.h"

#include <signal.h>

#include <gtest/gtest.h>

namespace linsey {
namespace {

TEST(Run, CarriesInputOutputAndExitCode) {
  const Result<Finished> r =
      run({.argv = {"sh", "-c", "cat; echo oops >&2; exit 7"},
           .stdin_data = std::string(200000, 'x')});
  ASSERT_TRUE(r.has_value());
  EXPECT_EQ(r->exit_code, 7);
  EXPECT_EQ(r->out.size(), 200000U);
  EXPECT_EQ(r->err, "oops\n");
}

TEST(Run, SurvivesAChildThatDoesNotReadItsInput) {
  const Result<Finished> r =
      run({.argv = {"true"}, .stdin_data = std::string(1 << 20, 'x')});
  ASSERT_TRUE(r.has_value());
  EXPECT_EQ(r->exit_code, 0);
}

TEST(Run, KillsAtTheTimeLimit) {
  const Result<Finished> r =
      run({.argv = {"sh", "-c", "trap '' TERM; exec sleep 60"},
           .timeout = std::chrono::milliseconds(50)});
  ASSERT_TRUE(r.has_value());
  EXPECT_TRUE(r->timed_out);
  EXPECT_EQ(r->exit_code, 128 + SIGKILL);
}

TEST(RunOk, ErrorHoldsCommandAndOutput) {
  const Result<std::string> r =
      run_ok({.argv = {"sh", "-c", "echo reason >&2; exit 3"}});
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().msg.find("exit code 3"), std::string::npos);
  EXPECT_NE(r.error().details.find("reason"), std::string::npos);
  EXPECT_FALSE(run_ok({.argv = {"/nonexistent/program"}}));
}

TEST(Child, StopsAndTellsHowItEnded) {
  Result<Child> child = Child::start({.argv = {"sleep", "60"}});
  ASSERT_TRUE(child.has_value());
  EXPECT_TRUE(child->alive());
  EXPECT_EQ(child->stop(), 128 + SIGTERM);
  EXPECT_FALSE(child->alive());
}

}  // namespace
}  // namespace linsey
