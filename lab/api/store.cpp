#include "lab/api/store.h"

#include <algorithm>
#include <utility>

namespace linsey::lab::api {

ObjectPtr Store::find(const Place& place) const {
  const auto type = objects_.find(place.type);
  if (type == objects_.end()) return nullptr;
  const auto at = type->second.find({place.name_space, place.name});
  return at == type->second.end() ? nullptr : at->second;
}

std::vector<ObjectPtr> Store::all(const std::string& type,
                                  const std::string& ns) const {
  std::vector<ObjectPtr> out;
  const auto found = objects_.find(type);
  if (found == objects_.end()) return out;
  for (const auto& [key, object] : found->second) {
    if (ns.empty() || key.first == ns) out.push_back(object);
  }
  return out;
}

ObjectPtr Store::put(const Place& place, Json object) {
  object["metadata"]["resourceVersion"] = std::to_string(++version_);
  auto stored = std::make_shared<const Json>(std::move(object));
  ObjectPtr& at = objects_[place.type][{place.name_space, place.name}];
  if (!at) ++count_;
  record({version_, place.type, place.name_space, at, stored, stored});
  at = stored;
  return stored;
}

ObjectPtr Store::erase(const Place& place) {
  auto& objects = objects_[place.type];
  const auto at = objects.find({place.name_space, place.name});
  Json gone = *at->second;
  gone["metadata"]["resourceVersion"] = std::to_string(++version_);
  auto last = std::make_shared<const Json>(std::move(gone));
  record({version_, place.type, place.name_space, at->second, nullptr, last});
  objects.erase(at);
  --count_;
  return last;
}

void Store::record(Change change) {
  history_.push_back(std::move(change));
  if (history_.size() <= limit_) return;
  oldest_ = history_.front().version;
  history_.pop_front();
}

std::optional<std::vector<Change>> Store::since(std::uint64_t version,
                                                std::size_t limit) const {
  if (!remembers(version)) return std::nullopt;
  const auto first =
      std::ranges::upper_bound(history_, version, {}, &Change::version);
  const auto left = static_cast<std::size_t>(history_.end() - first);
  return std::vector<Change>(
      first, first + static_cast<std::ptrdiff_t>(std::min(left, limit)));
}

void Store::forget_history() {
  history_.clear();
  oldest_ = ++version_;
}

}  // namespace linsey::lab::api
