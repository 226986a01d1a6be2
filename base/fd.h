// UniqueFd: a move-only file descriptor.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/result.h"

namespace linsey {

/// Owns one descriptor. -1 means none. Writers call close() and look at its
/// result, since a full disk may only show there; the destructor ignores it.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    if (fd_ >= 0) (void)::close(std::exchange(fd_, -1));
  }
  Result<void> close() {
    if (fd_ < 0) return {};
    if (::close(std::exchange(fd_, -1)) != 0) {
      return errno_error(errno, "close");
    }
    return {};
  }

 private:
  int fd_ = -1;
};

}  // namespace linsey
