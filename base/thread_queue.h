// ThreadQueue: the one mutex of the project. Many producers, one consumer.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "base/fd.h"

namespace linsey {

/// Carries values from any thread to one consumer. fd() becomes readable when
/// something was pushed, so the consumer can be an epoll loop; pop() blocks.
template <typename T>
class ThreadQueue {
 public:
  ThreadQueue() : fd_(eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE)) {
    if (!fd_) panic("eventfd failed");
  }

  /// Thread: any.
  void push(T value) {
    {
      const std::lock_guard lock(mutex_);
      items_.push_back(std::move(value));
    }
    const std::uint64_t one = 1;
    // Cannot fail below 2^64-2 waiting items.
    (void)!::write(fd_.get(), &one, sizeof one);
  }

  /// Waits for the next value. Thread: the consumer.
  T pop() {
    take_token();
    const std::lock_guard lock(mutex_);
    T value = std::move(items_.front());
    items_.pop_front();
    return value;
  }

  /// The next value if there is one; never waits. Thread: the consumer.
  std::optional<T> try_pop() {
    {
      const std::lock_guard lock(mutex_);
      if (items_.empty()) return std::nullopt;
    }
    return pop();
  }

  int fd() const { return fd_.get(); }

 private:
  void take_token() {
    std::uint64_t token = 0;
    while (::read(fd_.get(), &token, sizeof token) < 0 && errno == EINTR) {
    }
  }

  UniqueFd fd_;
  std::mutex mutex_;
  std::deque<T> items_;
};

}  // namespace linsey
