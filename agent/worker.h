// Worker: one thread for one slow party (the cloud, Kubernetes, BIRD). A job
// is a value in, a value out; the result comes back to the loop as a closure.
// One thread a party, so that a slow one delays nobody else; a job never sees
// what the loop owns, so there is nothing to lock. The owner of what `done`
// captures must outlive the loop's last turn.
#pragma once

#include <functional>
#include <thread>
#include <utility>

#include "agent/loop.h"
#include "base/thread_queue.h"

namespace linsey::agent {

class Worker {
 public:
  /// kInline runs a job at once in submit() and posts its result: for tests,
  /// where every interleaving is then a sequence one can write down.
  enum class Kind { kThread, kInline };

  Worker(Loop& loop, const char* name, Kind kind = Kind::kThread);
  ~Worker();  // finishes the running job, drops the waiting ones
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Runs `job()` on the worker's thread, then `done(result)` on the loop.
  /// `job` must not touch anything the loop owns. T may be Result<void>.
  template <typename Job, typename Done>
  void submit(Job job, Done done) {
    enqueue([this, job = std::move(job), done = std::move(done)]() mutable {
      auto result = job();
      loop_.post(name_, [done = std::move(done),
                         result = std::move(result)]() mutable {
        done(std::move(result));
      });
    });
  }

 private:
  void enqueue(std::function<void()> task);

  Loop& loop_;
  const char* name_;
  Kind kind_;
  ThreadQueue<std::function<void()>> tasks_;
  std::jthread thread_;
};

}  // namespace linsey::agent
