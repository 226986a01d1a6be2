#include "bgp/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "bgp/bird_control.h"

namespace linsey::bgp {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLook(100);  // for the file, and for BIRD's end
constexpr milliseconds kShortLife(5000);
constexpr milliseconds kLongestPause(10000);

class Supervisor {
 public:
  explicit Supervisor(const SupervisorOptions& options) : options_(options) {}

  Result<void> open() {
    sigset_t wanted;
    (void)sigemptyset(&wanted);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) {
      (void)sigaddset(&wanted, number);
    }
    if (sigprocmask(SIG_BLOCK, &wanted, nullptr) != 0) {
      return errno_error(errno, "sigprocmask");
    }
    signals_ = UniqueFd(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) return errno_error(errno, "signalfd");
    boot_ = boot_id().value_or(std::string("unknown"));
    ran_ = read_file(marker()).value_or(std::string()) == boot_;
    return {};
  }

  Result<void> run() {
    while (true) {
      look_after_bird();
      const int number = next_signal();
      if (number == SIGHUP) {
        log::info("BIRD is restarted");
        end_gracefully();
      }
      if (number == SIGTERM || number == SIGINT) {
        end_gracefully();
        return {};
      }
    }
  }

 private:
  std::string marker() const { return options_.config_file + ".ran"; }

  void look_after_bird() {
    if (started_ && !bird_.alive()) {
      started_ = false;
      const bool short_life = Clock::now() - started_at_ < kShortLife;
      pause_ = short_life
                   ? std::clamp(pause_ * 2, milliseconds(250), kLongestPause)
                   : milliseconds(0);
      log::warn("BIRD ended; it is started again in {} ms", pause_.count());
      not_before_ = Clock::now() + pause_;
    }
    if (started_ || Clock::now() < not_before_ ||
        !path_exists(options_.config_file)) {
      return;
    }
    start();
  }

  void start() {
    started_at_ = Clock::now();
    Command command;
    command.argv = bird_argv(options_, ran_);
    Result<Child> child = Child::start(command);
    if (!child) {
      log::error("{}", to_string(child.error()));
      not_before_ = Clock::now() + kLongestPause;
      return;
    }
    bird_ = std::move(*child);
    started_ = true;
    log::info("BIRD runs as process {}{}", bird_.pid(),
              ran_ ? ", recovering" : "");
    ran_ = true;
    const Result<void> noted =
        write_file_atomic(marker(), boot_, {.mode = 0600, .sync = false});
    if (!noted) log::error("{}", to_string(noted.error()));
  }

  void end_gracefully() {
    if (!started_ || !bird_.alive()) return;
    const Result<void> asked = [&]() -> Result<void> {
      BirdControl bird =
          TRY(BirdControl::connect(options_.control_socket, options_.patience));
      return bird.graceful_restart();
    }();
    if (!asked) log::warn("BIRD is killed: {}", to_string(asked.error()));
    const auto limit = Clock::now() + options_.patience;
    while (asked && bird_.alive() && Clock::now() < limit) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    if (bird_.alive()) bird_.kill_now();
    started_ = false;
    pause_ = {};
    not_before_ = {};
  }

  /// 0: none within kLook.
  int next_signal() const {
    pollfd ready{signals_.get(), POLLIN, 0};
    (void)poll(&ready, 1, static_cast<int>(kLook.count()));
    signalfd_siginfo info{};
    if (read(signals_.get(), &info, sizeof info) != sizeof info) return 0;
    return static_cast<int>(info.ssi_signo);
  }

  const SupervisorOptions& options_;
  UniqueFd signals_;
  std::string boot_;
  Child bird_;
  bool started_ = false;
  bool ran_ = false;
  Clock::time_point started_at_{};
  Clock::time_point not_before_{};
  milliseconds pause_{0};
};

}  // namespace

std::vector<std::string> bird_argv(const SupervisorOptions& options,
                                   bool recover) {
  std::vector<std::string> argv{options.binary, "-f",
                                "-c",           options.config_file,
                                "-s",           options.control_socket};
  if (recover) argv.emplace_back("-R");
  return argv;
}

Result<void> supervise(const SupervisorOptions& options) {
  Supervisor supervisor(options);
  TRY(supervisor.open());
  return supervisor.run();
}

}  // namespace linsey::bgp
