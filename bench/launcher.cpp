#include "bench/launcher.h"

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "base/fd.h"
#include "base/file.h"

namespace linsey::bench {
namespace {

using Clock = std::chrono::steady_clock;

Result<UniqueFd> memory_file(const std::string& content) {
  UniqueFd fd(::memfd_create("bench", MFD_CLOEXEC));
  if (!fd) return errno_error(errno, "memfd_create");
  TRY(write_all(fd.get(), content));
  if (::lseek(fd.get(), 0, SEEK_SET) < 0) return errno_error(errno, "lseek");
  return fd;
}

Result<std::string> content_of(const UniqueFd& fd) {
  return read_file(fmt::format("/proc/self/fd/{}", fd.get()));
}

/// A launch with everything made that need not be timed.
class Prepared {
 public:
  static Result<std::unique_ptr<Prepared>> make(const Launch& launch) {
    auto prepared = std::unique_ptr<Prepared>(new Prepared(launch));
    prepared->in_ = TRY(memory_file(launch.input));
    prepared->out_ = TRY(memory_file(""));
    prepared->err_ = TRY(memory_file(""));
    int fd = 0;
    for (const UniqueFd* from :
         {&prepared->in_, &prepared->out_, &prepared->err_}) {
      (void)::posix_spawn_file_actions_adddup2(&prepared->actions_, from->get(),
                                               fd++);
    }
    return prepared;
  }
  ~Prepared() { (void)::posix_spawn_file_actions_destroy(&actions_); }
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;

  Result<void> start() {
    began_ = Clock::now();
    const int code = ::posix_spawn(&pid_, argv_.front(), &actions_, nullptr,
                                   argv_.data(), env_.data());
    if (code != 0) return errno_error(code, launch_.argv.front());
    return {};
  }
  void ended(int status) {
    took_ = Clock::now() - began_;
    status_ = status;
  }
  Result<void> wait() {
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_) return errno_error(errno, "wait");
    ended(status);
    return {};
  }
  pid_t pid() const { return pid_; }

  Result<Ran> result() const {
    Ran ran{took_, TRY(content_of(out_)), TRY(content_of(err_))};
    if (status_ == 0) return ran;
    return make_error(Code::kIo, "{} ended with wait status {}: {} {}",
                      launch_.argv.front(), status_, ran.out, ran.err);
  }

 private:
  explicit Prepared(const Launch& launch) : launch_(launch) {
    (void)::posix_spawn_file_actions_init(&actions_);
    for (const auto& [key, value] : launch_.env) {
      assignments_.push_back(fmt::format("{}={}", key, value));
    }
    for (std::string& text : launch_.argv)
      argv_.push_back(text.data());
    for (std::string& text : assignments_)
      env_.push_back(text.data());
    argv_.push_back(nullptr);
    env_.push_back(nullptr);
  }

  Launch launch_;
  std::vector<std::string> assignments_;
  std::vector<char*> argv_;
  std::vector<char*> env_;
  UniqueFd in_;
  UniqueFd out_;
  UniqueFd err_;
  posix_spawn_file_actions_t actions_{};
  Clock::time_point began_;
  Time took_{};
  pid_t pid_ = -1;
  int status_ = 0;
};

using List = std::vector<std::unique_ptr<Prepared>>;

Result<List> prepare(std::span<const Launch> launches) {
  List list;
  for (const Launch& launch : launches) {
    list.push_back(TRY(Prepared::make(launch)));
  }
  return list;
}

Result<Series> gather(const List& list, Time wall) {
  Series series;
  series.wall = wall;
  for (const auto& prepared : list) {
    series.runs.push_back(TRY(prepared->result()));
  }
  return series;
}

/// Waits for any of the children that are ours; others (an agent) are left
/// alone, which waitpid(-1) would not do.
Result<void> wait_all(const List& list) {
  std::map<pid_t, Prepared*> running;
  for (const auto& prepared : list) {
    running[prepared->pid()] = prepared.get();
  }
  while (!running.empty()) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) != 0) {
      return errno_error(errno, "waitid");
    }
    const auto found = running.find(info.si_pid);
    if (found == running.end()) {
      return make_error(Code::kInternal,
                        "process {} ended beside the benchmark", info.si_pid);
    }
    TRY(found->second->wait());
    running.erase(found);
  }
  return {};
}

}  // namespace

Result<Series> one_by_one(std::span<const Launch> launches) {
  const List list = TRY(prepare(launches));
  const Clock::time_point began = Clock::now();
  for (const auto& prepared : list) {
    TRY(prepared->start());
    TRY(prepared->wait());
  }
  return gather(list, Clock::now() - began);
}

Result<Series> at_once(std::span<const Launch> launches) {
  const List list = TRY(prepare(launches));
  const Clock::time_point began = Clock::now();
  for (const auto& prepared : list) {
    TRY(prepared->start());
  }
  TRY(wait_all(list));
  return gather(list, Clock::now() - began);
}

}  // namespace linsey::bench
