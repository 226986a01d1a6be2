// Copy: what a watch knows, for a thread other than the watch's own.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "kube/watch.h"

namespace linsey::controller {

/// Objects of one kind by name, each read once. `read` drops what it cannot
/// use by an error, which is logged.
class Copy {
 public:
  using Put = std::function<void(const Json& object, bool deleted)>;

  Copy(std::unique_ptr<kube::Transport> transport,
       const kube::WatchOptions& options, Put put);
  ~Copy();
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;

  /// Complete, and the server still speaks. Thread: any.
  bool current() const { return current_; }
  /// How often it was not; a change tells that something may have been missed.
  std::uint64_t breaks() const { return breaks_; }

 private:
  std::unique_ptr<kube::Transport> transport_;
  std::atomic<bool> current_{false};
  std::atomic<std::uint64_t> breaks_{0};
  kube::Watch watch_;
  std::thread thread_;
};

}  // namespace linsey::controller
