#include "agent/eni_model.h"

#include <algorithm>

namespace linsey::agent {
namespace {

using cloud::EniStatus;

// How long the views may lag behind a change of ours.
constexpr Duration kSettle = std::chrono::seconds(60);
// After this an address that the OpenAPI lists is taken as there although the
// metadata does not show it.
constexpr Duration kShowWithin = std::chrono::seconds(10);
// An attach takes a few seconds; after this nobody is made to wait for it.
constexpr Duration kAttachWithin = std::chrono::seconds(30);

bool contains(const std::vector<IpAddr>& list, const IpAddr& address) {
  return std::ranges::find(list, address) != list.end();
}

std::vector<IpAddr>& list_of(cloud::Eni& eni, const IpAddr& address) {
  return address.is_v4() ? eni.ipv4 : eni.ipv6;
}

void add_address(cloud::Eni& eni, const IpAddr& address) {
  std::vector<IpAddr>& list = list_of(eni, address);
  if (!contains(list, address)) list.push_back(address);
}

void drop_old(std::map<IpAddr, Instant>& times, Instant now) {
  std::erase_if(
      times, [&](const auto& entry) { return now - entry.second > kSettle; });
}

bool on_its_way_out(EniStatus status) {
  return status == EniStatus::kDetaching || status == EniStatus::kDeleting;
}

/// The cloud's list, less what is being given back, plus what was assigned a
/// moment ago and is not listed yet.
void take_addresses(KnownEni& known, const cloud::Eni& listed, Instant now) {
  known.eni.ipv4 = listed.ipv4;
  known.eni.ipv6 = listed.ipv6;
  for (const auto& [address, since] : known.coming) {
    const bool there =
        contains(listed.ipv4, address) || contains(listed.ipv6, address);
    if (!there) {
      if (now - since <= kShowWithin) add_address(known.eni, address);
    } else if (now - since > kShowWithin) {
      known.shown.insert(address);
    }
  }
  std::erase_if(known.coming, [&](const auto& entry) {
    return now - entry.second > kShowWithin;
  });
  drop_old(known.leaving, now);
  for (const auto& [address, since] : known.leaving) {
    std::erase(list_of(known.eni, address), address);
  }
}

}  // namespace

void EniModel::see_described(const std::vector<cloud::Eni>& ours, Instant now) {
  std::set<std::string> listed;
  for (const cloud::Eni& eni : ours) {
    if (eni.service_managed || eni.type == cloud::EniType::kPrimary) continue;
    listed.insert(eni.id);
    const auto [it, fresh] = enis_.try_emplace(eni.id);
    KnownEni& known = it->second;
    if (fresh) known.asked = now;
    const EniStatus before = known.eni.status;
    known.eni = eni;
    take_addresses(known, eni, now);
    if (before == EniStatus::kAttaching &&
        eni.status == EniStatus::kAvailable) {
      ++known.attach_tries;
    }
    if (eni.status == EniStatus::kAvailable) {
      known.attached = false;
      known.place.reset();
      known.busy = false;
    }
    // A detach or a delete that got stuck is asked for again.
    if (known.busy && now - known.asked > kSettle) known.busy = false;
  }
  std::erase_if(enis_, [&](const auto& entry) {
    const KnownEni& known = entry.second;
    return !listed.contains(entry.first) &&
           (known.busy || now - known.asked > kSettle);
  });
}

void EniModel::merge(KnownEni& known, const cloud::AttachedEni& attached,
                     Instant now) {
  drop_old(known.leaving, now);
  cloud::Eni& eni = known.eni;
  known.shown.clear();
  for (const std::vector<IpAddr>* list : {&attached.ipv4, &attached.ipv6}) {
    for (const IpAddr& address : *list) {
      if (known.leaving.contains(address)) continue;
      add_address(eni, address);
      known.shown.insert(address);
      known.coming.erase(address);
    }
  }
  if (!eni.primary) eni.primary = attached.primary;
  if (attached.gateway) known.gateway = attached.gateway;
  if (attached.gateway6) known.gateway6 = attached.gateway6;
  // The metadata lags: what was detached may still be shown.
  if (known.busy || on_its_way_out(eni.status)) return;
  if (known.retiring && eni.status == EniStatus::kAvailable) return;
  known.attached = true;
  known.attach_tries = 0;
  eni.status = EniStatus::kInUse;
}

void EniModel::see_attached(const cloud::AttachedEni& attached, Instant now) {
  if (KnownEni* known = find(attached.id)) merge(*known, attached, now);
}

std::vector<std::string> EniModel::see_attached(
    const std::vector<cloud::AttachedEni>& attached,
    const std::set<std::string>& remembered, Instant now) {
  std::set<std::string> seen;
  for (const cloud::AttachedEni& one : attached) {
    seen.insert(one.id);
    if (!enis_.contains(one.id)) {
      if (!remembered.contains(one.id)) continue;
      cloud::Eni& eni = enis_[one.id].eni;
      eni.id = one.id;
      eni.v_switch = one.v_switch;
      eni.mac = one.mac;
      eni.status = EniStatus::kInUse;
    }
    merge(enis_[one.id], one, now);
  }
  std::vector<std::string> lost;
  for (auto& [id, known] : enis_) {
    if (seen.contains(id) || !known.attached) continue;
    known.attached = false;
    known.place.reset();
    lost.push_back(id);
  }
  return lost;
}

unsigned EniModel::others_of(
    const std::vector<cloud::AttachedEni>& attached) const {
  const auto others = std::ranges::count_if(
      attached, [this](const auto& one) { return !enis_.contains(one.id); });
  return std::max(static_cast<unsigned>(others), 1U);
}

void EniModel::created(const cloud::Eni& eni, Instant now) {
  KnownEni& known = enis_[eni.id];
  known.eni = eni;
  known.asked = now;
}

void EniModel::attach_asked(const std::string& id, Instant now) {
  if (KnownEni* known = find(id)) {
    known->eni.status = EniStatus::kAttaching;
    known->asked = now;
  }
}

void EniModel::assigned(const std::string& id,
                        const std::vector<IpAddr>& addresses, Instant now) {
  KnownEni* known = find(id);
  if (known == nullptr) return;
  for (const IpAddr& address : addresses) {
    known->leaving.erase(address);  // the cloud gave the same one again
    add_address(known->eni, address);
    if (!known->shown.contains(address)) known->coming[address] = now;
  }
}

void EniModel::giving_back(const std::string& id,
                           const std::vector<IpAddr>& addresses, Instant now) {
  KnownEni* known = find(id);
  if (known == nullptr) return;
  for (const IpAddr& address : addresses) {
    known->leaving[address] = now;
    known->shown.erase(address);
    known->coming.erase(address);
    std::erase(list_of(known->eni, address), address);
  }
}

void EniModel::keeps(const std::string& id,
                     const std::vector<IpAddr>& addresses) {
  KnownEni* known = find(id);
  if (known == nullptr) return;
  for (const IpAddr& address : addresses) {
    known->leaving.erase(address);
  }
}

void EniModel::leaving_asked(const std::string& id, EniStatus status,
                             Instant now) {
  KnownEni* known = find(id);
  if (known == nullptr) return;
  known->busy = true;
  known->retiring = true;
  known->eni.status = status;
  known->asked = now;
}

KnownEni* EniModel::find(const std::string& id) {
  const auto it = enis_.find(id);
  return it == enis_.end() ? nullptr : &it->second;
}

const KnownEni* EniModel::find(const std::string& id) const {
  const auto it = enis_.find(id);
  return it == enis_.end() ? nullptr : &it->second;
}

std::vector<Mac> EniModel::awaited() const {
  std::vector<Mac> macs;
  for (const auto& [id, known] : enis_) {
    const bool arriving = known.eni.status == EniStatus::kAttaching ||
                          known.eni.status == EniStatus::kInUse;
    if (known.busy || known.retiring || !arriving) continue;
    if (!known.usable() || !known.coming.empty()) {
      macs.push_back(known.eni.mac);
    }
  }
  return macs;
}

bool EniModel::overdue(Instant now, Duration limit) const {
  return std::ranges::any_of(enis_, [&](const auto& entry) {
    const KnownEni& known = entry.second;
    if (known.eni.status == EniStatus::kAttaching || known.busy) {
      return now - known.asked > limit;
    }
    return std::ranges::any_of(known.coming, [&](const auto& one) {
      return now - one.second > kShowWithin;
    });
  });
}

std::vector<ipam::Supply> EniModel::supply_of(const KnownEni& known) const {
  std::vector<ipam::Supply> supply;
  if (!known.usable() || known.retiring || known.broken) return supply;
  for (const std::vector<IpAddr>* list : {&known.eni.ipv4, &known.eni.ipv6}) {
    for (const IpAddr& address : *list) {
      if (!known.shown.contains(address)) continue;
      supply.push_back({address, known.source(), known.eni.id});
    }
  }
  return supply;
}

std::vector<cloud::PlanEni> EniModel::plan_enis(
    const std::vector<ipam::AddressRow>& rows, Instant now) const {
  std::map<std::string, cloud::PlanEni> views;
  for (const auto& [id, known] : enis_) {
    cloud::PlanEni& view = views[id];
    view.id = id;
    view.v_switch = known.eni.v_switch;
    view.status = known.eni.status;
    view.usable = known.usable();
    view.retiring = known.retiring;
    view.broken = known.broken;
    view.busy = known.busy;
    view.overdue = known.eni.status == EniStatus::kAttaching &&
                   now - known.asked > kAttachWithin;
    view.ipv4 = static_cast<unsigned>(known.eni.ipv4.size());
    view.ipv6 = static_cast<unsigned>(known.eni.ipv6.size());
  }
  std::map<std::string, std::vector<const ipam::AddressRow*>> spare;
  for (const ipam::AddressRow& row : rows) {
    const auto it = views.find(row.group);
    if (it == views.end()) continue;
    cloud::PlanEni& view = it->second;
    if (row.state != ipam::State::kFree) ++view.in_use;
    if (row.draining) continue;
    if (row.address.is_v4()) ++view.supplied;
    if (row.state == ipam::State::kFree &&
        enis_.at(row.group).eni.primary != row.address) {
      spare[row.group].push_back(&row);
    }
  }
  std::vector<cloud::PlanEni> result;
  for (auto& [id, view] : views) {
    std::vector<const ipam::AddressRow*>& mine = spare[id];
    std::ranges::stable_sort(mine, {}, [](const ipam::AddressRow* row) {
      return row->since.value_or(Instant::min());
    });
    for (const ipam::AddressRow* row : mine) {
      (row->address.is_v4() ? view.spare : view.spare6).push_back(row->address);
    }
    result.push_back(std::move(view));
  }
  return result;
}

}  // namespace linsey::agent
