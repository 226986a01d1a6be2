#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace linsey {
namespace {

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string temp_name(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string name =
      slash == std::string::npos ? path : path.substr(slash + 1);
  return fmt::format("{}/.{}.tmp.{}", directory_of(path), name, getpid());
}

Result<void> sync_directory(const std::string& path) {
  const UniqueFd dir(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return errno_error(errno, fmt::format("open {}", path));
  if (fsync(dir.get()) != 0) {
    return errno_error(errno, fmt::format("fsync {}", path));
  }
  return {};
}

Result<void> write_temp(const std::string& temp, std::string_view content,
                        const WriteOptions& options) {
  UniqueFd fd(open(temp.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                   options.mode));
  if (!fd) return errno_error(errno, fmt::format("create {}", temp));
  if (fchmod(fd.get(), options.mode) != 0) {
    return errno_error(errno, fmt::format("chmod {}", temp));
  }
  TRY(context(write_all(fd.get(), content), "write {}", temp));
  if (options.sync && fsync(fd.get()) != 0) {
    return errno_error(errno, fmt::format("fsync {}", temp));
  }
  return fd.close();
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_error(errno, fmt::format("open {}", path));
  std::string content;
  std::array<char, 16384> buffer{};
  while (true) {
    const ssize_t n = read(fd.get(), buffer.data(), buffer.size());
    if (n == 0) return content;
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno_error(errno, fmt::format("read {}", path));
    }
    content.append(buffer.data(), static_cast<std::size_t>(n));
    if (content.size() > limit) {
      return make_error(Code::kIo, "{} is larger than {} bytes", path, limit);
    }
  }
}

Result<void> write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = write(fd, data.data(), data.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno_error(errno, "write");
    }
    data.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> write_file_atomic(const std::string& path,
                               std::string_view content,
                               const WriteOptions& options) {
  const std::string temp = temp_name(path);
  Result<void> done = write_temp(temp, content, options);
  if (done && rename(temp.c_str(), path.c_str()) != 0) {
    done = errno_error(errno, fmt::format("rename {} to {}", temp, path));
  }
  if (!done) {
    (void)unlink(temp.c_str());  // best effort; the error is told already
    return done;
  }
  if (options.sync) return sync_directory(directory_of(path));
  return {};
}

Result<void> make_directories(const std::string& path, mode_t mode) {
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (mkdir(part.c_str(), mode) != 0 && errno != EEXIST) {
      return errno_error(errno, fmt::format("create directory {}", part));
    }
  }
  struct stat st {};
  if (stat(path.c_str(), &st) != 0) {
    return errno_error(errno, fmt::format("stat {}", path));
  }
  if (!S_ISDIR(st.st_mode)) {
    return make_error(Code::kIo, "{} is not a directory", path);
  }
  return {};
}

Result<void> remove_file(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return errno_error(errno, fmt::format("remove {}", path));
  }
  return {};
}

bool path_exists(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

Result<std::string> boot_id() {
  std::string id = TRY(read_file("/proc/sys/kernel/random/boot_id", 256));
  while (!id.empty() && id.back() == '\n') {
    id.pop_back();
  }
  return id;
}

Result<FileLock> FileLock::acquire(const std::string& path, bool wait) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const int number = errno;
  // A read-only disk: any descriptor can be locked.
  if (!fd) fd = UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_error(number, fmt::format("open lock {}", path));
  while (flock(fd.get(), LOCK_EX | (wait ? 0 : LOCK_NB)) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) {
      return make_error(Code::kTryAgainLater, "{} is held by another process",
                        path);
    }
    return errno_error(errno, fmt::format("lock {}", path));
  }
  return FileLock(std::move(fd));
}

}  // namespace linsey
