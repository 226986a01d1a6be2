#include "agent/kube_writer.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace linsey::agent {
namespace {

constexpr std::chrono::milliseconds kFirstPause{500};
constexpr std::chrono::milliseconds kLongestPause{30000};
/// Spread of the nodes' first calls when the API server is back.
constexpr std::int64_t kReturnSpreadMs = 2000;

}  // namespace

KubeWriter::KubeWriter(KubeWriterDeps deps)
    : deps_(std::move(deps)),
      backoff_(deps_.seed, {kFirstPause, kLongestPause}),
      random_(deps_.seed) {
  Metrics& metrics = deps_.metrics;
  metrics.describe_counter("linsey_api_writes_total",
                           "Writes to the API server by kind and outcome.");
  metrics.describe_counter("linsey_api_writes_dropped_total",
                           "Writes given up because too many waited.");
  metrics.describe_gauge("linsey_api_writes_waiting",
                         "Writes that wait for the API server.");
  metrics.on_collect([this] {
    deps_.metrics.set("linsey_api_writes_waiting",
                      static_cast<double>(waiting_.size()));
  });
}

void KubeWriter::submit(KubeWrite write) {
  if (stopped_) return;
  const auto same = std::ranges::find(waiting_, write.key, &KubeWrite::key);
  if (same != waiting_.end()) {
    *same = std::move(write);
  } else {
    enqueue(std::move(write));
  }
  pump();
}

/// Behind what is as urgent; first come, first served.
void KubeWriter::enqueue(KubeWrite write) {
  const auto place = std::ranges::find_if(
      waiting_, [&](const KubeWrite& w) { return w.urgency > write.urgency; });
  waiting_.insert(place, std::move(write));
  if (waiting_.size() > kMostWaiting) drop_one();
}

void KubeWriter::drop_one() {
  deps_.metrics.count("linsey_api_writes_dropped_total",
                      {{"kind", waiting_.back().kind}});
  waiting_.pop_back();
}

void KubeWriter::api_is_back() {
  if (!trouble_) return;
  std::uniform_int_distribution<std::int64_t> spread(0, kReturnSpreadMs);
  not_before_ =
      std::min(not_before_,
               deps_.loop.now() + std::chrono::milliseconds(spread(random_)));
  pump();
}

void KubeWriter::stop() {
  stopped_ = true;
  waiting_.clear();
  deps_.loop.cancel(timer_);
  if (transport_) transport_->abort();
}

void KubeWriter::pump() {
  if (busy_ || stopped_ || waiting_.empty()) return;
  const Instant now = deps_.loop.now();
  if (now < not_before_) {
    pump_at(not_before_);
    return;
  }
  // One call for each slice of the second: no burst, whatever waits.
  // A quarter more than the even share: what jitters on the line must not put
  // one too many into a second either.
  not_before_ =
      now + Duration(std::chrono::milliseconds(1250)) / deps_.per_second;
  KubeWrite next = std::move(waiting_.front());
  waiting_.pop_front();
  run(std::move(next));
}

void KubeWriter::pump_at(Instant due) {
  if (timer_ != 0 && timer_due_ <= due) return;
  deps_.loop.cancel(timer_);
  timer_due_ = due;
  timer_ = deps_.loop.after(due - deps_.loop.now(), "API writes", [this] {
    timer_ = 0;
    pump();
  });
}

void KubeWriter::run(KubeWrite write) {
  busy_ = true;
  if (!transport_) {
    Result<std::unique_ptr<kube::Transport>> made = deps_.connect();
    if (made) {
      transport_ = std::move(made).value();
    } else {
      // What is wrong with the credentials may be mended while we run.
      made.error().code = Code::kApiUnavailable;
      deps_.loop.post("API write", [this, write = std::move(write),
                                    why = made.error()]() mutable {
        finish(std::move(write), why);
      });
      return;
    }
  }
  auto job = [transport = transport_, call = write.call] {
    kube::Client client(*transport);
    return call(client);
  };
  deps_.worker.submit(std::move(job), [this, write = std::move(write)](
                                          const Result<void>& result) mutable {
    finish(std::move(write), result);
  });
}

bool KubeWriter::mends(const Error& error) {
  const Class cls = info(error.code).cls;
  return cls == Class::kTransient || cls == Class::kThrottled ||
         error.code == Code::kTimeout || error.code == Code::kApiUnauthorized ||
         error.code == Code::kApiBadReply;
}

void KubeWriter::finish(KubeWrite write, const Result<void>& result) {
  busy_ = false;
  if (stopped_) return;
  deps_.metrics.count(
      "linsey_api_writes_total",
      {{"kind", write.kind},
       {"code", result ? "ok" : std::string(name(result.error().code))}});
  if (!result && mends(result.error())) {
    if (!trouble_ || trouble_->code != result.error().code) {
      log::warn("writing to the API server waits: {}",
                to_string(result.error()));
    }
    trouble_ = result.error();
    not_before_ =
        std::max(not_before_, deps_.loop.now() + backoff_.next(result.error()));
    const bool replaced = std::ranges::any_of(
        waiting_, [&](const KubeWrite& w) { return w.key == write.key; });
    // At the end of its kind: one that always fails must not hide the others.
    if (write.once) {
      write.done(result);
    } else if (!replaced) {
      enqueue(std::move(write));
    }
    pump();
    return;
  }
  if (trouble_) log::info("the API server takes writes again");
  trouble_.reset();
  backoff_.reset();
  write.done(result);
  pump();
}

}  // namespace linsey::agent
