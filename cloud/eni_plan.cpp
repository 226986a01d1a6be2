#include "cloud/eni_plan.h"

#include <algorithm>
#include <iterator>

namespace linsey::cloud {
namespace {

bool leaving(EniStatus status) {
  return status == EniStatus::kDetaching || status == EniStatus::kDeleting;
}

/// The planner's notes of one run: what is left to take as actions pile up.
class Planner {
 public:
  explicit Planner(const PlanInput& input)
      : input_(input), v_switches_(input.v_switches) {}

  EniPlan run();

 private:
  const VSwitch* listed(const std::string& id) const;
  bool serves(const PlanEni& eni) const;
  unsigned per_eni() const;
  void clear_out();
  void attach_or_delete();
  void count_demand();
  void assign_ipv6();
  void assign();
  void take(unsigned count);
  void create();
  VSwitch* choose();
  void reclaim();
  void retire_empty(unsigned& excess);
  Error shortage() const;

  const PlanInput& input_;
  std::vector<VSwitch> v_switches_;  // `free` goes down as it is taken
  EniPlan plan_;
  unsigned slots_ = 0;
  unsigned need_ = 0;
  unsigned nice_ = 0;          // what one call brings along, up to max_idle
  unsigned need_waiting_ = 0;  // the part of it that somebody waits for
  unsigned serving_ = 0;       // interfaces for pods, planned ones included
};

const VSwitch* Planner::listed(const std::string& id) const {
  const auto it = std::ranges::find(v_switches_, id, &VSwitch::id);
  return it == v_switches_.end() ? nullptr : &*it;
}

bool Planner::serves(const PlanEni& eni) const {
  return !eni.retiring && !eni.broken && !eni.busy && !leaving(eni.status) &&
         listed(eni.v_switch) != nullptr;
}

unsigned Planner::per_eni() const {
  const InstanceType& limits = input_.limits;
  return input_.dual_stack ? std::min(limits.ipv4_per_eni, limits.ipv6_per_eni)
                           : limits.ipv4_per_eni;
}

// What must go: drained first, taken off when empty.
void Planner::clear_out() {
  for (const PlanEni& eni : input_.enis) {
    if (serves(eni) || eni.busy) continue;
    if (!eni.retiring) {
      plan_.actions.push_back({.kind = ActionKind::kDrain, .eni_id = eni.id});
    }
    if (eni.in_use > 0) continue;
    // One that leaves and is not busy got stuck: it has to be asked again.
    if (eni.status == EniStatus::kInUse ||
        eni.status == EniStatus::kDetaching) {
      plan_.actions.push_back({.kind = ActionKind::kDetach, .eni_id = eni.id});
    } else if (eni.status == EniStatus::kAvailable ||
               eni.status == EniStatus::kDeleting) {
      plan_.actions.push_back({.kind = ActionKind::kDelete, .eni_id = eni.id});
    }
  }
}

void Planner::attach_or_delete() {
  const unsigned limit = input_.limits.enis;
  unsigned taken = input_.other_enis;
  for (const PlanEni& eni : input_.enis) {
    if (eni.status == EniStatus::kDeleting) continue;
    if (eni.status == EniStatus::kAvailable && !serves(eni)) continue;
    if (eni.status != EniStatus::kAvailable) ++taken;
    if (serves(eni)) ++serving_;
  }
  for (const PlanEni& eni : input_.enis) {
    if (eni.status != EniStatus::kAvailable || !serves(eni)) continue;
    const bool fits = taken < limit;
    if (fits) ++taken;
    plan_.actions.push_back(
        {.kind = fits ? ActionKind::kAttach : ActionKind::kDelete,
         .eni_id = eni.id});
    if (!fits) --serving_;
  }
  slots_ = limit > taken ? limit - taken : 0;
}

void Planner::count_demand() {
  unsigned coming = 0;
  for (const PlanEni& eni : input_.enis) {
    if (!serves(eni) || eni.overdue) continue;
    const unsigned pairs = input_.dual_stack && !eni.usable
                               ? std::min(eni.ipv4, eni.ipv6)
                               : eni.ipv4;
    coming += pairs > eni.supplied ? pairs - eni.supplied : 0;
  }
  const unsigned stock = input_.free + coming;
  need_waiting_ = input_.waiting > stock ? input_.waiting - stock : 0;
  // Cooling addresses come back by themselves: they fill the warm pool, but
  // nobody who waits is made to wait for them.
  const unsigned left =
      (stock > input_.waiting ? stock - input_.waiting : 0) + input_.cooling;
  need_ = need_waiting_ + (input_.min_idle > left ? input_.min_idle - left : 0);
  // A call costs the same for one address as for ten, so a pool that runs low
  // is filled up; an interface more is made only for what is needed.
  const unsigned after = std::max(left, input_.min_idle);
  nice_ = need_ > 0 && input_.max_idle > after ? input_.max_idle - after : 0;
}

// Every IPv4 address gets an IPv6 one beside it, as far as the type allows.
void Planner::assign_ipv6() {
  if (!input_.dual_stack) return;
  for (const PlanEni& eni : input_.enis) {
    if (!serves(eni) || !eni.usable) continue;
    const unsigned wanted = std::min(eni.ipv4, input_.limits.ipv6_per_eni);
    if (eni.ipv6 >= wanted) continue;
    plan_.actions.push_back(
        {.kind = ActionKind::kAssign,
         .eni_id = eni.id,
         .family = Family::kV6,
         .count = std::min(wanted - eni.ipv6, kAssignBatch)});
  }
}

void Planner::take(unsigned count) {
  const unsigned needed = std::min(need_, count);
  need_ -= needed;
  nice_ -= count - needed;
}

void Planner::assign() {
  std::vector<const PlanEni*> candidates;
  for (const PlanEni& eni : input_.enis) {
    if (serves(eni) && eni.usable && eni.ipv4 < per_eni() &&
        !input_.suspended.contains(eni.v_switch) &&
        !input_.suspended.contains(eni.id)) {
      candidates.push_back(&eni);
    }
  }
  // The fullest first, so that the others may become empty and go.
  std::ranges::stable_sort(candidates, std::greater{}, &PlanEni::ipv4);
  for (const PlanEni* eni : candidates) {
    const auto v_switch =
        std::ranges::find(v_switches_, eni->v_switch, &VSwitch::id);
    unsigned room = per_eni() - eni->ipv4;
    while (need_ + nice_ > 0 && room > 0 && v_switch->free > 0) {
      const auto free = static_cast<unsigned>(
          std::min<std::uint64_t>(v_switch->free, kAssignBatch));
      const unsigned count = std::min({need_ + nice_, room, free});
      plan_.actions.push_back({.kind = ActionKind::kAssign,
                               .eni_id = eni->id,
                               .family = Family::kV4,
                               .count = count});
      take(count);
      room -= count;
      v_switch->free -= count;
    }
  }
}

VSwitch* Planner::choose() {
  std::vector<VSwitch*> usable;
  for (VSwitch& v_switch : v_switches_) {
    if (v_switch.free > 0 && !input_.suspended.contains(v_switch.id)) {
      usable.push_back(&v_switch);
    }
  }
  if (usable.empty()) return nullptr;
  switch (input_.selection) {
    case Selection::kOrdered:
      return usable.front();
    case Selection::kMostFree:
      return *std::ranges::max_element(usable, {}, &VSwitch::free);
    case Selection::kRandom:
      return usable[input_.seed % usable.size()];
  }
  return usable.front();
}

void Planner::create() {
  if (input_.suspended.contains("")) return;
  while (need_ > 0 && slots_ > 0) {
    VSwitch* v_switch = choose();
    if (v_switch == nullptr) return;
    const auto free = static_cast<unsigned>(
        std::min<std::uint64_t>(v_switch->free, kCreateBatch));
    const unsigned count = std::min({need_ + nice_, per_eni(), free});
    if (count == 0) return;
    plan_.actions.push_back(
        {.kind = ActionKind::kCreate,
         .v_switch = v_switch->id,
         .count = count,
         .count6 = input_.dual_stack ? std::min(count, kCreateIpv6) : 0});
    take(count);
    v_switch->free -= count;
    --slots_;
    ++serving_;
  }
}

void Planner::retire_empty(unsigned& excess) {
  // From the back: the youngest interfaces go first.
  for (auto eni = input_.enis.rbegin(); eni != input_.enis.rend(); ++eni) {
    if (!serves(*eni) || !eni->usable || eni->in_use > 0) continue;
    if (eni->supplied == 0 || eni->supplied > excess) continue;
    plan_.actions.push_back({.kind = ActionKind::kDrain, .eni_id = eni->id});
    excess -= eni->supplied;
  }
}

void Planner::reclaim() {
  if (!input_.may_reclaim || input_.waiting > 0) return;
  if (input_.free <= input_.max_idle) return;
  unsigned excess = input_.free - input_.max_idle;
  const std::size_t before = plan_.actions.size();
  retire_empty(excess);
  if (plan_.actions.size() > before) return;  // the rest at the next look
  std::vector<const PlanEni*> givers;
  for (const PlanEni& eni : input_.enis) {
    if (serves(eni) && eni.usable && !eni.spare.empty()) givers.push_back(&eni);
  }
  std::ranges::stable_sort(givers, {}, &PlanEni::in_use);
  for (const PlanEni* eni : givers) {
    const auto take = [&](const std::vector<IpAddr>& spare) {
      const std::size_t count = std::min(
          {spare.size(), std::size_t{excess}, std::size_t{kAssignBatch}});
      if (count == 0) return std::size_t{0};
      plan_.actions.push_back(
          {.kind = ActionKind::kUnassign,
           .eni_id = eni->id,
           .family = spare.front().family(),
           .addresses = {spare.begin(),
                         spare.begin() + static_cast<std::ptrdiff_t>(count)}});
      return count;
    };
    (void)take(eni->spare6);  // as many as of the other family
    excess -= static_cast<unsigned>(take(eni->spare));
  }
}

Error Planner::shortage() const {
  if (slots_ > 0 && per_eni() > 0) {
    if (const auto any = input_.suspended.find("");
        any != input_.suspended.end()) {
      return any->second;
    }
    std::string ids;
    for (const VSwitch& v_switch : v_switches_) {
      ids += (ids.empty() ? "" : ", ") + v_switch.id;
      const auto why = input_.suspended.find(v_switch.id);
      if (why != input_.suspended.end() &&
          why->second.code != Code::kVSwitchExhausted) {
        return why->second;
      }
    }
    return make_error(Code::kVSwitchExhausted,
                      "no free address in the zone's vSwitches ({})", ids);
  }
  const auto late = std::ranges::find(input_.enis, true, &PlanEni::overdue);
  if (late != input_.enis.end()) {
    return make_error(Code::kEniNotReady,
                      "the cloud has not finished attaching interface {}; it "
                      "takes one of the {} places of instance type {}",
                      late->id, input_.limits.enis, input_.limits.id);
  }
  const InstanceType& limits = input_.limits;
  if (limits.enis <= 1 || per_eni() == 0) {
    return make_error(Code::kEniLimit,
                      "instance type {} allows {} interfaces with {} IPv4 and "
                      "{} IPv6 addresses each: none for pods",
                      limits.id, limits.enis, limits.ipv4_per_eni,
                      limits.ipv6_per_eni);
  }
  if (serving_ + 1 >= limits.enis) {
    return make_error(Code::kIpPerEniLimit,
                      "all {} pod interfaces of instance type {} hold their {} "
                      "addresses",
                      limits.enis - 1, limits.id, per_eni());
  }
  return make_error(Code::kEniLimit,
                    "instance type {} allows {} interfaces; {} of them are not "
                    "for pods or are still leaving",
                    limits.id, limits.enis, input_.other_enis);
}

EniPlan Planner::run() {
  clear_out();
  attach_or_delete();
  count_demand();
  const unsigned refill = need_ - need_waiting_;
  assign_ipv6();
  assign();
  create();
  if (need_ > 0) {
    plan_.waiters_short = need_ > refill ? need_ - refill : 0;
    plan_.shortage = shortage();
  } else if (refill == 0) {
    reclaim();
  }
  return std::move(plan_);
}

}  // namespace

std::string to_string(const EniAction& action) {
  switch (action.kind) {
    case ActionKind::kCreate:
      return fmt::format("create {} in {}", action.count, action.v_switch);
    case ActionKind::kAttach:
      return "attach " + action.eni_id;
    case ActionKind::kAssign:
      return fmt::format("assign {} IPv{} on {}", action.count,
                         static_cast<int>(action.family), action.eni_id);
    case ActionKind::kUnassign:
      return fmt::format("unassign {} of {}", action.addresses.size(),
                         action.eni_id);
    case ActionKind::kDrain:
      return "drain " + action.eni_id;
    case ActionKind::kDetach:
      return "detach " + action.eni_id;
    case ActionKind::kDelete:
      return "delete " + action.eni_id;
  }
  return {};
}

EniPlan plan_enis(const PlanInput& input) {
  return Planner(input).run();
}

}  // namespace linsey::cloud
