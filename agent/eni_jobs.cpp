// The jobs that EniSupplier gives to the cloud worker, and what their ends
// mean. Every job is a value in, a value out.

#include <algorithm>
#include <utility>

#include "agent/eni_supplier.h"
#include "base/log.h"
#include "cloud/zone.h"

namespace linsey::agent {
namespace {

using cloud::ActionKind;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// What the metadata service does not show changes seldom, and every look costs
// the account's quota.
constexpr Duration kLearnEvery = minutes(30);
constexpr Duration kLearnAfterLeaving = seconds(3);
constexpr Duration kPollFirst = milliseconds(200);
constexpr Duration kPollSlowest = seconds(2);

/// The zone label of the node object: today's, or the one before it.
std::string zone_label(const conf::Labels& labels) {
  for (const char* key : {"topology.kubernetes.io/zone",
                          "failure-domain.beta.kubernetes.io/zone"}) {
    if (const auto it = labels.find(key); it != labels.end()) {
      return it->second;
    }
  }
  return {};
}

}  // namespace

template <typename Job, typename Done>
void EniSupplier::run(Job job, Done done) {
  running_ = true;
  deps_.worker.submit(std::move(job),
                      [this, alive = std::weak_ptr<bool>(alive_),
                       done = std::move(done)](const auto& result) {
                        if (alive.expired()) return;
                        running_ = false;
                        done(result);
                        step();
                      });
}

void EniSupplier::look() {
  run([party = party_] { return party->machine(); },
      [this](const Result<Machine>& machine) {
        const Instant now = deps_.clock.now();
        if (!machine) {
          machine_error_ = machine.error();
          machine_not_before_ =
              now + machine_backoff_.failed(info(machine.error().code).cls);
          log::warn("{}", to_string(machine.error()));
          return;
        }
        machine_backoff_.succeeded();
        machine_error_.reset();
        took_look(*machine);
      });
}

Result<void> EniSupplier::check_place() const {
  const std::string label = zone_label(deps_.node.labels);
  if (!label.empty() && label != instance_->zone) {
    return make_error(Code::kZoneMismatch,
                      "the node's zone label says {}, its metadata says {}",
                      label, instance_->zone);
  }
  (void)TRY(listed());
  return {};
}

Result<void> EniSupplier::check_ipv6(
    const std::vector<cloud::VSwitch>& usable) const {
  if (!deps_.config.eni.ipv6) return {};
  if (std::ranges::find(node_addresses_, Family::kV6, &IpAddr::family) ==
      node_addresses_.end()) {
    return make_error(Code::kInvalidConfig,
                      "eni.ipv6 is true, but the node's primary interface has "
                      "no IPv6 address; give it one, or set eni.ipv6 to false");
  }
  for (const cloud::VSwitch& v_switch : usable) {
    if (v_switch.cidr6) continue;
    return make_error(Code::kInvalidConfig,
                      "eni.ipv6 is true, but vSwitch {} has no IPv6 network; "
                      "turn it on there, or set eni.ipv6 to false",
                      v_switch.id);
  }
  return {};
}

void EniSupplier::took_look(const Machine& machine) {
  instance_ = machine.instance;
  attached_ = machine.enis;
  node_addresses_.clear();
  for (const cloud::AttachedEni& eni : attached_) {
    if (eni.mac != instance_->mac) continue;
    if (eni.primary) node_addresses_.push_back(*eni.primary);
    if (!eni.ipv6.empty()) node_addresses_.push_back(eni.ipv6.front());
  }
  const auto primary = links_->find(instance_->mac);
  link_mtu_ = primary && *primary ? (*primary)->mtu : 0;
  next_check_ = deps_.clock.now() + deps_.config.eni.pool.check_every;
  std::set<std::string> remembered;
  for (const ipam::AddressRow& row : deps_.ledger.rows(deps_.clock.now())) {
    remembered.insert(row.group);
  }
  (void)model_.see_attached(attached_, remembered, deps_.clock.now());
  if (const Result<void> place = check_place(); !place) {
    return close_zone(place.error());
  }
  zone_error_.reset();
  place_links();
  supply();
}

void EniSupplier::check() {
  next_check_ = deps_.clock.now() + deps_.config.eni.pool.check_every;
  run([party = party_] { return party->attached(); },
      [this](const Result<std::vector<cloud::AttachedEni>>& attached) {
        if (!attached) {
          log::warn("{}", to_string(attached.error()));
          return;
        }
        attached_ = *attached;
        for (const std::string& id :
             model_.see_attached(attached_, {}, deps_.clock.now())) {
          log::error("interface {} is no longer attached", id);
          withdraw(id);
          next_learn_ = Instant{};
        }
        count_surplus();
        place_links();
        supply();
      });
}

void EniSupplier::poll() {
  const Duration pause = std::min<Duration>(
      kPollFirst * (1U << std::min(polls_, 8U)), kPollSlowest);
  ++polls_;
  next_poll_ = deps_.clock.now() + pause;
  run([party = party_,
       macs = model_.awaited()] { return party->attached(macs); },
      [this](const Result<std::vector<cloud::AttachedEni>>& attached) {
        if (!attached) {
          log::warn("{}", to_string(attached.error()));
          return;
        }
        for (const cloud::AttachedEni& eni : *attached) {
          model_.see_attached(eni, deps_.clock.now());
        }
        place_links();
        supply();
        if (model_.awaited().empty()) polls_ = 0;
      });
}

void EniSupplier::learn() {
  const auto ids = listed();
  last_learn_ = deps_.clock.now();
  next_learn_ = last_learn_ + kLearnEvery;
  if (!ids) return close_zone(ids.error());
  FactsRequest request{.type = instance_->type,
                       .v_switches = *ids,
                       .tags = tags(),
                       .primary_eni = {}};
  const auto primary =
      std::ranges::find(attached_, instance_->mac, &cloud::AttachedEni::mac);
  if (deps_.config.eni.security_groups.empty() && primary != attached_.end()) {
    request.primary_eni = primary->id;
  }
  run([party = party_, request] { return party->facts(request); },
      [this](const Result<CloudFacts>& facts) {
        if (!facts) {
          next_learn_ = Instant{};
          learn_failed_ = true;
          return call_failed(facts.error());
        }
        // What failed before may fail again: only its own success, or that
        // nothing is wanted any more, ends the back-off.
        if (std::exchange(learn_failed_, false)) {
          cloud_backoff_.succeeded();
          cloud_error_.reset();
        }
        learned(*facts);
      });
}

void EniSupplier::learned(CloudFacts facts) {
  const Instant now = deps_.clock.now();
  limits_ = facts.type;
  host_groups_ = facts.host_groups;
  std::erase_if(facts.enis, [&](const cloud::Eni& eni) {
    return !eni.instance_id.empty() && eni.instance_id != instance_->id;
  });
  model_.see_described(facts.enis, now);
  Result<std::vector<cloud::VSwitch>> usable =
      cloud::validate_zone(zone_map(), *instance_, facts.v_switches);
  if (usable) {
    Result<void> place = check_place();
    if (place) place = check_ipv6(*usable);
    if (!place) usable = place.error();
  }
  if (!usable) {
    close_zone(usable.error());
    next_learn_ = now + cloud_backoff_.failed(info(usable.error().code).cls);
    return;
  }
  if (zone_error_) log::info("the zone's vSwitches are in order again");
  zone_error_.reset();
  v_switches_ = std::move(usable).value();
  validated_ = *listed();
  place_links();
  supply();
}

void EniSupplier::act(const cloud::EniAction& action) {
  const Instant now = deps_.clock.now();
  const std::string what = to_string(action);
  log::info("cloud: {}", what);
  const bool tokened =
      action.kind == ActionKind::kCreate || action.kind == ActionKind::kAssign;
  ActionContext context{
      .instance_id = instance_->id,
      .security_groups = deps_.config.eni.security_groups.empty()
                             ? host_groups_
                             : deps_.config.eni.security_groups,
      .tags = tags(),
      .name = "linsey-" + instance_->id,
      .description =
          fmt::format("pods of node {}, made by Linsey", deps_.node.name)
              .substr(0, 256),
      .client_token = tokened ? tokens_.token(what, now) : ""};
  under_way_ = what;
  under_way_since_ = now;
  run([party = party_, action, context] { return party->run(action, context); },
      [this, action](const Result<ActionOutcome>& outcome) {
        acted(action, outcome);
      });
}

void EniSupplier::acted(const cloud::EniAction& action,
                        const Result<ActionOutcome>& outcome) {
  const std::string what = to_string(action);
  under_way_.clear();
  if (!outcome) {
    if (!outcome_unknown(outcome.error().code)) tokens_.settle(what);
    return failed(action, outcome.error());
  }
  tokens_.settle(what);
  cloud_backoff_.succeeded();
  cloud_error_.reset();
  done(action, *outcome);
}

void EniSupplier::done(const cloud::EniAction& action,
                       const ActionOutcome& outcome) {
  const Instant now = deps_.clock.now();
  switch (action.kind) {
    case ActionKind::kCreate:
      suspensions_.lift("");
      suspensions_.lift(action.v_switch);
      model_.created(outcome.eni, now);
      take_from(action.v_switch, outcome.eni.ipv4.size());
      break;
    case ActionKind::kAttach:
      model_.attach_asked(action.eni_id, now);
      polls_ = 0;
      next_poll_ = now + kPollFirst;
      break;
    case ActionKind::kAssign:
      suspensions_.lift(action.eni_id);
      if (const KnownEni* known = model_.find(action.eni_id)) {
        suspensions_.lift(known->eni.v_switch);
        if (action.family == Family::kV4) {
          take_from(known->eni.v_switch, outcome.addresses.size());
        }
      }
      model_.assigned(action.eni_id, outcome.addresses, now);
      polls_ = 0;
      next_poll_ = now;
      break;
    case ActionKind::kDetach:
      model_.leaving_asked(action.eni_id, cloud::EniStatus::kDetaching, now);
      next_learn_ = std::min(next_learn_, now + kLearnAfterLeaving);
      break;
    case ActionKind::kDelete:
      model_.leaving_asked(action.eni_id, cloud::EniStatus::kDeleting, now);
      next_learn_ = std::min(next_learn_, now + kLearnAfterLeaving);
      break;
    case ActionKind::kUnassign:
    case ActionKind::kDrain:
      break;
  }
}

// Until the cloud is asked again the count of free addresses is our own.
void EniSupplier::take_from(const std::string& v_switch, std::size_t count) {
  if (!v_switches_) return;
  const auto it =
      std::ranges::find(*v_switches_, v_switch, &cloud::VSwitch::id);
  if (it == v_switches_->end()) return;
  it->free -= std::min<std::uint64_t>(it->free, count);
}

void EniSupplier::call_failed(const Error& error) {
  const Instant now = deps_.clock.now();
  cloud_error_ = error;
  const Duration pause = cloud_backoff_.failed(info(error.code).cls);
  cloud_not_before_ = now + pause;
  log::warn("{} [{}]; next call in {} ms", to_string(error), error.details,
            std::chrono::duration_cast<milliseconds>(pause).count());
  if (outcome_unknown(error.code)) next_learn_ = Instant{};
}

void EniSupplier::failed(const cloud::EniAction& action, const Error& error) {
  const Instant now = deps_.clock.now();
  KnownEni* known = model_.find(action.eni_id);
  if (action.kind == ActionKind::kUnassign) {
    model_.keeps(action.eni_id, action.addresses);
    next_learn_ = Instant{};
  }
  switch (error.code) {
    case Code::kVSwitchExhausted:
      suspensions_.suspend(
          known == nullptr ? action.v_switch : known->eni.v_switch, error, now);
      break;
    case Code::kEniLimit:
    case Code::kSecurityGroupFull:
    case Code::kVSwitchNotFound:
      suspensions_.suspend("", error, now);
      // It cannot be attached here: not to be left behind.
      if (action.kind == ActionKind::kAttach && known != nullptr) {
        known->broken = true;
      }
      next_learn_ = Instant{};
      break;
    case Code::kIpPerEniLimit:
      suspensions_.suspend(action.eni_id, error, now);
      if (action.kind == ActionKind::kAttach && known != nullptr) {
        known->broken = true;
      }
      next_learn_ = Instant{};
      break;
    case Code::kCloudGone:
    case Code::kCloudStatePending:
      next_learn_ = Instant{};
      return call_failed(error);
    default:
      return call_failed(error);
  }
  log::warn("{} [{}]", to_string(error), error.details);
}

}  // namespace linsey::agent
