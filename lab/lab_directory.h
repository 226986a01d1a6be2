// LabDirectory: the one place on disk that a lab has, /run/linsey-lab/NAME,
// and the guarantee that it goes away. A watcher, a child with nothing but the
// directory's lock and one end of a pipe, sleeps until the lab's process is
// gone, whatever ended it, and removes the directory then. The lock (flock on
// the directory itself) passes to the watcher with the fork: a new lab of the
// same name waits until the old one's directory is gone, so the watcher never
// removes a successor's.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace linsey::lab {

class LabDirectory {
 public:
  /// Makes the directory empty and ours. Call before any other descriptor is
  /// open and any thread runs: the watcher inherits what is there. Waits for
  /// `patience_ms` when somebody has it, as a lab that ends may. Errors:
  /// kTryAgainLater when a lab of that name runs, kIo.
  static Result<LabDirectory> claim(const std::string& path,
                                    int patience_ms = 5000);

  LabDirectory(LabDirectory&&) noexcept = default;
  LabDirectory& operator=(LabDirectory&&) = delete;
  /// Lets the watcher remove it now and waits for that.
  ~LabDirectory();

  const std::string& path() const { return path_; }

 private:
  LabDirectory(std::string path, UniqueFd lock, UniqueFd alive, pid_t watcher)
      : path_(std::move(path)),
        lock_(std::move(lock)),
        alive_(std::move(alive)),
        watcher_(watcher) {}

  std::string path_;
  UniqueFd lock_;
  UniqueFd alive_;  // its closing wakes the watcher
  pid_t watcher_;
};

/// Waits until no lab and no watcher holds the directory; false when one still
/// does after `limit_ms`.
bool wait_until_unclaimed(const std::string& path, int limit_ms);

}  // namespace linsey::lab
