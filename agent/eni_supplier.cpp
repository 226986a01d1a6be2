#include "agent/eni_supplier.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/sha1.h"
#include "cloud/zone.h"

namespace linsey::agent {
namespace {

using cloud::ActionKind;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned kLocalSteps = 64;  // drains before one look at the cloud
constexpr unsigned kAttachTries = 3;
constexpr Duration kLearnWhenShort = seconds(60);  // has space come free?
constexpr Duration kOverdue = seconds(30);

std::uint64_t seed_of(const std::string& text) {
  std::uint64_t seed = 0;
  for (const std::uint8_t byte : sha1(text)) {
    seed = seed * 31 + byte;
  }
  return seed;
}

/// Quotas are counted for each action by itself.
std::string bucket_of(const cloud::EniAction& action) {
  const std::string text = to_string(action);
  return text.substr(0, text.find(' ')) +
         (action.family == Family::kV6 ? "6" : "");
}

cloud::Selection selection_of(const std::string& text) {
  if (text == "most-free") return cloud::Selection::kMostFree;
  return text == "random" ? cloud::Selection::kRandom
                          : cloud::Selection::kOrdered;
}

}  // namespace

EniSupplier::EniSupplier(SupplierDeps deps)
    : deps_(std::move(deps)),
      cloud_backoff_(seed_of(deps_.node.name + "/cloud")),
      machine_backoff_(seed_of(deps_.node.name + "/machine")),
      random_(seed_of(deps_.node.name)) {
  deps_.metrics.describe_counter(
      "linsey_drift_repairs_total",
      "What somebody else changed in the kernel or the cloud and the agent "
      "mended or noticed, by kind.");
  deps_.metrics.describe_counter("linsey_cloud_api_requests_total",
                                 "Calls of the OpenAPI by action and code.");
  deps_.metrics.describe_histogram(
      "linsey_cloud_api_request_duration_seconds",
      "Time of one call of the OpenAPI.",
      {0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20});
  deps_.metrics.describe_gauge("linsey_enis",
                               "Secondary interfaces of this node by state.");
  deps_.metrics.describe_gauge(
      "linsey_cloud_api_budget_remaining",
      "Calls that this node may make at once of each action (eni.rate).");
  deps_.metrics.describe_gauge(
      "linsey_vswitch_free_addresses",
      "Free addresses of the zone's pod vSwitches, as the cloud last told.");
  deps_.metrics.on_collect([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    publish();
    deps_.metrics.clear("linsey_enis");
    std::map<std::string, unsigned> states;
    for (const auto& [id, known] : model_.enis()) {
      ++states[known.retiring   ? "retiring"
               : known.usable() ? "usable"
                                : std::string(name(known.eni.status))];
    }
    for (const auto& [state, count] : states) {
      deps_.metrics.set("linsey_enis", count, {{"state", state}});
    }
  });
}

EniSupplier::~EniSupplier() {
  stop();
}

void EniSupplier::start() {
  started_ = true;
  config_changed();
}

void EniSupplier::stop() {
  started_ = false;
  deps_.loop.cancel(timer_);
}

void EniSupplier::config_changed() {
  party_ = std::make_shared<CloudParty>(
      deps_.config, deps_.clock,
      [this, &loop = deps_.loop,
       alive = std::weak_ptr<bool>(alive_)](const cloud::ApiOutcome& outcome) {
        loop.post("cloud call", [this, alive, outcome] {
          if (!alive.expired()) observe(outcome);
        });
      });
  budget_.set_rate(deps_.config.eni.rate.calls_per_minute,
                   deps_.config.eni.rate.burst);
  // Whatever was refused may be right now.
  suspensions_.lift_all();
  cloud_backoff_.succeeded();
  machine_backoff_.succeeded();
  cloud_not_before_ = machine_not_before_ = next_check_ = Instant{};
  next_learn_ = Instant{};
  // A list that changed gives nothing until it is found in order.
  const bool other_list =
      instance_ && validated_ &&
      listed().value_or(std::vector<std::string>()) != *validated_;
  if (other_list) {
    for (const auto& [id, known] : model_.enis()) {
      withdraw(id);
    }
  }
  instance_.reset();
  v_switches_.reset();
  for (auto& [id, known] : model_.enis()) {
    if (!known.busy) known.retiring = known.broken;
  }
  wake();
}

void EniSupplier::need(std::size_t waiting) {
  waiting_ = static_cast<unsigned>(waiting);
  waiting_since_ = deps_.clock.now();
  wake();
}

void EniSupplier::on_released(const IpAddr&) {}

void EniSupplier::on_assigned(const IpAddr&) {
  if (waiting_ > 0) --waiting_;
  wake();
}

unsigned EniSupplier::waiting(Instant now) const {
  // Service does not say when a waiter leaves; none waits longer than this.
  return now - waiting_since_ > deps_.config.ipam.wait ? 0 : waiting_;
}

void EniSupplier::wake() {
  if (woken_ || !started_) return;
  woken_ = true;
  deps_.loop.post("eni supplier", [this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    woken_ = false;
    step();
  });
}

void EniSupplier::step() {
  if (!started_ || running_) return;
  const Instant now = deps_.clock.now();
  if (!links_) {
    auto links = EniLinks::start(deps_.loop,
                                 [this](const std::set<std::uint32_t>& tables) {
                                   heard_change(tables);
                                 });
    if (!links) {
      machine_error_ = links.error();
      return refuse(links.error());
    }
    links_ = std::move(links).value();
  }
  if (ask_machine(now) || ask_cloud(now)) return;
  sleep_until_due(now);
}

// What the metadata service is to be asked, if anything. True: a job runs.
bool EniSupplier::ask_machine(Instant now) {
  if (now < machine_not_before_) return false;
  if (!instance_) {
    look();
  } else if (!model_.awaited().empty() && now >= next_poll_) {
    poll();
  } else if (now >= next_check_) {
    check();
  }
  return running_;
}

// What the OpenAPI is to be asked, if anything. True: a job runs.
bool EniSupplier::ask_cloud(Instant now) {
  if (!instance_) return false;
  if (zone_error_ && waiting(now) > 0) refuse(*zone_error_);
  if (now < cloud_not_before_) {
    const bool hopeless =
        cloud_error_ && (info(cloud_error_->code).cls == Class::kAuth ||
                         info(cloud_error_->code).cls == Class::kConfig);
    if (hopeless && waiting(now) > 0 && model_.awaited().empty()) {
      refuse(*cloud_error_);
    }
    return false;
  }
  // Again and again while it is, but never without a pause.
  if (model_.overdue(now, kOverdue)) {
    next_learn_ = std::min(next_learn_, last_learn_ + kOverdue);
  }
  if (now >= next_learn_) {
    learn();
    return running_;
  }
  if (zone_error_ || !v_switches_) return false;
  const std::optional<cloud::EniAction> action = next_action(now);
  if (!action) return false;
  budget_.take(bucket_of(*action), now);
  act(*action);
  return running_;
}

void EniSupplier::sleep_until_due(Instant now) {
  Instant machine_due = instance_ ? next_check_ : Instant{};
  if (instance_ && !model_.awaited().empty()) {
    machine_due = std::min(machine_due, next_poll_);
  }
  Instant due = std::max(machine_due, machine_not_before_);
  if (instance_) {
    Instant cloud_due = next_learn_;
    if (const auto end = suspensions_.next_end(now)) {
      cloud_due = std::min(cloud_due, *end);
    }
    if (now < cloud_not_before_) cloud_due = cloud_not_before_;
    due = std::min(due, cloud_due);
  }
  deps_.loop.cancel(timer_);
  timer_ = deps_.loop.after(std::max<Duration>(due - now, milliseconds(1)),
                            "eni supplier", [this] { step(); });
}

cloud::PlanInput EniSupplier::plan_input(Instant now) {
  const conf::Eni& eni = deps_.config.eni;
  const ipam::Counts counts = pool_counts(now);
  return {.enis = model_.plan_enis(deps_.ledger.rows(now), now),
          .other_enis = model_.others_of(attached_),
          .limits = limits_,
          .v_switches = *v_switches_,
          .suspended = suspensions_.active(now),
          .selection = selection_of(eni.selection),
          .seed = random_(),
          .dual_stack = eni.ipv6,
          .waiting = waiting(now),
          .free = counts.free,
          .cooling = counts.cooling,
          .min_idle = eni.pool.min_idle,
          .max_idle = eni.pool.max_idle,
          .may_reclaim = surplus_checks_ >= 2};
}

std::optional<cloud::EniAction> EniSupplier::next_action(Instant now) {
  for (auto& [id, known] : model_.enis()) {
    if (known.attach_tries >= kAttachTries && !known.broken) {
      known.broken = true;
      suspensions_.suspend(
          "",
          make_error(Code::kEniNotReady,
                     "interface {} could not be attached in {} tries", id,
                     kAttachTries),
          now);
    }
  }
  for (unsigned i = 0; i < kLocalSteps; ++i) {
    const cloud::EniPlan plan = cloud::plan_enis(plan_input(now));
    bool local = false;
    std::optional<Instant> paced_until;
    for (const cloud::EniAction& action : plan.actions) {
      if (action.kind == ActionKind::kDrain) {
        log::info("interface {} is drained", action.eni_id);
        model_.find(action.eni_id)->retiring = true;
        deps_.ledger.drain(addresses_of(action.eni_id));
        local = true;
      } else if (const auto later =
                     budget_.blocked_until(bucket_of(action), now)) {
        paced_until = std::min(paced_until.value_or(*later), *later);
      } else if (!local && prepare(action, now)) {
        shortage_.reset();
        return action;
      }
    }
    if (!local && paced_until) {
      cloud_not_before_ = *paced_until;  // its share is spent: wait for it
      return std::nullopt;
    }
    if (!local) {
      tell_shortage(plan);
      return std::nullopt;
    }
  }
  return std::nullopt;
}

// Takes addresses out of the ledger before they go in the cloud. False: one of
// them is held; the next plan knows.
bool EniSupplier::prepare(const cloud::EniAction& action, Instant now) {
  std::vector<IpAddr> going;
  if (action.kind == ActionKind::kUnassign) going = action.addresses;
  if (action.kind == ActionKind::kDetach ||
      action.kind == ActionKind::kDelete) {
    going = addresses_of(action.eni_id);
  }
  if (going.empty()) return true;
  const Result<void> removed = deps_.ledger.remove(going);
  if (!removed) {
    log::info("{} waits: {}", to_string(action), removed.error().msg);
    return false;
  }
  if (action.kind == ActionKind::kUnassign) {
    model_.giving_back(action.eni_id, going, now);
  }
  return true;
}

void EniSupplier::tell_shortage(const cloud::EniPlan& plan) {
  shortage_ = plan.shortage;
  cloud_error_.reset();  // nothing is wanted of the cloud
  if (shortage_ && shortage_->code == Code::kVSwitchExhausted) {
    next_learn_ = std::min(next_learn_, deps_.clock.now() + kLearnWhenShort);
  }
  if (plan.waiters_short == 0 || !model_.awaited().empty()) return;
  refuse(*plan.shortage);
}

void EniSupplier::refuse(const Error& why) {
  waiting_ = 0;
  deps_.hooks.refuse(why);
}

void EniSupplier::observe(const cloud::ApiOutcome& outcome) {
  deps_.metrics.count(
      "linsey_cloud_api_requests_total",
      {{"api", outcome.operation},
       {"code", outcome.ok ? "ok" : std::string(name(outcome.code))}});
  deps_.metrics.observe("linsey_cloud_api_request_duration_seconds",
                        std::chrono::duration<double>(outcome.took).count(),
                        {{"api", outcome.operation}});
}

}  // namespace linsey::agent
