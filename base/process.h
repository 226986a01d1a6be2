// Child processes: run one to its end with a time limit, or keep one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace linsey {

struct Command {
  std::vector<std::string> argv;  // argv[0] is a path or found on PATH
  std::optional<std::map<std::string, std::string>> env;  // nullopt: inherit
  std::string stdin_data;
  std::chrono::milliseconds timeout{10000};
  int netns_fd = -1;        // enter this network namespace in the child first
  std::string output_file;  // start() only: stdout and stderr appended here
};

struct Finished {
  int exit_code = 0;  // 128 + signal when a signal ended it
  std::string out;
  std::string err;
  bool timed_out = false;  // it was killed by SIGKILL at its time limit
};

/// Runs a command to its end. Errors: kIo when it cannot be started. A
/// non-zero exit is not an error here.
Result<Finished> run(const Command& command);

/// As run(), and a non-zero exit or a time-out is an error whose details hold
/// the command line and what it printed.
Result<std::string> run_ok(const Command& command);

/// A child that lives until stop() or the destructor. It dies with its parent
/// (PR_SET_PDEATHSIG), so that a killed lab leaves nothing.
class Child {
 public:
  Child() = default;
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Child& operator=(Child&& other) noexcept;
  ~Child();

  static Result<Child> start(const Command& command);

  pid_t pid() const { return pid_; }
  bool alive();
  void signal(int number) const;
  /// SIGTERM, then SIGKILL after `grace`. Returns the exit code as in Finished.
  int stop(std::chrono::milliseconds grace = std::chrono::milliseconds(3000));
  /// SIGKILL now.
  void kill_now();
  /// Gives the pid away; the child goes on when this object is gone.
  pid_t release() { return std::exchange(pid_, -1); }

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
};

}  // namespace linsey
