// Files: whole reads, atomic durable writes, locks.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace linsey {

/// Reads a whole file. Errors: kIo with errno, also when it is larger than
/// `limit` bytes.
Result<std::string> read_file(const std::string& path,
                              std::size_t limit = std::size_t{16} << 20);

struct WriteOptions {
  mode_t mode = 0644;
  bool sync = true;  // false only for what a reboot empties anyway (/run)
};

/// Replaces `path` by `content`: temporary file in the same directory (named
/// ".NAME.tmp.PID", so neither containerd nor a glob takes it for the file),
/// fsync, rename, fsync of the directory. On failure the old file stays and
/// the temporary one is gone.
/// Durable: when it returns success and `sync` is set.
Result<void> write_file_atomic(const std::string& path,
                               std::string_view content,
                               const WriteOptions& options = {});

/// Writes all of `data` to `fd`, through short writes and EINTR.
Result<void> write_all(int fd, std::string_view data);

/// mkdir -p. Existing directories keep their mode.
Result<void> make_directories(const std::string& path, mode_t mode = 0755);

/// Removes a file; one that is not there is success.
Result<void> remove_file(const std::string& path);

bool path_exists(const std::string& path);

/// The kernel's boot id (/proc/sys/kernel/random/boot_id), one for each boot.
Result<std::string> boot_id();

/// An exclusive flock for as long as the object lives.
class FileLock {
 public:
  /// Errors: kTryAgainLater when another process holds it and `wait` is false.
  static Result<FileLock> acquire(const std::string& path, bool wait = false);

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace linsey
