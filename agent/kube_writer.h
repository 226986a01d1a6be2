// KubeWriter: everything that this node writes to the API server.
//
// One call at a time, on a worker, and never more than so many in a second:
// ten thousand nodes whose line came back must not call in one burst. A write
// has a key, and a newer one takes the place of one that waits, so an outage
// leaves one status and not a hundred. What the server may take later is tried
// again with growing, jittered pauses; what repeating does not mend is told to
// whoever asked. Nobody on the loop waits for it.
// Thread: the loop. Rejected: a queue on disk. What is written is computed from
// the state that is on disk already.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "agent/loop.h"
#include "agent/metrics.h"
#include "agent/worker.h"
#include "base/result.h"
#include "kube/backoff.h"
#include "kube/client.h"

namespace linsey::agent {

/// What is written first when several things wait.
enum class Urgency { kBlock, kStatus, kEvent };

struct KubeWrite {
  std::string key;
  const char* kind = "";  // metric label: "block", "event"
  Urgency urgency = Urgency::kEvent;
  /// Not tried again: every failure is told.
  bool once = false;
  /// On the worker, with values only. One writing request at most.
  std::function<Result<void>(kube::Client&)> call;
  /// On the loop: success, or what repeating does not mend.
  std::function<void(const Result<void>&)> done = [](const Result<void>&) {};
};

struct KubeWriterDeps {
  Loop& loop;
  Worker& worker;
  Metrics& metrics;
  unsigned per_second = 5;
  std::uint64_t seed = 0;
  std::function<Result<std::unique_ptr<kube::Transport>>()> connect;
};

class KubeWriter {
 public:
  /// More than that many waiting: the least urgent newest one is dropped.
  static constexpr std::size_t kMostWaiting = 200;

  explicit KubeWriter(KubeWriterDeps deps);

  void submit(KubeWrite write);
  /// The API server answers again: begins soon, with jitter, instead of when
  /// the pause is over.
  void api_is_back();
  /// Ends the call that runs; what waits is dropped.
  void stop();

  std::size_t waiting() const { return waiting_.size(); }

 private:
  void pump();
  void pump_at(Instant due);
  void enqueue(KubeWrite write);
  void run(KubeWrite write);
  void finish(KubeWrite write, const Result<void>& result);
  void drop_one();
  static bool mends(const Error& error);

  KubeWriterDeps deps_;
  // shared_ptr: the job that runs on the worker holds it too.
  std::shared_ptr<kube::Transport> transport_;
  std::list<KubeWrite> waiting_;
  kube::Backoff backoff_;
  std::mt19937_64 random_;
  std::optional<Error> trouble_;
  Instant not_before_{};
  Loop::TimerId timer_ = 0;
  Instant timer_due_{};
  bool busy_ = false;
  bool stopped_ = false;
};

}  // namespace linsey::agent
