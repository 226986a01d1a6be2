#include "ipam/tombstones.h"

namespace linsey::ipam {

void Tombstones::add(const AttachmentKey& key, Instant now) {
  const auto known = by_key_.find(key);
  if (known != by_key_.end()) {
    const auto [from, to] = by_age_.equal_range(known->second);
    for (auto it = from; it != to; ++it) {
      if (it->second != key) continue;
      by_age_.erase(it);
      break;
    }
  }
  by_key_[key] = now;
  by_age_.emplace(now, key);
  while (by_key_.size() > limit_ || by_age_.begin()->first + life_ < now) {
    erase_oldest();
  }
}

void Tombstones::erase_oldest() {
  by_key_.erase(by_age_.begin()->second);
  by_age_.erase(by_age_.begin());
}

bool Tombstones::overtakes(const AttachmentKey& key,
                           std::optional<Instant> asked_at, Instant now) const {
  const auto it = by_key_.find(key);
  if (it == by_key_.end() || it->second + life_ < now) return false;
  return !asked_at || *asked_at <= it->second;
}

}  // namespace linsey::ipam
