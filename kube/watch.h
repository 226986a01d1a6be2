// Watch: keeps a copy of some objects current: list once, then follow.
//
// run() blocks on a thread of its own and tells what changed through a sink.
// After a break it resumes from the last resourceVersion (bookmarks keep that
// fresh on quiet watches); only "410 Gone" costs a new list. After a list the
// sink gets the difference to what it knew, so it never sees a gap: objects
// that vanished meanwhile come as kDeleted.
// While the server is away the sink is told once (stale), and what it knows
// stays: nothing may be freed on stale data.
// Rejected: one watch for many types. A type and a selector each keep the
// bytes over a leased line countable.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "kube/backoff.h"
#include "kube/client.h"

namespace linsey::kube {

enum class Change : std::uint8_t { kAdded, kModified, kDeleted };

struct Event {
  Change change = Change::kAdded;
  Json object;
};

/// Called on the watch's thread; hand over to the loop by post().
struct Sink {
  std::function<void(std::vector<Event>)> changed;
  /// The copy is complete and current: after a list, and at the first word of
  /// a watch that was resumed after `stale`.
  std::function<void()> synced;
  /// The copy may be old from here on, and why.
  std::function<void(const Error&)> stale;
};

struct WatchOptions {
  Resource type;
  std::string name_space;
  Selection which;
  /// The server ends a watch after this; a spread of up to a half is added.
  std::chrono::seconds lifetime{300};
  std::uint64_t seed = 0;
  BackoffLimits backoff;
};

class Watch {
 public:
  Watch(Transport& transport, WatchOptions options, Sink sink);

  /// Lists and follows until stop(). Thread: the watch's own.
  void run();
  /// Thread: any. run() returns within a second or so.
  void stop();

  std::uint64_t lists() const { return lists_; }
  std::uint64_t resumes() const { return resumes_; }

 private:
  Result<void> list();
  Result<void> follow();
  Result<void> line(std::string_view text, std::vector<Event>& events);
  void apply(Event event, std::vector<Event>& events);
  void current();
  void wait(std::chrono::milliseconds time);

  Transport& transport_;
  Client client_;
  WatchOptions options_;
  Sink sink_;
  Backoff backoff_;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string version_;  // empty: list first
  bool stale_told_ = false;
  bool current_told_ = false;
  bool spoke_ = false;  // the running watch has said something
  std::map<std::string, std::pair<std::string, Json>> known_;  // uid -> rv, obj
  std::atomic<std::uint64_t> lists_{0};
  std::atomic<std::uint64_t> resumes_{0};
};

}  // namespace linsey::kube
