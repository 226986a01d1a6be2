// Store: the objects and the order in which they changed.
//
// One counter numbers every change of every type, as etcd's revision does;
// an object's resourceVersion is the number of its last change. The history
// is what watches are fed from: it is bounded, and a watch that asks for more
// gets 410. A paged list keeps its snapshot until the history passes it.
// Thread: the server's, under its mutex.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lab/api/types.h"

namespace linsey::lab::api {

/// Where an object stands: its type's path, namespace and name.
struct Place {
  std::string type;  // "/apis/linsey.dev/v1/ipblocks"
  std::string name_space;
  std::string name;
};

struct Change {
  std::uint64_t version = 0;
  std::string type;
  std::string name_space;
  ObjectPtr before;  // null: added
  ObjectPtr after;   // null: deleted
  ObjectPtr last;    // what a watch is told when it is gone
};

class Store {
 public:
  explicit Store(std::size_t history_limit) : limit_(history_limit) {}

  /// nullptr when there is none.
  ObjectPtr find(const Place& place) const;
  /// In the order of namespace and name; `ns` empty: of all namespaces.
  std::vector<ObjectPtr> all(const std::string& type,
                             const std::string& ns) const;
  /// Creates or replaces; sets the resourceVersion.
  ObjectPtr put(const Place& place, Json object);
  /// Returns the object as its last watchers see it.
  ObjectPtr erase(const Place& place);

  std::uint64_t version() const { return version_; }
  /// Changes after `version`, oldest first; nullopt when some are forgotten.
  /// `limit` bounds how many are looked at.
  std::optional<std::vector<Change>> since(std::uint64_t version,
                                           std::size_t limit = 1000) const;
  /// Forgets all history: whoever is behind gets 410.
  void forget_history();
  bool remembers(std::uint64_t version) const { return version >= oldest_; }
  std::size_t size() const { return count_; }

 private:
  using Key = std::pair<std::string, std::string>;  // namespace, name
  void record(Change change);

  std::size_t limit_;
  std::map<std::string, std::map<Key, ObjectPtr>> objects_;
  std::deque<Change> history_;
  std::uint64_t version_ = 100;
  std::uint64_t oldest_ = 100;  // what a watch may resume from
  std::size_t count_ = 0;
};

}  // namespace linsey::lab::api
