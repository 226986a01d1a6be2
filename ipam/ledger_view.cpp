// The reading half of the ledger, and its exchange with the store.
#include <array>
#include <cstdint>

#include "ipam/ledger.h"

namespace linsey::ipam {

const Held* Ledger::find(const AttachmentKey& key) const {
  const auto it = held_.find(key);
  return it == held_.end() ? nullptr : &it->second;
}

const AttachmentKey* Ledger::holder(const IpAddr& address) const {
  const auto it = entries_.find(address);
  if (it == entries_.end() || it->second.use != Use::kHeld) return nullptr;
  return &it->second.holder;
}

State Ledger::state(const Entry& entry, Instant now) const {
  if (entry.use == Use::kHeld) return State::kHeld;
  if (entry.use == Use::kReserved) return State::kReserved;
  return cooled(entry.since, options_.cool_down, now) ? State::kFree
                                                      : State::kCooling;
}

AddressRow Ledger::make_row(const IpAddr& address, const Entry& entry,
                            Instant now) const {
  AddressRow row;
  row.address = address;
  row.source = entry.source;
  row.group = entry.group;
  row.state = state(entry, now);
  row.draining = entry.draining;
  if (entry.since != kNever) row.since = entry.since;
  if (entry.use == Use::kHeld) row.holder = entry.holder;
  row.note = entry.note;
  return row;
}

std::optional<AddressRow> Ledger::row(const IpAddr& address,
                                      Instant now) const {
  const auto it = entries_.find(address);
  if (it == entries_.end()) return std::nullopt;
  return make_row(address, it->second, now);
}

std::vector<AddressRow> Ledger::rows(Instant now) const {
  std::vector<AddressRow> rows;
  rows.reserve(entries_.size());
  for (const auto& [address, entry] : entries_) {
    rows.push_back(make_row(address, entry, now));
  }
  return rows;
}

std::vector<Family> Ledger::families() const {
  std::vector<Family> families;
  for (const Family family : kFamilies) {
    // Addresses are ordered by family first.
    const IpAddr least =
        family == Family::kV4
            ? IpAddr()
            : IpAddr::from_bytes(std::array<std::uint8_t, 16>());
    for (auto it = entries_.lower_bound(least);
         it != entries_.end() && it->first.family() == family; ++it) {
      if (it->second.draining) continue;
      families.push_back(family);
      break;
    }
  }
  return families;
}

void Ledger::count(Counts& counts, const Entry& entry, Instant now) const {
  switch (state(entry, now)) {
    case State::kHeld:
      ++counts.held;
      return;
    case State::kReserved:
      ++counts.reserved;
      return;
    case State::kCooling:
      ++(entry.draining ? counts.draining : counts.cooling);
      return;
    case State::kFree:
      ++(entry.draining ? counts.draining : counts.free);
      return;
  }
}

Counts Ledger::counts(Instant now) const {
  Counts counts;
  for (const auto& [address, entry] : entries_) {
    count(counts, entry, now);
  }
  return counts;
}

std::map<std::pair<std::string, Family>, Counts> Ledger::counts_by_source(
    Instant now) const {
  std::map<std::pair<std::string, Family>, Counts> result;
  for (const auto& [address, entry] : entries_) {
    count(result[{entry.source, address.family()}], entry, now);
  }
  return result;
}

std::optional<Instant> Ledger::next_cooled(Family family, Instant now) const {
  std::optional<Instant> next;
  for (const auto& [place, idle] : idle_) {
    if (place.second != family) continue;
    for (const auto& [since, address] : idle) {
      if (cooled(since, options_.cool_down_min, now)) continue;
      const Instant at = since + options_.cool_down_min;
      if (!next || at < *next) next = at;
      break;
    }
  }
  return next;
}

Changes Ledger::changes() const {
  Changes changes;
  for (const IpAddr& address : dirty_addresses_) {
    changes.addresses.push_back({address, row(address, Instant::max())});
  }
  for (const AttachmentKey& key : dirty_attachments_) {
    changes.attachments.push_back({key, find(key), stale_.contains(key)});
  }
  return changes;
}

void Ledger::mark_saved() {
  dirty_addresses_.clear();
  dirty_attachments_.clear();
}

void Ledger::mark_all_dirty() {
  for (const auto& [address, entry] : entries_) {
    touch(address);
  }
  for (const auto& [key, held] : held_) {
    dirty_attachments_.insert(key);
  }
}

void Ledger::restore(const AddressRow& row, bool clean) {
  const auto [it, is_new] = entries_.try_emplace(row.address);
  Entry& entry = it->second;
  if (!is_new && entry.use == Use::kHeld) {
    entry.source = row.source;
    entry.group = row.group;
  } else {
    entry = {row.source, row.group, Use::kIdle, true, kNever, {}, row.note};
    if (row.state == State::kReserved) entry.use = Use::kReserved;
  }
  if (row.since) entry.since = *row.since;
  if (!clean) touch(row.address);
}

void Ledger::restore(const Held& held, bool stale, bool clean) {
  const AttachmentKey& key = held.attachment.key;
  Held mine = held;
  mine.allocation.addresses.clear();
  for (const IpAddr& address : held.allocation.addresses) {
    Entry& entry = entries_[address];
    if (entry.use == Use::kHeld) continue;  // the first holder keeps it
    if (entry.source.empty()) entry.source = held.allocation.source;
    entry.use = Use::kHeld;
    entry.draining = true;
    entry.holder = key;
    mine.allocation.addresses.push_back(address);
  }
  if (!clean) dirty_attachments_.insert(key);
  if (mine.allocation.addresses.empty()) return;
  held_.insert_or_assign(key, std::move(mine));
  if (stale) stale_.insert(key);
}

Result<void> Ledger::check_invariants() const {
  const auto broken = [](std::string_view what, const std::string& which) {
    return make_error(Code::kInternal, "ledger invariant broken: {}: {}", what,
                      which);
  };
  std::size_t held_addresses = 0;
  std::size_t idle = 0;
  for (const auto& [address, entry] : entries_) {
    if (entry.use == Use::kHeld) {
      ++held_addresses;
      const Held* held = find(entry.holder);
      if (held == nullptr) {
        return broken("held by an unknown key", address.to_string());
      }
    } else if (!(entry.holder == AttachmentKey{})) {
      return broken("idle but has a holder", address.to_string());
    }
    if (entry.use != Use::kIdle || entry.draining) continue;
    ++idle;
    const auto it = idle_.find({entry.group, address.family()});
    if (it == idle_.end() || !it->second.contains({entry.since, address})) {
      return broken("idle but not in the index", address.to_string());
    }
  }
  for (const auto& [key, held] : held_) {
    if (held.allocation.addresses.empty()) {
      return broken("holds nothing", key.container_id);
    }
    for (const IpAddr& address : held.allocation.addresses) {
      const AttachmentKey* found = holder(address);
      if (found == nullptr || *found != key) {
        return broken("address has another holder", address.to_string());
      }
      --held_addresses;
    }
  }
  if (held_addresses != 0) return broken("counts differ", "held addresses");
  for (const auto& [place, addresses] : idle_) {
    idle -= addresses.size();
  }
  if (idle != 0) return broken("counts differ", "idle addresses");
  return {};
}

}  // namespace linsey::ipam
