#include <algorithm>
#include <set>

#include "line/plan.h"

namespace linsey::line {

void Numbers::take(const Key& key, std::uint32_t minor) {
  minors_[key] = minor;
  next_ = std::max(next_, minor + 1);
}

void Numbers::update(const std::vector<Pod>& pods) {
  std::set<Key> wanted;
  for (const Pod& pod : pods) {
    if (!pod.addresses.empty()) wanted.emplace(pod.addresses.front(), pod.cls);
  }
  std::set<std::uint32_t> used;
  std::erase_if(minors_, [&](const auto& entry) {
    used.insert(entry.second);
    return !wanted.contains(entry.first);
  });
  for (const Key& key : wanted) {
    if (minors_.contains(key)) continue;
    if (used.size() >= kLastPodMinor - kFirstPodMinor) return;
    do {
      if (next_ > kLastPodMinor) next_ = kFirstPodMinor;
    } while (used.contains(next_) && ++next_ != 0);
    minors_[key] = next_;
    used.insert(next_++);
  }
}

std::uint32_t Numbers::of(const Pod& pod) const {
  if (pod.addresses.empty()) return 0;
  const auto found = minors_.find({pod.addresses.front(), pod.cls});
  return found == minors_.end() ? 0 : found->second;
}

bool is_nic(const std::vector<std::string>& patterns, std::string_view link) {
  return std::ranges::any_of(patterns, [link](const std::string& pattern) {
    if (!pattern.ends_with('*')) return pattern == link;
    return link.starts_with(
        std::string_view(pattern).substr(0, pattern.size() - 1));
  });
}

}  // namespace linsey::line
