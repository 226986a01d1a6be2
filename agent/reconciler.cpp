#include "agent/reconciler.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/log.h"
#include "datapath/plan.h"

namespace linsey::agent {
namespace {

constexpr Duration kPeriod = std::chrono::seconds(60);
/// After an event: an ADD or DEL makes several, and ends soon.
constexpr Duration kSettle = std::chrono::seconds(2);

/// A DEL takes the rules away and is over well before this.
constexpr Duration kDelTakes = std::chrono::milliseconds(500);

std::string text(const ipam::AttachmentKey& key) {
  return fmt::format("{}/{}/{}", key.network, key.container_id, key.ifname);
}

}  // namespace

Reconciler::Reconciler(ReconcilerDeps deps) : deps_(std::move(deps)) {
  Metrics& metrics = deps_.metrics;
  metrics.describe_counter(
      "linsey_drift_repairs_total",
      "What somebody else changed in the kernel or the cloud and the agent "
      "mended or noticed, by kind.");
  metrics.describe_counter("linsey_gc_reclaimed_total",
                           "Attachments whose DEL never came and whose "
                           "addresses were taken back, by how that was known.");
  metrics.describe_gauge("linsey_missing_links",
                         "Attachments that hold an address and have no link.");
  metrics.on_collect([this] {
    deps_.metrics.set("linsey_missing_links",
                      static_cast<double>(missing_.size()));
  });
}

Result<void> Reconciler::at_start(bool kernel_is_witness) {
  witness_ = kernel_is_witness;
  const datapath::Traces traces = TRY(datapath::find_ours());
  apply(reconcile({deps_.ledger, traces, witness_}, sightings_,
                  deps_.clock.now()));
  return {};
}

void Reconciler::start() {
  deps_.links.set_on_event([this](const netlink::Event& event) {
    if (const auto* rule = std::get_if<netlink::Rule>(&event.what)) {
      if (event.removed) suspect(*rule);
    } else if (event.removed ||
               std::holds_alternative<netlink::Resync>(event.what)) {
      look_in(kSettle);
    }
  });
  look_in(kSettle);
}

void Reconciler::suspect(const netlink::Rule& removed) {
  for (const std::optional<Cidr>& of : {removed.from, removed.to}) {
    if (!of) continue;
    const ipam::AttachmentKey* key = deps_.ledger.holder(of->first());
    if (key == nullptr) continue;
    if (suspects_.empty()) {
      deps_.loop.after(kDelTakes, "suspects", [this] { look_at_suspects(); });
    }
    suspects_.insert(*key);
  }
}

void Reconciler::look_at_suspects() {
  bool any = false;
  for (const ipam::AttachmentKey& key : std::exchange(suspects_, {})) {
    if (deps_.ledger.find(key) == nullptr) continue;
    differences_.emplace(key, std::vector<std::string>{"a rule was removed"});
    any = true;
  }
  if (any) look_in(Duration(0));
}

void Reconciler::look_in(Duration delay) {
  const Instant due = deps_.clock.now() + delay;
  if (timer_ != 0 && due_ <= due) return;
  deps_.loop.cancel(timer_);
  due_ = due;
  timer_ = deps_.loop.after(delay, "reconcile", [this] {
    timer_ = 0;
    look();
  });
}

void Reconciler::look() {
  if (looking_) return;
  looking_ = true;
  std::vector<ipam::Held> rows;
  for (const auto& [key, held] : deps_.ledger.held()) {
    rows.push_back(held);
  }
  deps_.worker.submit([rows = std::move(rows),
                       known = differences_] { return glance(rows, known); },
                      [this](const Result<Glance>& seen) {
                        looking_ = false;
                        if (!seen) {
                          log::warn("reconcile: {}", to_string(seen.error()));
                          look_in(kPeriod);
                          return;
                        }
                        settle(*seen);
                      });
}

void Reconciler::settle(const Glance& seen) {
  report(seen);
  const std::optional<std::set<std::string>> pods = deps_.pods();
  const Actions actions =
      reconcile({deps_.ledger, seen.traces, witness_, pods ? &*pods : nullptr},
                sightings_, deps_.clock.now());
  apply(actions);
  look_in(actions.look_again || !differences_.empty() ? kReconcileGrace
                                                      : kPeriod);
}

Result<Reconciler::Glance> Reconciler::glance(
    const std::vector<ipam::Held>& rows, const Differences& known) {
  Glance glance;
  glance.traces = TRY(datapath::find_ours());
  std::set<std::string> whole;  // by alias
  for (const datapath::OurLink& link : glance.traces.links) {
    if (!link.dying && !link.half_made) {
      whole.insert(datapath::alias_of({"", link.container_id, link.ifname}));
    }
  }
  for (const ipam::Held& held : rows) {
    const ipam::AttachmentKey& key = held.attachment.key;
    if (whole.contains(datapath::alias_of(key))) {
      look_at_pod(held, known.contains(key), glance);
    }
  }
  return glance;
}

void Reconciler::look_at_pod(const ipam::Held& held, bool repair,
                             Glance& glance) {
  const ipam::AttachmentKey& key = held.attachment.key;
  const Result<datapath::Plan> plan =
      datapath::make_plan(held.attachment, held.allocation);
  if (!plan) return;  // its ADD failed by the same error
  const Result<std::vector<std::string>> wrong = datapath::verify_host(*plan);
  if (!wrong) {
    glance.failures.push_back(text(key) + ": " + wrong.error().msg);
    return;
  }
  if (wrong->empty()) return;
  if (!repair) {
    glance.differences.emplace(key, *wrong);
    return;
  }
  const Result<void> done = datapath::repair_host(*plan);
  if (done) {
    glance.repaired.push_back(key);
  } else {
    glance.differences.emplace(key, *wrong);
    glance.failures.push_back(text(key) + ": " + done.error().msg);
  }
}

void Reconciler::report(const Glance& glance) {
  for (const ipam::AttachmentKey& key : glance.repaired) {
    std::string what;
    for (const std::string& one : differences_[key]) {
      what += (what.empty() ? "" : "; ") + one;
    }
    log::warn("repaired the host side of {}: {}", text(key), what);
    deps_.metrics.count("linsey_drift_repairs_total", {{"kind", "host-side"}});
  }
  for (const std::string& failure : glance.failures) {
    log::warn("reconcile: {}", failure);
  }
  differences_ = glance.differences;
}

void Reconciler::apply(const Actions& actions) {
  for (const ipam::AttachmentKey& key : actions.confirm) {
    deps_.ledger.confirm(key);
  }
  for (const ipam::AttachmentKey& key : actions.free) {
    log::info("{} is of an earlier boot; its address cools", text(key));
    deps_.metrics.count("linsey_gc_reclaimed_total",
                        {{"kind", "earlier-boot"}});
    deps_.service.free_now(key, {}, [](const Result<void>&) {});
  }
  for (const ipam::AttachmentKey& key : actions.pod_gone) {
    log::warn(
        "{} has no link, and the API server knows no such pod; its "
        "address cools",
        text(key));
    deps_.metrics.count("linsey_gc_reclaimed_total", {{"kind", "pod-gone"}});
    deps_.service.free_now(key, {}, [](const Result<void>&) {});
  }
  for (const Reserve& reserve : actions.reserve) {
    log::warn("{} is in use in the kernel by {}; it is held",
              reserve.address.to_string(), reserve.note);
    const Result<void> held = deps_.ledger.hold_from_kernel(
        reserve.address, std::nullopt, reserve.note);
    if (!held) log::error("reconcile: {}", to_string(held.error()));
  }
  deps_.service.release_reserved(actions.unreserve);
  for (const datapath::OurLink& link : actions.remove_links) {
    log::warn("link {} of {}/{} has no row; it is removed", link.name,
              link.container_id, link.ifname);
    deps_.metrics.count("linsey_drift_repairs_total", {{"kind", "stale-link"}});
    remove(link, [](const Result<void>& removed) {
      if (!removed) log::warn("reconcile: {}", to_string(removed.error()));
    });
  }
  for (const IpAddr& address : actions.remove_rules) {
    log::warn("rules of {} have no pod; they are removed", address.to_string());
    deps_.metrics.count("linsey_drift_repairs_total", {{"kind", "stale-rule"}});
    const Result<void> removed = datapath::remove_rules(address);
    if (!removed) log::warn("reconcile: {}", to_string(removed.error()));
  }
  for (const std::string& what : actions.contradictions) {
    log::error("reconcile: {}", what);
  }
  for (const ipam::AttachmentKey& key : actions.missing) {
    if (!missing_.contains(key)) {
      log::warn("{} holds an address and has no link; DEL or GC frees it",
                text(key));
    }
  }
  missing_ = {actions.missing.begin(), actions.missing.end()};
}

void Reconciler::remove(const datapath::OurLink& link,
                        std::function<void(const Result<void>&)> done) {
  deps_.links.take_down(
      link, [this, addresses = link.addresses,
             done = std::move(done)](const Result<std::vector<IpAddr>>& seen) {
        if (!seen) {
          done(seen.error());
          return;
        }
        deps_.service.release_reserved(addresses);
        done({});
      });
}

void Reconciler::sweep(
    const std::set<std::pair<std::string, std::string>>& keep,
    std::function<void(const Result<void>&)> done) {
  const Result<datapath::Traces> traces = datapath::find_ours();
  if (!traces) {
    done(traces.error());
    return;
  }
  const std::vector<datapath::OurLink> stale =
      stale_links({deps_.ledger, *traces, witness_}, keep);
  // shared_ptr: each removal under way holds it, the last one ends it.
  struct Sweep {
    ErrorList errors;
    std::size_t left = 0;
  };
  const auto sweep = std::make_shared<Sweep>();
  sweep->left = stale.size() + 1;
  const auto part = [sweep, done = std::move(done)](const Result<void>& gone) {
    sweep->errors.add(gone);
    if (--sweep->left == 0) done(sweep->errors.result());
  };
  for (const datapath::OurLink& link : stale) {
    log::info("GC removes link {} of {}/{}", link.name, link.container_id,
              link.ifname);
    remove(link, part);
  }
  part({});
}

}  // namespace linsey::agent
