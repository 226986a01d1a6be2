// The giving half of Service: release, check, gc, and the status line.
#include <algorithm>
#include <memory>
#include <utility>

#include "agent/service.h"
#include "base/crash_point.h"
#include "base/log.h"

namespace linsey::agent {
namespace {

using ipam::AttachmentKey;

std::string text(const AttachmentKey& key) {
  return fmt::format("{}/{}/{}", key.network, key.container_id, key.ifname);
}

}  // namespace

/// One GC under way: it answers when the last of its attachments is done.
struct Service::Gc {
  rpc::GcReply reply;
  ErrorList errors;
  std::set<std::pair<std::string, std::string>> keep;
  std::size_t left = 0;
  Instant began{};
  std::function<void(const Result<rpc::GcReply>&)> answer;
};

Teardown Service::teardown_of(const AttachmentKey& key) const {
  Teardown teardown{.key = key, .pod = {}, .link_index = 0, .addresses = {}};
  if (const ipam::Held* held = deps_.ledger.find(key)) {
    teardown.pod = held->attachment.pod;
    teardown.addresses = held->allocation.addresses;
  }
  return teardown;
}

void Service::take_down(const Teardown& teardown, TeardownDone done) {
  const AttachmentKey key = teardown.key;
  deps_.held.drop(key);
  const Result<void> closed = deps_.ports.close(key);
  if (!closed) {
    done(closed.error());
    return;
  }
  dying_.insert(key);
  deps_.take_down(teardown, [this, key, done = std::move(done)](
                                const Result<std::vector<IpAddr>>& seen) {
    dying_.erase(dying_.find(key));
    done(seen);
  });
}

void Service::give_back(const AttachmentKey& key,
                        const std::vector<IpAddr>& seen) {
  const Instant now = deps_.clock.now();
  const ipam::Released released = deps_.ledger.release(key, now);
  // Held without a key since the ledger was lost: the path is gone now.
  release_reserved(seen);
  CRASH_POINT("release.freed");
  if (!released.addresses.empty()) deps_.forget(released.addresses);
  if (supplier_ != nullptr) {
    for (const IpAddr& address : released.addresses) {
      supplier_->on_released(address);
    }
  }
  if (!waiters_.empty()) watch_cool_down();
}

void Service::release_reserved(const std::vector<IpAddr>& addresses) {
  const Instant now = deps_.clock.now();
  std::vector<IpAddr> ended;
  for (const IpAddr& address : addresses) {
    const auto row = deps_.ledger.row(address, now);
    if (!row || row->state != ipam::State::kReserved) continue;
    deps_.ledger.release_reserved(address, now);
    ended.push_back(address);
  }
  if (!ended.empty()) deps_.forget(ended);
}

void Service::release(const rpc::ReleaseRequest& request,
                      std::function<void(const Result<void>&)> reply) {
  const Instant began = deps_.clock.now();
  const auto overtaken =
      std::ranges::find(waiters_, request.key,
                        [](const Waiter& w) { return w.call.attachment.key; });
  if (overtaken != waiters_.end()) {
    const Waiter waiter = std::move(*overtaken);
    waiters_.erase(overtaken);
    deps_.loop.cancel(waiter.deadline);
    answer(waiter.call,
           make_error(Code::kOvertaken, "attachment {} was deleted meanwhile",
                      text(request.key)),
           waiter.began);
  }
  CRASH_POINT("release.begun");
  Teardown teardown = teardown_of(request.key);
  if (teardown.pod.name.empty()) teardown.pod = request.pod;
  teardown.link_index = request.link_index;
  take_down(teardown, [this, key = request.key, addresses = request.addresses,
                       began, reply = std::move(reply)](
                          const Result<std::vector<IpAddr>>& seen) {
    if (!seen) {
      const Result<void> failed = seen.error();
      log::warn("DEL {}: {}", text(key), to_string(seen.error()));
      record("del", failed, began);
      reply(failed);
      return;
    }
    CRASH_POINT("release.gone");
    // What the plugin saw before it took the path down counts too.
    std::vector<IpAddr> all = *seen;
    all.insert(all.end(), addresses.begin(), addresses.end());
    give_back(key, all);
    pending_.push_back({[this, began, reply](const Result<void>&) {
      // A release stands also when it could not be saved: the path is
      // gone, and the rows stay dirty until a save goes through.
      CRASH_POINT("release.saved");
      record("del", {}, began);
      reply({});
    }});
  });
}

Result<ipam::Held> Service::check(const AttachmentKey& key) const {
  if (const ipam::Held* held = deps_.ledger.find(key)) return *held;
  return make_error(Code::kUnknownAttachment, "linseyd holds no address for {}",
                    text(key));
}

void Service::gc(const rpc::GcRequest& request,
                 std::function<void(const Result<rpc::GcReply>&)> reply) {
  // shared_ptr: each of the teardowns under way holds it, the last one ends it.
  const auto gc = std::make_shared<Gc>();
  gc->began = deps_.clock.now();
  gc->answer = std::move(reply);
  std::set<AttachmentKey> keep;
  for (const rpc::KeepAttachment& kept : request.keep) {
    keep.insert({request.network, kept.container_id, kept.ifname});
    gc->keep.emplace(kept.container_id, kept.ifname);
  }
  const std::vector<AttachmentKey> stale =
      deps_.ledger.keys_not_in(request.network, keep);
  gc->left = stale.size() + 1;
  for (const AttachmentKey& key : stale) {
    take_down(teardown_of(key), [this, gc,
                                 key](const Result<std::vector<IpAddr>>& seen) {
      if (seen) {
        give_back(key, *seen);
        deps_.metrics.count("linsey_gc_reclaimed_total", {{"kind", "cni-gc"}});
        gc->reply.released.push_back(key);
      } else {
        gc->errors.add(context(seen, "collect {}", text(key)));
      }
      end_part(gc);
    });
  }
  end_part(gc);
}

void Service::end_part(const std::shared_ptr<Gc>& gc) {
  if (--gc->left > 0) return;
  deps_.sweep(gc->keep, [this, gc](const Result<void>& swept) {
    gc->errors.add(context(swept, "sweep links"));
    pending_.push_back({[this, gc](const Result<void>&) {
      const Result<void> outcome = gc->errors.result();
      record("gc", outcome, gc->began);
      if (outcome) {
        gc->answer(gc->reply);
      } else {
        gc->answer(outcome.error());
      }
    }});
  });
}

void Service::free_now(const AttachmentKey& key, const ipam::Pod& pod,
                       std::function<void(const Result<void>&)> done) {
  Teardown teardown = teardown_of(key);
  if (teardown.pod.name.empty()) teardown.pod = pod;
  take_down(teardown, [this, key, done = std::move(done)](
                          const Result<std::vector<IpAddr>>& seen) {
    if (!seen) {
      log::warn("free {}: {}", text(key), to_string(seen.error()));
      done(seen.error());
      return;
    }
    give_back(key, *seen);
    pending_.push_back({done});
  });
}

rpc::Status Service::status() const {
  rpc::Status status;
  status.mode = standing_.mode;
  status.mode_why = standing_.why;
  const ipam::Counts counts = deps_.ledger.counts(deps_.clock.now());
  status.free = counts.free;
  status.held = counts.held;
  status.cooling = counts.cooling;
  if (supplier_ != nullptr) {
    const Health health = supplier_->health();
    status.ready = health.ready;
    status.why = health.why;
    status.zone = health.zone;
  } else {
    status.why = make_error(Code::kAgentStarting,
                            "linseyd does not know its addresses yet");
  }
  if (save_error_) {
    status.ready = false;
    status.why = *save_error_;
  }
  if (const std::optional<Error> why = refusal()) {
    status.ready = false;
    status.why = *why;
  }
  return status;
}

}  // namespace linsey::agent
