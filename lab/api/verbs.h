// Verbs: create, get, list, update, patch and delete with the real server's
// rules: who may change which half of an object, what a stale or missing
// resourceVersion means, finalizers, preconditions, pages.
//
// Admission is asked last, with the object as it would be stored.
// Thread: the server's, under its mutex.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lab/api/resource_type.h"
#include "lab/api/store.h"
#include "lab/api/types.h"

namespace linsey::lab::api {

/// What admission is asked about; pointers are null where there is nothing.
struct Attempt {
  std::string operation;  // CREATE, UPDATE, DELETE
  const Target* target = nullptr;
  const User* user = nullptr;
  const Json* object = nullptr;
  const Json* old_object = nullptr;
};
using Admission = std::function<Result<void>(const Attempt&)>;

class Verbs {
 public:
  Verbs(Store& store, ResourceTypes& types, Admission admission)
      : store_(store), types_(types), admission_(std::move(admission)) {}

  Result<Json> get(const Target& target) const;
  Result<Json> list(const Target& target, const Call& call);
  Result<Json> create(const Target& target, const User& user, Json object);
  Result<Json> update(const Target& target, const User& user, Json object);
  /// JSON merge patch, JSON patch, and strategic merge patch of built-in types
  /// as far as conditions and addresses go.
  Result<Json> patch(const Target& target, const User& user, const Call& call,
                     const Json& change);
  Result<Json> remove(const Target& target, const User& user,
                      const Json& options);
  Result<Json> remove_all(const Target& target, const User& user,
                          const Call& call);

  void set_page_limit(std::size_t size) { page_limit_ = size; }
  void forget_pages() { pages_.clear(); }

 private:
  struct Page {
    std::uint64_t version = 0;
    std::vector<ObjectPtr> rest;
  };

  Result<Json> replace(const Target& target, const User& user,
                       const Json& before, Json after);
  Result<void> check(const ResourceType& type, Json& object, const Json* old);
  Result<void> check_namespace(const Target& target) const;
  Result<Page> page_of(const Target& target, const Call& call);
  Json erase(const Place& place, const ResourceType& type);
  Json keep(const Place& place, const ResourceType& type, Json object);

  Store& store_;
  ResourceTypes& types_;
  Admission admission_;
  std::size_t page_limit_ = 100000;  // of the server, beside the client's
  std::deque<std::pair<std::string, Page>> pages_;  // by continue token
};

}  // namespace linsey::lab::api
