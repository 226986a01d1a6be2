#include "agent/loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "base/log.h"

namespace linsey::agent {
namespace {

constexpr Duration kSlow = std::chrono::milliseconds(50);
/// A source that never runs dry must not starve the others.
constexpr int kPostsPerTurn = 1000;

std::uint64_t token_of(int fd, std::uint32_t generation) {
  return (std::uint64_t{generation} << 32) | static_cast<std::uint32_t>(fd);
}

void control(int epoll, int operation, int fd, std::uint32_t events,
             std::uint64_t token) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  if (epoll_ctl(epoll, operation, fd, &event) != 0) {
    panic(errno_error(errno, fmt::format("epoll_ctl on fd {}", fd)).msg);
  }
}

}  // namespace

Loop::Loop(const Clock& clock)
    : clock_(clock), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) panic("epoll_create1 failed");
  control(epoll_.get(), EPOLL_CTL_ADD, posts_.fd(), EPOLLIN,
          token_of(posts_.fd(), 0));
}

Loop::~Loop() = default;

void Loop::watch(int fd, std::uint32_t events, const char* name,
                 std::function<void(std::uint32_t)> callback) {
  unwatch(fd);
  ++generation_;
  control(epoll_.get(), EPOLL_CTL_ADD, fd, events, token_of(fd, generation_));
  watches_.insert_or_assign(fd, Watch{name, std::move(callback), generation_});
}

void Loop::modify(int fd, std::uint32_t events) {
  const auto it = watches_.find(fd);
  if (it == watches_.end()) panic("modify of a descriptor nobody watches");
  control(epoll_.get(), EPOLL_CTL_MOD, fd, events,
          token_of(fd, it->second.generation));
}

void Loop::unwatch(int fd) {
  if (watches_.erase(fd) == 0) return;
  // Fails only for a descriptor that was closed before: it has left the set.
  (void)epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

Loop::TimerId Loop::after(Duration delay, const char* name, Callback callback) {
  const TimerId id = next_timer_++;
  const Instant due = clock_.now() + std::max(delay, Duration::zero());
  timers_.emplace(id, Timer{due, name, std::move(callback)});
  due_.emplace(due, id);
  return id;
}

void Loop::cancel(TimerId timer) {
  const auto it = timers_.find(timer);
  if (it == timers_.end()) return;
  const auto [first, last] = due_.equal_range(it->second.due);
  due_.erase(std::find_if(first, last, [timer](const auto& entry) {
    return entry.second == timer;
  }));
  timers_.erase(it);
}

void Loop::post(const char* name, Callback callback) {
  posts_.push({name, std::move(callback)});
}

void Loop::set_after_turn(Callback callback) {
  after_turn_ = std::move(callback);
}

void Loop::run() {
  stopping_ = false;
  while (!stopping_) {
    (void)turn(wait_ms());
  }
}

void Loop::stop() {
  stopping_ = true;
}

void Loop::run_until_idle() {
  while (turn(0)) {
  }
}

int Loop::wait_ms() const {
  if (due_.empty()) return -1;
  const Duration left = due_.begin()->first - clock_.now();
  // Rounded up: waking a moment too early would spin until the timer is due.
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 3'600'000));
}

bool Loop::turn(int timeout_ms) {
  std::array<epoll_event, 64> events{};
  const int count = epoll_wait(epoll_.get(), events.data(),
                               static_cast<int>(events.size()), timeout_ms);
  if (count < 0 && errno != EINTR) panic("epoll_wait failed");

  bool handled = false;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events.at(static_cast<std::size_t>(i));
    handled = true;
    if (event.data.u64 == token_of(posts_.fd(), 0)) {
      (void)run_posts();
    } else {
      dispatch(event.data.u64, event.events);
    }
  }
  if (run_timers()) handled = true;
  if (handled && after_turn_) timed("after turn", after_turn_);
  return handled;
}

void Loop::dispatch(std::uint64_t token, std::uint32_t events) {
  const int fd = static_cast<int>(token & 0xffffffff);
  const auto generation = static_cast<std::uint32_t>(token >> 32);
  auto it = watches_.find(fd);
  // Unwatched, or its number reused, by an earlier event of this turn.
  if (it == watches_.end() || it->second.generation != generation) return;
  // Moved out while it runs: it may unwatch, and so destroy, itself.
  const auto callback = std::move(it->second.callback);
  timed(it->second.name, [&] { callback(events); });
  it = watches_.find(fd);
  if (it != watches_.end() && it->second.generation == generation) {
    it->second.callback = callback;
  }
}

bool Loop::run_posts() {
  bool ran = false;
  for (int i = 0; i < kPostsPerTurn; ++i) {
    const std::optional<Post> post = posts_.try_pop();
    if (!post) break;
    timed(post->name, post->callback);
    ran = true;
  }
  return ran;
}

bool Loop::run_timers() {
  // Those due when the turn began only, so that a timer which sets itself
  // anew without delay cannot hold the turn.
  const Instant now = clock_.now();
  const TimerId first_new = next_timer_;
  bool ran = false;
  while (!due_.empty() && due_.begin()->first <= now &&
         due_.begin()->second < first_new) {
    const TimerId id = due_.begin()->second;
    due_.erase(due_.begin());
    const auto node = timers_.extract(id);
    timed(node.mapped().name, node.mapped().callback);
    ran = true;
  }
  return ran;
}

void Loop::timed(const char* name, const Callback& callback) {
  const Instant begin = clock_.now();
  callback();
  const Duration took = clock_.now() - begin;
  if (took <= kSlow) return;
  ++slow_steps_;
  log::warn(
      "slow step: {} took {} ms; nothing else was served meanwhile", name,
      std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
}

}  // namespace linsey::agent
