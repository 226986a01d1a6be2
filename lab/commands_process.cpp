// The two commands that are processes of their own: `up` and `exec`.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "lab/commands.h"
#include "lab/daemon.h"
#include "lab/shipped.h"

namespace linsey::lab {
namespace {

namespace fs = std::filesystem;

/// A program of the build: in `directory`, else beside us, else where the
/// build tree has it.
std::string find_program(const std::string& directory, const std::string& room,
                         const std::string& name) {
  std::error_code failed;
  const fs::path here =
      fs::read_symlink("/proc/self/exe", failed).parent_path();
  std::vector<fs::path> places{here / name, here.parent_path() / room / name};
  if (!directory.empty()) {
    places = {fs::path(directory) / name, fs::path(directory) / room / name};
  }
  for (const fs::path& place : places) {
    if (fs::exists(place, failed)) return fs::absolute(place, failed).string();
  }
  return {};
}

Result<DaemonOptions> daemon_options(const Target& target,
                                     const UpOptions& options) {
  DaemonOptions out;
  out.directory = target.directory();
  out.name = target.name;
  out.topology = options.topology_file.empty()
                     ? std::string(shipped_topology())
                     : TRY(read_file(options.topology_file));
  out.agent_program = find_program(options.programs, "agent", "linseyd");
  out.plugin_program = find_program(options.programs, "plugin", "linsey");
  if (out.agent_program.empty() || out.plugin_program.empty()) {
    return make_error(
        Code::kIo,
        "linseyd and linsey are not beside linsey-lab; name their "
        "directory by --programs");
  }
  return out;
}

/// The foreground half of `up -d`: prints what comes through the pipe; the
/// daemon is up when its last line says so.
int follow(int pipe) {
  std::string all;
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t n = read(pipe, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    all.append(buffer.data(), static_cast<std::size_t>(n));
    (void)std::fwrite(buffer.data(), 1, static_cast<std::size_t>(n), stdout);
    (void)std::fflush(stdout);
  }
  return all.ends_with(" is up\n") ? 0 : 1;
}

int serve(const DaemonOptions& options, int tell) {
  const auto say = [tell](const std::string& text) {
    // The reader may be gone; the lab is not less up for that.
    (void)!write(tell, (text + "\n").data(), text.size() + 1);
  };
  const Result<void> done =
      run_daemon(options, {.progress = say, .up = [&] {
                             say(fmt::format("lab {} is up", options.name));
                             if (tell != 1) (void)close(tell);
                           }});
  if (done) return 0;
  say(to_string(done.error()) + "\n  " + done.error().details);
  return 1;
}

/// Runs the lab in a child in the background; returns when it is up.
int serve_in_child(const DaemonOptions& options, bool dies_with_us) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return complain(errno_error(errno, "pipe"));
  }
  const pid_t pid = fork();
  if (pid < 0) return complain(errno_error(errno, "fork"));
  if (pid > 0) {
    (void)close(ends[1]);
    return follow(ends[0]);
  }
  (void)setsid();  // a terminal's ^C is not for the lab
  if (dies_with_us) (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)close(ends[0]);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) {
    (void)dup2(null, fd);
  }
  return serve(options, ends[1]);
}

[[noreturn]] void become(int netns, const std::vector<std::string>& argv) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (setns(netns, CLONE_NEWNET) != 0) {
    std::perror("linsey-lab: enter the namespace");
    _exit(126);
  }
  std::vector<char*> pointers;
  pointers.reserve(argv.size() + 1);
  for (const std::string& arg : argv) {
    pointers.push_back(const_cast<char*>(arg.c_str()));
  }
  pointers.push_back(nullptr);
  (void)execvp(pointers[0], pointers.data());
  std::perror(("linsey-lab: " + argv.front()).c_str());
  _exit(127);
}

/// Waits for the child; a lab that dies takes it along, since the child would
/// keep the namespace alive.
int wait_for(pid_t child, pid_t lab) {
  const UniqueFd child_end(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  const UniqueFd lab_end(static_cast<int>(syscall(SYS_pidfd_open, lab, 0)));
  std::array<pollfd, 2> polls{
      {{child_end.get(), POLLIN, 0}, {lab_end.get(), POLLIN, 0}}};
  while (polls[0].revents == 0) {
    if (poll(polls.data(), polls.size(), -1) < 0) continue;
    if (polls[1].revents != 0) {
      (void)kill(child, SIGKILL);
      polls[1].fd = -1;
    }
  }
  int status = 0;
  (void)waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// NODE, NODE/POD or NODE/NAMESPACE/POD as a request for its namespace.
Json place(const std::string& where) {
  const auto first = where.find('/');
  const auto last = where.rfind('/');
  Json out{{"op", "netns"}, {"node", where.substr(0, first)}};
  if (first == std::string::npos) return out;
  out["pod"] = where.substr(last + 1);
  if (last != first)
    out["namespace"] = where.substr(first + 1, last - first - 1);
  return out;
}

}  // namespace

int command_up(const Target& target, const UpOptions& options) {
  const Result<DaemonOptions> daemon = daemon_options(target, options);
  if (!daemon) return complain(daemon.error());
  return options.detach ? serve_in_child(*daemon, false) : serve(*daemon, 1);
}

bool start_lab(const Target& target, const UpOptions& options) {
  const Result<DaemonOptions> daemon = daemon_options(target, options);
  if (!daemon) return complain(daemon.error()) == 0;
  return serve_in_child(*daemon, true) == 0;
}

int command_exec(const Target& target, const std::string& where,
                 const std::vector<std::string>& argv) {
  Result<ControlClient> lab =
      ControlClient::connect(control_socket(target.directory()));
  if (!lab) return complain(lab.error());
  const Result<Answer> answer = lab->call(place(where));
  if (!answer) return complain(answer.error());
  (void)setenv("LINSEY_LAB", target.name.c_str(), 1);
  const pid_t child = fork();
  if (child < 0) return complain(errno_error(errno, "fork"));
  if (child == 0) become(answer->fd.get(), argv);
  return wait_for(child, lab->peer_pid());
}

}  // namespace linsey::lab
