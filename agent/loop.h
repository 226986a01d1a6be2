// Loop: the one thread that owns the agent's state. epoll over descriptors, a
// timer heap, closures posted by workers, and a hook that runs after all ready
// events of a turn were handled (group commit: one durable save for many
// requests, then their replies).
//
// Nothing called from the loop may block longer than a file sync; a step over
// 50 ms is logged with its name.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "base/thread_queue.h"

namespace linsey::agent {

class Loop {
 public:
  using Callback = std::function<void()>;
  using TimerId = std::uint64_t;

  explicit Loop(const Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Calls `callback(events)` (EPOLLIN and so on) while `fd` is watched.
  /// `name` is a literal, used when a step is slow. The callback may unwatch
  /// any descriptor, its own too.
  void watch(int fd, std::uint32_t events, const char* name,
             std::function<void(std::uint32_t)> callback);
  void modify(int fd, std::uint32_t events);
  /// Call it before the descriptor is closed. Unknown ones are fine.
  void unwatch(int fd);

  TimerId after(Duration delay, const char* name, Callback callback);
  /// Unknown and expired timers are fine.
  void cancel(TimerId timer);

  /// Runs `callback` on the loop. Thread: any.
  void post(const char* name, Callback callback);

  /// Runs once after each turn in which anything was handled.
  void set_after_turn(Callback callback);

  /// Runs until stop(). Thread: the owner.
  void run();
  void stop();

  /// For tests: handles all that is ready (descriptors, posts, timers due by
  /// the clock) until nothing is, without waiting.
  void run_until_idle();

  Instant now() const { return clock_.now(); }
  /// Steps that took longer than 50 ms since the start.
  std::uint64_t slow_steps() const { return slow_steps_; }

 private:
  struct Watch {
    const char* name;
    std::function<void(std::uint32_t)> callback;
    std::uint32_t generation;  // tells a reused descriptor number apart
  };
  struct Timer {
    Instant due;
    const char* name;
    Callback callback;
  };
  struct Post {
    const char* name;
    Callback callback;
  };

  bool turn(int timeout_ms);
  int wait_ms() const;
  void dispatch(std::uint64_t token, std::uint32_t events);
  bool run_posts();
  bool run_timers();
  void timed(const char* name, const Callback& callback);

  const Clock& clock_;
  UniqueFd epoll_;
  std::map<int, Watch> watches_;
  std::map<TimerId, Timer> timers_;
  std::multimap<Instant, TimerId> due_;
  ThreadQueue<Post> posts_;
  Callback after_turn_;
  TimerId next_timer_ = 1;
  std::uint32_t generation_ = 0;
  std::uint64_t slow_steps_ = 0;
  bool stopping_ = false;
};

}  // namespace linsey::agent
