#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>

#include "base/file.h"

namespace linsey {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) return errno_error(errno, "pipe");
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (std::string& text : texts) {
    out.push_back(text.data());
  }
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> environment_of(const Command& command) {
  std::vector<std::string> out;
  for (const auto& [key, value] : *command.env) {
    out.push_back(fmt::format("{}={}", key, value));
  }
  return out;
}

struct ChildEnds {
  int in = -1;
  int out = -1;
  int err = -1;
};

/// Everything between fork and exec; async-signal-safe calls only.
/// A parent that died before the prctl would never be heard of.
[[noreturn]] void become(const Command& command, const ChildEnds& ends,
                         char* const* argv, char* const* envp, pid_t parent) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  sigset_t none;
  (void)sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, nullptr);
  if (dup2(ends.in, 0) < 0 || dup2(ends.out, 1) < 0 || dup2(ends.err, 2) < 0) {
    _exit(126);
  }
  if (command.netns_fd >= 0 && setns(command.netns_fd, CLONE_NEWNET) != 0) {
    constexpr std::string_view kText = "cannot enter the network namespace\n";
    (void)!write(2, kText.data(), kText.size());
    _exit(126);
  }
  if (envp != nullptr) {
    (void)execvpe(argv[0], argv, envp);
  } else {
    (void)execvp(argv[0], argv);
  }
  constexpr std::string_view kText = "cannot execute\n";
  (void)!write(2, kText.data(), kText.size());
  _exit(127);
}

Result<pid_t> launch(const Command& command, const ChildEnds& ends) {
  std::vector<std::string> args = command.argv;
  std::vector<std::string> env;
  if (command.env) env = environment_of(command);
  const std::vector<char*> argv = pointers(args);
  const std::vector<char*> envp = pointers(env);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return errno_error(errno, "fork");
  if (pid == 0) {
    become(command, ends, argv.data(), command.env ? envp.data() : nullptr,
           parent);
  }
  return pid;
}

int exit_code_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// Reads once from `fd` into `sink`; closes it at its end.
void drain(UniqueFd& fd, std::string& sink) {
  std::array<char, 16384> buffer{};
  const ssize_t n = read(fd.get(), buffer.data(), buffer.size());
  if (n > 0) {
    sink.append(buffer.data(), static_cast<std::size_t>(n));
  } else if (n == 0 || errno != EINTR) {
    fd.reset();
  }
}

void feed(UniqueFd& fd, std::string_view& rest) {
  const ssize_t n = write(fd.get(), rest.data(), rest.size());
  if (n > 0) rest.remove_prefix(static_cast<std::size_t>(n));
  const bool again = n < 0 && (errno == EINTR || errno == EAGAIN);
  if ((n < 0 && !again) || rest.empty()) fd.reset();
}

/// Moves data both ways until the child closed its output or time is up.
bool exchange_data(const Command& command, Pipe& in, Pipe& out, Pipe& err,
                   Finished& done) {
  const auto deadline = steady_clock::now() + command.timeout;
  std::string_view rest = command.stdin_data;
  if (rest.empty()) in.write.reset();
  while (out.read || err.read) {
    std::array<pollfd, 3> polls{{{out.read.get(), POLLIN, 0},
                                 {err.read.get(), POLLIN, 0},
                                 {in.write.get(), POLLOUT, 0}}};
    const auto left = std::chrono::duration_cast<milliseconds>(
        deadline - steady_clock::now());
    if (left.count() <= 0) return false;
    if (poll(polls.data(), polls.size(), static_cast<int>(left.count())) < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    if (polls[0].revents != 0) drain(out.read, done.out);
    if (polls[1].revents != 0) drain(err.read, done.err);
    if (polls[2].revents != 0) feed(in.write, rest);
  }
  return true;
}

std::string command_line(const Command& command) {
  std::string line;
  for (const std::string& arg : command.argv) {
    line += (line.empty() ? "" : " ") + arg;
  }
  return line;
}

}  // namespace

Result<Finished> run(const Command& command) {
  Pipe in = TRY(make_pipe());
  Pipe out = TRY(make_pipe());
  Pipe err = TRY(make_pipe());
  // A child that writes before it has read everything must not block us.
  if (fcntl(in.write.get(), F_SETFL, O_NONBLOCK) != 0) {
    return errno_error(errno, "set pipe non-blocking");
  }
  const pid_t pid =
      TRY(launch(command, {in.read.get(), out.write.get(), err.write.get()}));
  in.read.reset();
  out.write.reset();
  err.write.reset();
  // A child that ends without reading its stdin must not end us.
  sigset_t pipe_only;
  sigset_t before;
  (void)sigemptyset(&pipe_only);
  (void)sigaddset(&pipe_only, SIGPIPE);
  (void)pthread_sigmask(SIG_BLOCK, &pipe_only, &before);

  Finished done;
  done.timed_out = !exchange_data(command, in, out, err, done);
  const timespec now{};
  (void)sigtimedwait(&pipe_only, nullptr, &now);  // eat one that is pending
  (void)pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (done.timed_out) (void)kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  done.exit_code = exit_code_of(status);
  return done;
}

Result<std::string> run_ok(const Command& command) {
  Finished done = TRY(run(command));
  if (done.exit_code == 0 && !done.timed_out) return std::move(done.out);
  Error error = make_error(
      Code::kIo, "{} {}", command.argv.front(),
      done.timed_out ? std::string("did not end in time")
                     : fmt::format("ended with exit code {}", done.exit_code));
  error.details = fmt::format("command: {}; stdout: {}; stderr: {}",
                              command_line(command), done.out, done.err);
  return error;
}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    kill_now();
    pid_ = std::exchange(other.pid_, -1);
  }
  return *this;
}

Child::~Child() {
  kill_now();
}

Result<Child> Child::start(const Command& command) {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return errno_error(errno, "open /dev/null");
  UniqueFd log;
  int sink = null.get();
  if (!command.output_file.empty()) {
    log = UniqueFd(open(command.output_file.c_str(),
                        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!log) {
      return errno_error(errno, fmt::format("open {}", command.output_file));
    }
    sink = log.get();
  }
  return Child(TRY(launch(command, {null.get(), sink, sink})));
}

bool Child::alive() {
  if (pid_ < 0) return false;
  int status = 0;
  const pid_t got = waitpid(pid_, &status, WNOHANG);
  if (got == 0) return true;
  pid_ = -1;
  return false;
}

void Child::signal(int number) const {
  if (pid_ > 0) (void)kill(pid_, number);
}

int Child::stop(milliseconds grace) {
  if (pid_ < 0) return 0;
  signal(SIGTERM);
  const auto deadline = steady_clock::now() + grace;
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (steady_clock::now() >= deadline) {
      signal(SIGKILL);
      while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
      }
      break;
    }
    std::this_thread::sleep_for(milliseconds(5));
  }
  pid_ = -1;
  return exit_code_of(status);
}

void Child::kill_now() {
  if (pid_ < 0) return;
  signal(SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

}  // namespace linsey
