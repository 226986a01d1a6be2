// The other side of the server: what a test or the lab does to it.
#include <utility>

#include "lab/api/server.h"

namespace linsey::lab::api {

void Server::add_type(ResourceType type) {
  const std::lock_guard lock(mutex_);
  types_.add(std::move(type));
}

void Server::add_token(const std::string& token, User user) {
  const std::lock_guard lock(mutex_);
  access_.add(token, std::move(user));
}

void Server::revoke_token(const std::string& token) {
  const std::lock_guard lock(mutex_);
  access_.revoke(token);
}

void Server::push_fault(const Fault& fault, int times) {
  const std::lock_guard lock(mutex_);
  faults_.push(fault, times);
}

void Server::set_down(bool down) {
  const std::lock_guard lock(mutex_);
  down_ = down;
  changed_.notify_all();
}

bool Server::down() {
  const std::lock_guard lock(mutex_);
  return down_;
}

void Server::set_silent(bool silent) {
  const std::lock_guard lock(mutex_);
  silent_ = silent;
  changed_.notify_all();
}

bool Server::silent() {
  const std::lock_guard lock(mutex_);
  return silent_;
}

void Server::expire() {
  const std::lock_guard lock(mutex_);
  store_.forget_history();
  verbs_.forget_pages();
  changed_.notify_all();
}

void Server::bookmark() {
  const std::lock_guard lock(mutex_);
  ++bookmarks_;
  changed_.notify_all();
}

void Server::set_page_size(std::size_t size) {
  const std::lock_guard lock(mutex_);
  verbs_.set_page_limit(size);
}

int Server::put(const std::string& path, const Json& object) {
  const std::lock_guard lock(mutex_);
  const Result<Target> target = types_.find(path);
  if (!target || target->name.empty()) return 404;
  const Place place{target->type->path(), target->name_space, target->name};
  const ObjectPtr before = store_.find(place);
  Json stored = object;
  Json& metadata = stored["metadata"];
  metadata["name"] = target->name;
  if (target->type->namespaced) metadata["namespace"] = target->name_space;
  if (before) {
    metadata["uid"] = metadata_text(*before, "uid");
    metadata["creationTimestamp"] = metadata_text(*before, "creationTimestamp");
  } else {
    metadata["uid"] = make_uid();
    metadata["creationTimestamp"] = timestamp();
  }
  if (target->type->custom && !metadata.contains("generation")) {
    metadata["generation"] = 1;
  }
  stored["apiVersion"] = target->type->api_version();
  stored["kind"] = target->type->kind;
  if (target->type->plural == "customresourcedefinitions") {
    types_.define(stored);
  }
  (void)store_.put(place, std::move(stored));
  changed_.notify_all();
  return before ? 200 : 201;
}

int Server::erase(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Result<Target> target = types_.find(path);
  if (!target) return 404;
  const Place place{target->type->path(), target->name_space, target->name};
  if (!store_.find(place)) return 404;
  (void)store_.erase(place);
  changed_.notify_all();
  return 200;
}

Json Server::at(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Result<Target> target = types_.find(path);
  if (!target) return {};
  const ObjectPtr found =
      store_.find({target->type->path(), target->name_space, target->name});
  return found ? *found : Json();
}

std::vector<CallRecord> Server::calls() {
  const std::lock_guard lock(mutex_);
  return counters_.calls();
}

std::size_t Server::count(const std::string& method,
                          const std::string& prefix) {
  const std::lock_guard lock(mutex_);
  return counters_.count(method, prefix);
}

void Server::forget_calls() {
  const std::lock_guard lock(mutex_);
  counters_.forget();
}

Json Server::counters() {
  const std::lock_guard lock(mutex_);
  return counters_.to_json();
}

}  // namespace linsey::lab::api
