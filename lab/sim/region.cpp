#include "lab/sim/region.h"

#include <algorithm>
#include <iterator>

#include <fmt/core.h>

#include "lab/sim/instance_types.h"

namespace linsey::sim {
namespace {

Fault bad_state(const Eni& eni, std::string_view wanted) {
  return {400, "InvalidOperation.InvalidEniState",
          fmt::format("The operation is not allowed in the current state of "
                      "the ENI {}: expected {}, current {}.",
                      eni.id, wanted, to_string(eni.state))};
}

Fault no_eni(const std::string& id) {
  if (!id.starts_with("eni-")) {
    return {400, "InvalidParams.EniId",
            fmt::format("The specified EniId \"{}\" is malformed.", id)};
  }
  return {404, "InvalidEniId.NotFound",
          fmt::format("The specified EniId \"{}\" is not found.", id)};
}

/// Attach and Detach answer 403 where others answer 404.
Fault no_instance(const std::string& id) {
  if (!id.starts_with("i-")) {
    return {400, "InvalidInstanceID.Malformed",
            fmt::format("The specified InstanceId \"{}\" is malformed.", id)};
  }
  return {403, "InvalidInstanceId.NotFound",
          fmt::format("The specified InstanceId \"{}\" is not found.", id)};
}

bool take_one(unsigned& counter) {
  if (counter == 0) return false;
  --counter;
  return true;
}

}  // namespace

std::string to_string(EniState state) {
  switch (state) {
    case EniState::kAvailable:
      return "Available";
    case EniState::kAttaching:
      return "Attaching";
    case EniState::kInUse:
      return "InUse";
    case EniState::kDetaching:
      return "Detaching";
    case EniState::kDeleting:
      return "Deleting";
  }
  panic("no such EniState");
}

std::vector<IpAddr> Eni::list(Family family) const {
  std::vector<IpAddr> found;
  for (const EniAddress& address : addresses) {
    if (address.ip.family() == family) found.push_back(address.ip);
  }
  return found;
}

EniView view(const Eni& eni) {
  EniView seen{.id = eni.id,
               .v_switch = eni.v_switch,
               .instance = eni.instance,
               .state = eni.state,
               .primary = eni.primary,
               .mac = eni.mac,
               .addresses = {},
               .security_groups = eni.security_groups,
               .tags = eni.tags};
  for (const EniAddress& address : eni.addresses) {
    seen.addresses.push_back(address.ip);
  }
  return seen;
}

Region::Region(std::uint64_t seed) : random_(seed) {
  for (const InstanceTypeSpec& type : known_instance_types())
    add(type);
}

Outcome Region::create(const NewEni& wish, const std::string& wall,
                       Instant now) {
  if (Fault fault = check_new(wish)) return {fault, {}, {}};
  const VSwitchSpec& v_switch = v_switches_.at(wish.v_switch);

  Eni eni;
  eni.id = new_id("eni-");
  eni.v_switch = v_switch.id;
  eni.vpc = v_switch.vpc;
  eni.zone = v_switch.zone;
  eni.mac = new_mac();
  eni.security_groups = wish.security_groups;
  eni.name = wish.name;
  eni.description = wish.description;
  eni.delete_on_release = wish.delete_on_release;
  eni.tags = wish.tags;
  eni.created = wall;
  // Named ones first: a random pick must not take what was asked for by name.
  if (wish.primary) give(eni, *wish.primary, now);
  for (const IpAddr& ip : wish.secondary.named) {
    used_[v_switch.id].emplace(ip, eni.id);
  }
  if (!wish.primary) give(eni, take_free(v_switch, Family::kV4), now);
  for (const IpAddr& ip : wish.secondary.named)
    give(eni, ip, now);
  for (unsigned i = 0; i < wish.secondary.count; ++i) {
    give(eni, take_free(v_switch, Family::kV4), now);
  }
  for (const IpAddr& ip : wish.v6.named)
    give(eni, ip, now);
  for (unsigned i = 0; i < wish.v6.count; ++i) {
    give(eni, take_free(v_switch, Family::kV6), now);
  }
  const std::string id = eni.id;
  enis_.emplace(id, std::move(eni));
  return {{}, id, {}};
}

Fault Region::attach(const std::string& id, const std::string& instance_id,
                     Instant now) {
  const auto found = enis_.find(id);
  if (found == enis_.end()) return no_eni(id);
  const auto instance = instances_.find(instance_id);
  if (instance == instances_.end()) return no_instance(instance_id);
  Eni& eni = found->second;
  if (Fault fault = check_attach(eni, instance->second)) return fault;

  std::set<unsigned> taken;
  for (const auto& [other_id, other] : enis_) {
    if (other.instance == instance_id) taken.insert(other.device_index);
  }
  unsigned index = 1;
  while (taken.contains(index))
    ++index;
  eni.device_index = index;
  eni.instance = instance_id;
  eni.state = EniState::kAttaching;
  eni.falls_back = take_one(knobs.fail_attaches);
  eni.due = now + knobs.attach_time;
  if (take_one(knobs.stick_attaches)) eni.due.reset();
  return {};
}

void Region::go_on(Instant now) {
  for (auto& [id, eni] : enis_) {
    if (eni.state == EniState::kAttaching && !eni.due) eni.due = now;
  }
}

Fault Region::detach(const std::string& id, const std::string& instance_id,
                     Instant now) {
  const auto found = enis_.find(id);
  if (found == enis_.end()) return no_eni(id);
  if (!instances_.contains(instance_id)) return no_instance(instance_id);
  Eni& eni = found->second;
  if (eni.primary) {
    return {400, "InvalidOperation.DetachPrimaryEniNotAllowed",
            "The primary ENI can not be detached."};
  }
  if (eni.state != EniState::kInUse && eni.state != EniState::kDetaching) {
    return bad_state(eni, "InUse");
  }
  if (eni.instance != instance_id) return bad_state(eni, "InUse there");

  eni.state = EniState::kDetaching;
  eni.due = now + knobs.detach_time;
  if (take_one(knobs.stick_detaches)) eni.due.reset();
  return {};
}

Fault Region::remove(const std::string& id, Instant now) {
  const auto found = enis_.find(id);
  if (found == enis_.end()) return no_eni(id);
  Eni& eni = found->second;
  if (eni.state != EniState::kAvailable && eni.state != EniState::kDeleting) {
    return bad_state(eni, "Available");
  }
  eni.state = EniState::kDeleting;
  eni.due = now + knobs.delete_time;
  if (take_one(knobs.stick_deletes)) eni.due.reset();
  return {};
}

Outcome Region::assign(const std::string& id, Family family, const Wish& wish,
                       Instant now) {
  const auto found = enis_.find(id);
  if (found == enis_.end()) return {no_eni(id), {}, {}};
  Eni& eni = found->second;
  const VSwitchSpec& v_switch = v_switches_.at(eni.v_switch);
  if (eni.state != EniState::kAvailable && eni.state != EniState::kInUse) {
    return {bad_state(eni, "Available or InUse"), {}, {}};
  }
  for (const IpAddr& ip : wish.named) {
    const std::vector<IpAddr> own = eni.list(family);
    if (std::find(own.begin(), own.end(), ip) == own.end()) continue;
    return {{403, "InvalidIp.IpAssigned",
             fmt::format("The specified Ip \"{}\" has been assigned.",
                         ip.to_string())},
            {},
            {}};
  }
  if (Fault fault = check_named(v_switch, family, wish.named)) {
    return {fault, {}, {}};
  }
  if (Fault fault = check_quota(eni, family, wish.size())) {
    return {fault, {}, {}};
  }
  const std::size_t v4 = family == Family::kV4 ? wish.size() : 0;
  if (Fault fault = check_room(v_switch, v4)) return {fault, {}, {}};

  Outcome outcome{{}, id, wish.named};
  for (const IpAddr& ip : wish.named)
    give(eni, ip, now + knobs.address_lag);
  for (unsigned i = 0; i < wish.count; ++i) {
    const IpAddr ip = take_free(v_switch, family);
    give(eni, ip, now + knobs.address_lag);
    outcome.addresses.push_back(ip);
  }
  if (eni.state == EniState::kInUse) note(EniEvent::Kind::kAddresses, eni);
  return outcome;
}

Fault Region::unassign(const std::string& id, Family family,
                       const std::vector<IpAddr>& addresses) {
  const auto found = enis_.find(id);
  if (found == enis_.end()) return no_eni(id);
  Eni& eni = found->second;
  if (eni.state != EniState::kAvailable && eni.state != EniState::kInUse) {
    return bad_state(eni, "Available or InUse");
  }
  const auto secondary = [&](const IpAddr& ip) {
    return ip.family() == family && ip != eni.addresses.front().ip &&
           std::any_of(eni.addresses.begin(), eni.addresses.end(),
                       [&](const EniAddress& one) { return one.ip == ip; });
  };
  std::vector<IpAddr> good;
  std::copy_if(addresses.begin(), addresses.end(), std::back_inserter(good),
               secondary);
  Fault fault;
  if (good.size() != addresses.size()) {
    fault = {403, "InvalidIp.IpUnassigned",
             "The specified Ip is not assigned to the ENI."};
    if (!knobs.unassign_partly) return fault;
  }
  for (const IpAddr& ip : good) {
    std::erase_if(eni.addresses,
                  [&](const EniAddress& one) { return one.ip == ip; });
    used_[eni.v_switch].erase(ip);
  }
  if (!good.empty() && eni.state == EniState::kInUse) {
    note(EniEvent::Kind::kAddresses, eni);
  }
  return fault;
}

Fault Region::tag(const std::string& id,
                  const std::map<std::string, std::string>& tags) {
  const auto found = enis_.find(id);
  if (found == enis_.end()) {
    return {404, "InvalidResourceId.NotFound",
            "The specified ResourceId is not found in our records."};
  }
  std::map<std::string, std::string> merged = tags;
  merged.insert(found->second.tags.begin(), found->second.tags.end());
  if (merged.size() > 20) {
    return {403, "QuotaExceed.Tags", "The quota of tags on it is exceeded."};
  }
  found->second.tags = std::move(merged);
  return {};
}

std::optional<Instant> Region::advance(Instant now) {
  std::vector<std::string> gone;
  std::optional<Instant> next;
  for (auto& [id, eni] : enis_) {
    if (!eni.due) continue;
    if (*eni.due > now) {
      next = std::min(next.value_or(*eni.due), *eni.due);
      continue;
    }
    const Instant when = *eni.due;
    eni.due.reset();
    if (eni.state == EniState::kDeleting) gone.push_back(id);
    if (eni.state == EniState::kAttaching && !eni.falls_back) {
      eni.state = EniState::kInUse;
      eni.visible = when + knobs.eni_lag;
      note(EniEvent::Kind::kAttached, eni);
      continue;
    }
    if (eni.state == EniState::kDetaching) {
      note(EniEvent::Kind::kDetached, eni);
    }
    if (eni.state != EniState::kDeleting) {
      eni.state = EniState::kAvailable;
      eni.instance.clear();
      eni.device_index = 0;
    }
  }
  for (const std::string& id : gone)
    drop_eni(id);
  return next;
}

}  // namespace linsey::sim
