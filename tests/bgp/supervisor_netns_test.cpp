// The supervisor with a real BIRD, as a child process of the test.
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bgp/supervisor.h"
#include "tests/bgp/machine.h"
#include "tests/bgp/make.h"
#include "tests/support/eventually.h"

namespace linsey::bgp {
namespace {

using tests::eventually;
using tests::Machine;

class SupervisorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
    machine_.emplace();
    machine_->speaker = tests::speaker();
    options_ = {.config_file = machine_->dir / "bird.conf",
                .control_socket = machine_->dir / "bird.ctl"};
  }
  void TearDown() override {
    if (pid_ > 0) (void)end(SIGKILL);
  }

  void start() {
    // So that no signal comes before the supervisor waits for it.
    sigset_t wanted;
    sigset_t before;
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGTERM);
    (void)sigaddset(&wanted, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &wanted, &before);
    pid_ = fork();
    if (pid_ != 0) {
      (void)sigprocmask(SIG_SETMASK, &before, nullptr);
      return;
    }
    const bool inside = setns(machine_->ns.fd(), CLONE_NEWNET) == 0;
    const Result<void> done = supervise(options_);
    _exit(done && inside ? 0 : 1);
  }
  int end(int number) {
    (void)kill(pid_, number);
    int status = 0;
    (void)waitpid(pid_, &status, 0);
    pid_ = 0;
    return status;
  }
  std::optional<Running> bird() const {
    auto control =
        BirdControl::connect(options_.control_socket, std::chrono::seconds(1));
    if (!control) return std::nullopt;
    const auto running = control->status();
    return running ? std::optional(*running) : std::nullopt;
  }
  void configure() {
    ASSERT_TRUE(apply(machine_->speaker, machine_->paths()).has_value());
  }

  std::optional<Machine> machine_;
  SupervisorOptions options_;
  pid_t pid_ = 0;
};

TEST(BirdArgv, RecoversOnlyWhenAsked) {
  EXPECT_THAT(bird_argv({}, true), ::testing::Contains("-R"));
  EXPECT_THAT(bird_argv({}, false), ::testing::Not(::testing::Contains("-R")));
}

TEST_F(SupervisorTest, IsIdleWithoutAConfigurationAndEndsAtOnce) {
  start();

  EXPECT_EQ(end(SIGTERM), 0);
  EXPECT_FALSE(path_exists(options_.control_socket));
}

TEST_F(SupervisorTest, StartsBirdWhenTheConfigurationComes) {
  start();

  configure();

  EXPECT_TRUE(eventually([&] { return bird().has_value(); }));
  EXPECT_EQ(end(SIGTERM), 0);
  EXPECT_FALSE(bird().has_value());
}

TEST_F(SupervisorTest, RestartsBirdRecovering) {
  machine_->ip_command("link set lo up");
  machine_->ip_command("addr add 10.0.1.11/24 dev lo");
  machine_->speaker.peers = {tests::peer("silent", "10.0.1.99", 64512)};
  configure();
  start();
  ASSERT_TRUE(eventually([&] { return bird().has_value(); }));
  EXPECT_FALSE(bird()->recovering);
  const std::string marker = options_.config_file + ".ran";
  EXPECT_EQ(*read_file(marker), *boot_id());

  (void)kill(pid_, SIGHUP);

  EXPECT_TRUE(eventually([&] {
    const auto now = bird();
    return now && now->recovering;
  }));
}

}  // namespace
}  // namespace linsey::bgp
