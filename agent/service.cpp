#include "agent/service.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "base/crash_point.h"
#include "base/log.h"

namespace linsey::agent {
namespace {

using ipam::AttachmentKey;

/// The answer must reach a client before it gives up by itself.
constexpr Duration kMargin = std::chrono::milliseconds(500);
constexpr Duration kSaveRetry = std::chrono::seconds(1);

std::string text(const AttachmentKey& key) {
  return fmt::format("{}/{}/{}", key.network, key.container_id, key.ifname);
}

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

Result<void> without_value(const Error& error) {
  return error;
}

}  // namespace

Service::Service(ServiceDeps deps) : deps_(std::move(deps)) {
  Metrics& metrics = deps_.metrics;
  metrics.describe_counter("linsey_cni_requests_total",
                           "Requests of the plugin by verb and outcome.");
  metrics.describe_histogram(
      "linsey_cni_request_duration_seconds",
      "Time from a request to its answer, waiting included.",
      {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
       0.5, 1, 5, 10, 30});
  metrics.describe_counter("linsey_commits_total",
                           "Commits of the ledger by outcome.");
  metrics.describe_histogram(
      "linsey_commit_seconds", "Time of one commit of the ledger.",
      {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 1});
  metrics.describe_counter(
      "linsey_unwound_total",
      "New allocations taken back because their client was gone or the ledger "
      "could not be saved.");
  metrics.describe_gauge("linsey_waiting_requests",
                         "Requests that wait for an address.");
  metrics.on_collect([this] {
    deps_.metrics.set("linsey_waiting_requests",
                      static_cast<double>(waiters_.size()));
  });
}

void Service::set_standing(Standing standing) {
  standing_ = std::move(standing);
  if (standing_.quarantine) refuse_waiters(*standing_.quarantine);
}

void Service::set_supplier(Supplier* supplier) {
  supplier_ = supplier;
  if (supplier_ != nullptr) serve_waiters();
}

SupplyHooks Service::supply_hooks() {
  return {.supply_changed = [this] { serve_waiters(); },
          .refuse =
              [this](const Error& error) {
                // An address that cools is supply too: as many as there are
                // of them may wait on.
                const std::size_t coming =
                    deps_.ledger.counts(deps_.clock.now()).cooling;
                std::list<Waiter> staying;
                auto last = waiters_.begin();
                std::advance(last, std::min(coming, waiters_.size()));
                staying.splice(staying.begin(), waiters_, waiters_.begin(),
                               last);
                refuse_waiters(error);
                waiters_.splice(waiters_.begin(), staying);
              }};
}

std::optional<Error> Service::refusal() const {
  if (stopping_) {
    return make_error(Code::kAgentStarting,
                      "linseyd is being stopped; try again");
  }
  return standing_.quarantine;
}

void Service::allocate(AllocateCall call) {
  deps_.allocating();
  const Instant began = deps_.clock.now();
  if (const std::optional<Error> why = refusal()) {
    answer(call, *why, began);
    return;
  }
  if (dying_.contains(call.attachment.key)) {
    answer(call,
           make_error(Code::kOvertaken, "attachment {} is being deleted",
                      text(call.attachment.key)),
           began);
    return;
  }
  if (!try_assign(call, began)) wait(std::move(call), began);
}

bool Service::try_assign(AllocateCall& call, Instant began) {
  const ipam::AssignRequest request{call.attachment, deps_.ledger.families(),
                                    call.asked_at};
  const Result<ipam::Assigned> assigned =
      deps_.ledger.assign(request, deps_.clock.now());
  if (!assigned) {
    if (assigned.error().code == Code::kAddressesExhausted) return false;
    answer(call, assigned.error(), began);
    return true;
  }
  queue_lease(std::move(call), *assigned, began);
  return true;
}

void Service::queue_lease(AllocateCall call, const ipam::Assigned& assigned,
                          Instant began) {
  if (assigned.is_new) {
    const Result<void> completed = complete(assigned);
    if (!completed) {
      take_back(call.attachment.key);
      answer(call, completed.error(), began);
      return;
    }
    for (const IpAddr& address : assigned.held.allocation.addresses) {
      supplier_->on_assigned(address);
    }
  }
  CRASH_POINT("allocate.assigned");
  pending_.push_back({[this, call = std::move(call), began,
                       is_new = assigned.is_new](const Result<void>& saved) {
    send_lease(call, is_new, began, saved);
  }});
}

Result<void> Service::complete(const ipam::Assigned& assigned) {
  if (supplier_ == nullptr) {
    return make_error(Code::kAgentStarting, "linseyd has no supplier yet");
  }
  const AttachmentKey& key = assigned.held.attachment.key;
  TRY(deps_.ledger.complete(
      key, TRY(supplier_->complete(assigned.held.allocation.addresses))));
  return deps_.ports.open(*deps_.ledger.find(key));
}

void Service::take_back(const AttachmentKey& key) {
  const Result<void> closed = deps_.ports.close(key);
  if (!closed) log::warn("take back: {}", to_string(closed.error()));
  deps_.ledger.unassign(key);
}

void Service::send_lease(const AllocateCall& call, bool is_new, Instant began,
                         const Result<void>& saved) {
  const AttachmentKey& key = call.attachment.key;
  if (!saved && is_new) {
    take_back(key);
    deps_.metrics.count("linsey_unwound_total", {{"why", "save"}});
  }
  const ipam::Held* held = deps_.ledger.find(key);
  if (held == nullptr) {
    // Not saved, or released in the same turn.
    answer(call,
           saved ? make_error(Code::kOvertaken, "attachment {} was deleted",
                              text(key))
                 : context(saved, "hold an address for {}", text(key)).error(),
           began);
    return;
  }
  CRASH_POINT("allocate.saved");
  const bool heard = call.reply(rpc::Lease{held->allocation, is_new});
  record("add", {}, began);
  if (heard || !is_new) {
    // Not while it is being released: nobody would drop it again.
    if (!dying_.contains(key)) deps_.held.put(*held);
    return;
  }
  log::info("client of ADD {} is gone; its address is taken back", text(key));
  take_back(key);
  deps_.metrics.count("linsey_unwound_total", {{"why", "hung-up"}});
}

void Service::answer(const AllocateCall& call, const Error& error,
                     Instant began) {
  log::info("ADD {} refused: {}", text(call.attachment.key), to_string(error));
  (void)call.reply(error);  // nothing is held: nobody need hear it
  record("add", without_value(error), began);
  deps_.refused(call.attachment, error);
}

void Service::wait(AllocateCall call, Instant began) {
  Duration patience = deps_.config.ipam.wait;
  if (call.patience) {
    patience = std::min(patience,
                        std::max(*call.patience - kMargin, *call.patience / 2));
  }
  const std::uint64_t ticket = call.ticket;
  waiters_.push_back({std::move(call), began, 0});
  waiters_.back().deadline = deps_.loop.after(
      patience, "deadline of an ADD", [this, ticket] { expire(ticket); });
  watch_cool_down();
  if (supplier_ != nullptr) supplier_->need(waiters_.size());
}

void Service::hung_up(std::uint64_t ticket) {
  const auto it = std::ranges::find(
      waiters_, ticket, [](const Waiter& w) { return w.call.ticket; });
  if (it == waiters_.end()) return;
  log::info("client of waiting ADD {} is gone", text(it->call.attachment.key));
  deps_.loop.cancel(it->deadline);
  waiters_.erase(it);
}

void Service::expire(std::uint64_t ticket) {
  const auto it = std::ranges::find(
      waiters_, ticket, [](const Waiter& w) { return w.call.ticket; });
  if (it == waiters_.end()) return;
  const Waiter waiter = std::move(*it);
  waiters_.erase(it);
  answer(waiter.call, why_none(), waiter.began);
}

Error Service::why_none() const {
  if (supplier_ == nullptr) {
    return make_error(Code::kAgentStarting,
                      "linseyd does not know its addresses yet");
  }
  const Health health = supplier_->health();
  const ipam::Counts counts = deps_.ledger.counts(deps_.clock.now());
  const std::string numbers =
      fmt::format("{} held, {} cooling, {} reserved, {} free", counts.held,
                  counts.cooling, counts.reserved, counts.free);
  if (!health.ready || health.why.code == Code::kEniNotReady) {
    Error why = health.why;
    why.msg += fmt::format(" ({})", numbers);
    return why;
  }
  return make_error(Code::kAddressesExhausted,
                    "no address came free in time ({})", numbers);
}

void Service::serve_waiters() {
  std::list<Waiter> waiting = std::exchange(waiters_, {});
  while (!waiting.empty()) {
    Waiter& first = waiting.front();
    if (try_assign(first.call, first.began)) {
      deps_.loop.cancel(first.deadline);
      waiting.pop_front();
    } else {
      // One that wants a special address must not hold up the others.
      waiters_.splice(waiters_.end(), waiting, waiting.begin());
    }
  }
  watch_cool_down();
}

void Service::refuse_waiters(const Error& error) {
  const std::list<Waiter> refused = std::exchange(waiters_, {});
  for (const Waiter& waiter : refused) {
    deps_.loop.cancel(waiter.deadline);
    answer(waiter.call, error, waiter.began);
  }
}

void Service::watch_cool_down() {
  deps_.loop.cancel(cool_down_timer_);
  if (waiters_.empty()) return;
  const Instant now = deps_.clock.now();
  std::optional<Instant> next;
  for (const Family family : kFamilies) {
    const std::optional<Instant> cooled = deps_.ledger.next_cooled(family, now);
    if (cooled && (!next || *cooled < *next)) next = cooled;
  }
  if (!next) return;
  // A moment later than that, so that a time of exactly now cannot spin.
  const Duration delay =
      std::max<Duration>(*next - now, std::chrono::milliseconds(1));
  cool_down_timer_ =
      deps_.loop.after(delay, "cool-down", [this] { serve_waiters(); });
}

std::vector<ipam::Attachment> Service::waiting_attachments() const {
  std::vector<ipam::Attachment> out;
  for (const Waiter& waiter : waiters_) {
    out.push_back(waiter.call.attachment);
  }
  return out;
}

void Service::commit() {
  const std::vector<Pending> batch = std::exchange(pending_, {});
  const Result<void> saved = save();
  for (const Pending& pending : batch) {
    pending.finish(saved);
  }
  if (!batch.empty()) CRASH_POINT("commit.replied");
  // What was taken back because nobody heard of it; a failure is tried again.
  (void)save();
}

Result<void> Service::save() {
  if (!deps_.ledger.dirty() && !save_error_) return {};
  const Instant began = deps_.clock.now();
  Result<void> saved = deps_.save();
  deps_.metrics.observe("linsey_commit_seconds",
                        seconds(deps_.clock.now() - began));
  deps_.metrics.count("linsey_commits_total",
                      {{"result", saved ? "ok" : "failed"}});
  if (saved) {
    if (save_error_) log::info("the ledger is saved again");
    save_error_.reset();
    return saved;
  }
  if (!save_error_) {
    log::error(
        "the ledger cannot be saved: {}; no new address is given until "
        "it can",
        to_string(saved.error()));
  }
  set_save_error(saved.error());
  return saved;
}

void Service::set_save_error(const Error& error) {
  save_error_ = error;
  deps_.loop.cancel(retry_timer_);
  // The turn that the timer makes calls commit() again.
  retry_timer_ = deps_.loop.after(kSaveRetry, "save again", [] {});
}

void Service::stop() {
  stopping_ = true;
  refuse_waiters(
      make_error(Code::kAgentStarting, "linseyd is being stopped; try again"));
  commit();
}

void Service::record(const char* verb, const Result<void>& outcome,
                     Instant began) {
  deps_.metrics.count(
      "linsey_cni_requests_total",
      {{"verb", verb},
       {"mode", standing_.mode},
       {"code", outcome ? "ok" : std::string(name(outcome.error().code))}});
  deps_.metrics.observe("linsey_cni_request_duration_seconds",
                        seconds(deps_.clock.now() - began),
                        {{"verb", verb}, {"mode", standing_.mode}});
}

}  // namespace linsey::agent
