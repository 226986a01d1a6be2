#include "lab/lab_directory.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "base/file.h"

namespace linsey::lab {
namespace {

constexpr std::chrono::milliseconds kLockEvery{20};
constexpr int kMostInherited = 1024;

void remove_tree(const std::string& path) {
  std::error_code ignored;  // the next lab of that name sees what is left
  std::filesystem::remove_all(path, ignored);
  // Only when no other lab is in it.
  std::filesystem::remove(std::filesystem::path(path).parent_path(), ignored);
}

/// Is `fd` still what `path` names? Its old holder may have removed it.
bool is_current(int fd, const std::string& path) {
  struct stat held {};
  struct stat named {};
  return fstat(fd, &held) == 0 && stat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

/// One try. An empty descriptor means: somebody else has it, or had it.
Result<UniqueFd> try_lock(const std::string& path) {
  TRY(make_directories(path, 0700));
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) return UniqueFd();
    return errno_error(errno, fmt::format("open {}", path));
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0 || !is_current(fd.get(), path)) {
    return UniqueFd();
  }
  return fd;
}

Result<UniqueFd> lock_directory(const std::string& path, int patience_ms) {
  for (int waited = 0; waited < patience_ms;
       waited += static_cast<int>(kLockEvery.count())) {
    UniqueFd fd = TRY(try_lock(path));
    if (fd) return fd;
    std::this_thread::sleep_for(kLockEvery);
  }
  return make_error(Code::kTryAgainLater,
                    "a lab runs in {}; end it by `linsey-lab down`, or choose "
                    "another --name",
                    path);
}

Result<void> empty_directory(const std::string& path) {
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(path, failed)) {
    std::filesystem::remove_all(entry.path(), failed);
  }
  if (failed) {
    return make_error(Code::kIo, "empty {}: {}", path, failed.message());
  }
  return {};
}

[[noreturn]] void watch(int pipe, int lock, const std::string& path) {
  // Not to be ended with the terminal or by a signal meant for the lab.
  (void)setsid();
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    (void)signal(number, SIG_IGN);
  }
  // Whoever waits for our parent's output must not wait for us.
  for (int fd = 0; fd < kMostInherited; ++fd) {
    if (fd != pipe && fd != lock) (void)close(fd);
  }
  char byte = 0;
  while (read(pipe, &byte, 1) < 0 && errno == EINTR) {
  }
  remove_tree(path);
  _exit(0);
}

}  // namespace

Result<LabDirectory> LabDirectory::claim(const std::string& path,
                                         int patience_ms) {
  UniqueFd lock = TRY(lock_directory(path, patience_ms));
  TRY(empty_directory(path));
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error(errno, "pipe");
  UniqueFd sleeping(ends[0]);
  UniqueFd alive(ends[1]);
  const pid_t pid = fork();
  if (pid < 0) return errno_error(errno, "fork");
  if (pid == 0) {
    alive.reset();
    watch(sleeping.get(), lock.get(), path);
  }
  return LabDirectory(path, std::move(lock), std::move(alive), pid);
}

LabDirectory::~LabDirectory() {
  if (!alive_) return;  // moved from
  alive_.reset();
  while (waitpid(watcher_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool wait_until_unclaimed(const std::string& path, int limit_ms) {
  for (int waited = 0; waited < limit_ms;
       waited += static_cast<int>(kLockEvery.count())) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return true;
    std::this_thread::sleep_for(kLockEvery);
  }
  return false;
}

}  // namespace linsey::lab
