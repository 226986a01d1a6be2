// Desk: the one thread that owns the lab. Control requests, the simulated
// cloud's hooks and signals arrive on threads of their own and bring closures
// here; nothing of the world is locked because nobody else touches it. The
// owner is the thread that started the children, since those die with it.
// Long waits (plugins, readiness, probes) stay on the asking thread: a closure
// here takes as long as a few `ip` calls.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "base/thread_queue.h"

namespace linsey::lab {

class Desk {
 public:
  /// Thread: the owner's.
  Desk() : owner_(std::this_thread::get_id()) {}

  /// Runs `work` on the owner's thread and hands back what it returns; on that
  /// thread itself it runs at once. Thread: any.
  template <typename Work>
  std::invoke_result_t<Work> ask(Work work) {
    if (std::this_thread::get_id() == owner_) return work();
    std::packaged_task<std::invoke_result_t<Work>()> task(std::move(work));
    auto answer = task.get_future();
    queue_.push([&task] { task(); });
    return answer.get();
  }

  /// As ask(), without waiting. Thread: any.
  void post(std::function<void()> work) { queue_.push(std::move(work)); }

  /// Runs what is waiting; when nothing is, waits for `limit` at most.
  /// Thread: the owner's.
  void turn(std::chrono::milliseconds limit);

 private:
  std::thread::id owner_;
  ThreadQueue<std::function<void()>> queue_;
};

}  // namespace linsey::lab
