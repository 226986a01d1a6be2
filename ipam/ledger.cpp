#include "ipam/ledger.h"

#include <algorithm>

namespace linsey::ipam {
namespace {

std::string text(const AttachmentKey& key) {
  return fmt::format("{}/{}/{}", key.network, key.container_id, key.ifname);
}

}  // namespace

Ledger::Ledger(const LedgerOptions& options)
    : options_(options),
      tombstones_(options.tombstone_life, options.tombstone_limit) {}

void Ledger::set_options(const LedgerOptions& options) {
  options_ = options;
}

void Ledger::index(const IpAddr& address, const Entry& entry) {
  if (entry.use != Use::kIdle || entry.draining) return;
  idle_[{entry.group, address.family()}].emplace(entry.since, address);
}

void Ledger::unindex(const IpAddr& address, const Entry& entry) {
  const auto it = idle_.find({entry.group, address.family()});
  if (it == idle_.end()) return;
  it->second.erase({entry.since, address});
  if (it->second.empty()) idle_.erase(it);
}

bool Ledger::cooled(Instant since, Duration cool_down, Instant now) const {
  return since == kNever || since + cool_down <= now;
}

void Ledger::add(std::span<const Supply> supply) {
  for (const Supply& item : supply) {
    const auto [it, is_new] = entries_.try_emplace(item.address);
    Entry& entry = it->second;
    if (!is_new && !entry.draining && entry.source == item.source &&
        entry.group == item.group) {
      continue;
    }
    unindex(item.address, entry);
    const bool same = entry.source == item.source && entry.group == item.group;
    entry.source = item.source;
    entry.group = item.group;
    entry.draining = false;
    index(item.address, entry);
    if (is_new || !same) touch(item.address);
  }
}

void Ledger::drain(std::span<const IpAddr> addresses) {
  for (const IpAddr& address : addresses) {
    const auto it = entries_.find(address);
    if (it == entries_.end()) continue;
    unindex(address, it->second);
    it->second.draining = true;
  }
}

void Ledger::drain_source(std::string_view source) {
  for (auto& [address, entry] : entries_) {
    if (entry.source != source) continue;
    unindex(address, entry);
    entry.draining = true;
  }
}

Result<void> Ledger::remove(std::span<const IpAddr> addresses) {
  for (const IpAddr& address : addresses) {
    const auto it = entries_.find(address);
    if (it == entries_.end() || it->second.use == Use::kIdle) continue;
    return make_error(Code::kStateMismatch,
                      "address {} is in use by {} and cannot be removed",
                      address.to_string(),
                      it->second.use == Use::kHeld ? text(it->second.holder)
                                                   : it->second.note);
  }
  for (const IpAddr& address : addresses) {
    const auto it = entries_.find(address);
    if (it == entries_.end()) continue;
    unindex(address, it->second);
    entries_.erase(it);
    touch(address);
  }
  return {};
}

Result<Assigned> Ledger::assign(const AssignRequest& request, Instant now) {
  const AttachmentKey& key = request.attachment.key;
  if (const Held* held = find(key)) return Assigned{*held, false};
  if (tombstones_.overtakes(key, request.asked_at, now)) {
    return make_error(Code::kOvertaken,
                      "attachment {} was deleted after this ADD began",
                      text(key));
  }
  const Picks wanted = TRY(pick_wanted(request.attachment, now));
  std::vector<Family> families;
  for (const Family family : request.families) {
    const auto same = [&](const IpAddr& ip) { return ip.family() == family; };
    if (std::none_of(wanted.begin(), wanted.end(), same)) {
      families.push_back(family);
    }
  }
  std::optional<Picks> picks = pick(families, wanted, options_.cool_down, now);
  if (!picks) {
    picks = pick(families, wanted,
                 std::min(options_.cool_down, options_.cool_down_min), now);
    if (!picks) return exhausted(families, now);
    ++shortened_;
  }
  picks->insert(picks->end(), wanted.begin(), wanted.end());
  if (picks->empty()) return exhausted(families, now);
  std::sort(picks->begin(), picks->end());
  return Assigned{hold(request.attachment, std::move(*picks)), true};
}

Result<Ledger::Picks> Ledger::pick_wanted(const Attachment& attachment,
                                          Instant now) const {
  const Picks& wanted = attachment.wanted_ips;
  for (const IpAddr& address : wanted) {
    const auto it = entries_.find(address);
    if (it == entries_.end() || it->second.draining) {
      return make_error(Code::kAddressNotOurs,
                        "requested address {} is not one of this node's",
                        address.to_string());
    }
    const Entry& entry = it->second;
    if (entry.use != Use::kIdle) {
      return make_error(
          Code::kAddressTaken, "requested address {} is held by {}",
          address.to_string(),
          entry.use == Use::kHeld ? text(entry.holder) : entry.note);
    }
    if (!cooled(entry.since, options_.cool_down_min, now)) {
      return make_error(
          Code::kAddressTaken,
          "requested address {} was released less than {} s ago "
          "and still cools",
          address.to_string(),
          std::chrono::ceil<std::chrono::seconds>(options_.cool_down_min)
              .count());
    }
    if (entry.group != entries_.at(wanted.front()).group) {
      return make_error(Code::kAddressNotOurs,
                        "requested addresses {} and {} are of different ENIs",
                        wanted.front().to_string(), address.to_string());
    }
  }
  if (wanted.size() > 1 && wanted[0].family() == wanted[1].family()) {
    return make_error(Code::kAddressNotOurs,
                      "requested addresses {} and {} are of one family",
                      wanted[0].to_string(), wanted[1].to_string());
  }
  return wanted;
}

std::optional<Ledger::Picks> Ledger::pick(const std::vector<Family>& families,
                                          const Picks& wanted,
                                          Duration cool_down,
                                          Instant now) const {
  if (families.empty()) return Picks{};
  if (!wanted.empty()) {
    return pick_in(entries_.at(wanted.front()).group, families, cool_down, now);
  }
  std::optional<Picks> best;
  for (const auto& [place, idle] : idle_) {
    if (place.second != families.front()) continue;
    if (best && entries_.at(best->front()).since <= idle.begin()->first) {
      continue;
    }
    std::optional<Picks> here = pick_in(place.first, families, cool_down, now);
    if (here) best = std::move(here);
  }
  return best;
}

std::optional<Ledger::Picks> Ledger::pick_in(
    const std::string& group, const std::vector<Family>& families,
    Duration cool_down, Instant now) const {
  Picks picks;
  for (const Family family : families) {
    const auto it = idle_.find({group, family});
    if (it == idle_.end()) return std::nullopt;
    const auto& [since, address] = *it->second.begin();
    if (!cooled(since, cool_down, now)) return std::nullopt;
    picks.push_back(address);
  }
  return picks;
}

Error Ledger::exhausted(const std::vector<Family>& families,
                        Instant now) const {
  std::map<Family, Counts> by_family;
  for (const auto& [address, entry] : entries_) {
    count(by_family[address.family()], entry, now);
  }
  std::string what;
  for (const Family family : families) {
    const Counts& c = by_family[family];
    what += fmt::format(
        "{}IPv{}: {} held, {} cooling, {} reserved, {} draining, {} free",
        what.empty() ? "" : "; ", family == Family::kV4 ? 4 : 6, c.held,
        c.cooling, c.reserved, c.draining, c.free);
  }
  return make_error(Code::kAddressesExhausted,
                    "no free address for every family asked for ({})",
                    what.empty() ? "none asked for" : what);
}

const Held& Ledger::hold(const Attachment& attachment, Picks picks) {
  for (const IpAddr& address : picks) {
    Entry& entry = entries_.at(address);
    unindex(address, entry);
    entry.use = Use::kHeld;
    entry.holder = attachment.key;
    touch(address);
  }
  Held held{attachment, {}};
  held.allocation.source = entries_.at(picks.front()).source;
  held.allocation.addresses = std::move(picks);
  dirty_attachments_.insert(attachment.key);
  return held_.insert_or_assign(attachment.key, std::move(held)).first->second;
}

Result<void> Ledger::complete(const AttachmentKey& key, Allocation allocation) {
  const auto it = held_.find(key);
  if (it == held_.end()) {
    return make_error(Code::kUnknownAttachment, "{} holds no address",
                      text(key));
  }
  if (it->second.allocation.addresses != allocation.addresses) {
    return make_error(Code::kInternal,
                      "the allocation of {} names other addresses than held",
                      text(key));
  }
  it->second.allocation = std::move(allocation);
  dirty_attachments_.insert(key);
  return {};
}

void Ledger::unassign(const AttachmentKey& key) {
  (void)give_back(key, kNever,
                  false);  // a key nobody holds has nothing to undo
}

Released Ledger::release(const AttachmentKey& key, Instant now) {
  tombstones_.add(key, now);
  return give_back(key, now, true);
}

Released Ledger::give_back(const AttachmentKey& key, Instant now, bool cool) {
  Released released{key, {}};
  const auto it = held_.find(key);
  if (it == held_.end()) return released;
  released.addresses = it->second.allocation.addresses;
  for (const IpAddr& address : released.addresses) {
    Entry& entry = entries_.at(address);
    entry.use = Use::kIdle;
    entry.holder = {};
    if (cool) entry.since = now;
    index(address, entry);
    touch(address);
  }
  held_.erase(it);
  stale_.erase(key);
  dirty_attachments_.insert(key);
  return released;
}

std::vector<AttachmentKey> Ledger::keys_not_in(
    const std::string& network, const std::set<AttachmentKey>& keep) const {
  std::vector<AttachmentKey> keys;
  for (const auto& [key, held] : held_) {
    if (key.network == network && !keep.contains(key)) keys.push_back(key);
  }
  return keys;
}

std::vector<Released> Ledger::release_all_but(
    const std::string& network, const std::set<AttachmentKey>& keep,
    Instant now) {
  std::vector<Released> released;
  for (const AttachmentKey& key : keys_not_in(network, keep)) {
    released.push_back(give_back(key, now, true));
  }
  return released;
}

Result<void> Ledger::hold_from_kernel(const IpAddr& address,
                                      const std::optional<AttachmentKey>& key,
                                      const std::string& alias) {
  const auto [it, is_new] = entries_.try_emplace(address);
  Entry& entry = it->second;
  if (is_new) {
    entry.source = "kernel";
    entry.draining = true;
  }
  if (entry.use == Use::kHeld) {
    if (!key || entry.holder == *key) return {};
    return make_error(Code::kStateMismatch,
                      "address {} is held by {}, but the kernel shows it on {}",
                      address.to_string(), text(entry.holder), alias);
  }
  unindex(address, entry);
  touch(address);
  if (!key) {
    entry.use = Use::kReserved;
    entry.note = alias;
    return {};
  }
  entry.use = Use::kHeld;
  entry.holder = *key;
  entry.note.clear();
  Held& held = held_[*key];
  held.attachment.key = *key;
  Picks& addresses = held.allocation.addresses;
  addresses.insert(
      std::upper_bound(addresses.begin(), addresses.end(), address), address);
  held.allocation.source = entries_.at(addresses.front()).source;
  dirty_attachments_.insert(*key);
  return {};
}

void Ledger::release_reserved(const IpAddr& address, Instant now) {
  const auto it = entries_.find(address);
  if (it == entries_.end() || it->second.use != Use::kReserved) return;
  it->second.use = Use::kIdle;
  it->second.note.clear();
  it->second.since = now;
  index(address, it->second);
  touch(address);
}

void Ledger::confirm(const AttachmentKey& key) {
  if (stale_.erase(key) > 0) dirty_attachments_.insert(key);
}

}  // namespace linsey::ipam
