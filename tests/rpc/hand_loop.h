// A loop that a test turns by hand: poll(2) over what rpc::Server watches, and
// timers that fire when the test says so.
#pragma once

#include <poll.h>
#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "rpc/server.h"

namespace linsey::tests {

class HandLoop {
 public:
  rpc::IoHooks hooks() {
    return {
        .watch =
            [this](int fd, std::uint32_t events, auto ready) {
              watches_[fd] = {events, ready};
            },
        .modify = [this](
                      int fd,
                      std::uint32_t events) { watches_[fd].events = events; },
        .unwatch = [this](int fd) { watches_.erase(fd); },
        .after =
            [this](Duration, auto callback) {
              timers_[next_timer_] = std::move(callback);
              return next_timer_++;
            },
        .cancel = [this](std::uint64_t timer) { timers_.erase(timer); },
    };
  }

  /// Turns until `done()`; false when nothing happens for ten seconds.
  bool run_until(const std::function<bool()>& done) {
    while (!done()) {
      if (turn(10'000) == 0) return false;
    }
    return true;
  }
  /// Turns until nothing is ready.
  void run_until_idle() {
    while (turn(0) > 0) {
    }
  }

  /// Fires every timer that is set now.
  void fire_timers() {
    for (const auto& [id, callback] : std::exchange(timers_, {})) {
      callback();
    }
  }
  /// The highest descriptor that is watched.
  int last_watched() const { return watches_.rbegin()->first; }
  std::size_t watched() const { return watches_.size(); }
  std::size_t timers() const { return timers_.size(); }

 private:
  struct Watch {
    std::uint32_t events = 0;
    std::function<void(std::uint32_t)> ready;
  };

  int turn(int timeout_ms) {
    std::vector<pollfd> polls;
    for (const auto& [fd, watch] : watches_) {
      // Linux gives the bits of epoll and poll the same values.
      polls.push_back({fd, static_cast<short>(watch.events), 0});
    }
    const int n = poll(polls.data(), polls.size(), timeout_ms);
    for (const pollfd& p : polls) {
      const auto it = watches_.find(p.fd);
      if (p.revents == 0 || it == watches_.end()) continue;
      const auto ready = it->second.ready;
      ready(static_cast<std::uint32_t>(p.revents));
    }
    return n;
  }

  std::map<int, Watch> watches_;
  std::map<std::uint64_t, std::function<void()>> timers_;
  std::uint64_t next_timer_ = 1;
};

}  // namespace linsey::tests
