#include "tests/support/fake_api.h"

#include <algorithm>
#include <utility>

#include "base/json.h"

namespace linsey::tests {
namespace {

using kube::Request;
using kube::Response;

Response status_reply(int status, const std::string& reason,
                      const std::string& message) {
  const Json body = {{"kind", "Status"},
                     {"status", "Failure"},
                     {"reason", reason},
                     {"message", message},
                     {"code", status}};
  return {.status = status, .body = dump_json(body)};
}

Response ok(const Json& object, int status = 200) {
  return {.status = status, .body = dump_json(object)};
}

std::string query_value(const std::string& query, const std::string& key) {
  std::string value;
  std::size_t start = 0;
  while (start < query.size()) {
    const auto end = std::min(query.find('&', start), query.size());
    const std::string part = query.substr(start, end - start);
    if (part.rfind(key + "=", 0) == 0) value = part.substr(key.size() + 1);
    start = end + 1;
  }
  std::string plain;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '%' && i + 2 < value.size()) {
      plain +=
          static_cast<char>(std::stoi(value.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      plain += value[i];
    }
  }
  return plain;
}

/// Equality terms on labels and on metadata.name, spec.nodeName: the only
/// selectors that Linsey sends.
bool selected(const Json& object, const std::string& labels,
              const std::string& fields) {
  const auto matches = [](const std::string& text, const auto& value_of) {
    std::size_t start = 0;
    while (start < text.size()) {
      const auto end = std::min(text.find(',', start), text.size());
      const std::string term = text.substr(start, end - start);
      const auto equal = term.find('=');
      if (value_of(term.substr(0, equal)) != term.substr(equal + 1)) {
        return false;
      }
      start = end + 1;
    }
    return true;
  };
  const Json none = Json::object();
  const Json& meta = object.contains("metadata") ? object["metadata"] : none;
  const Json own = meta.value("labels", none);
  return matches(labels,
                 [&](const std::string& k) { return own.value(k, ""); }) &&
         matches(fields, [&](const std::string& k) {
           if (k == "metadata.name") return meta.value("name", std::string());
           const Json& spec = object.contains("spec") ? object["spec"] : none;
           return spec.value(k.substr(k.find('.') + 1), std::string());
         });
}

bool below(const std::string& path, const std::string& collection) {
  // A collection of all namespaces also holds "/api/v1/namespaces/N/pods/p".
  if (path.rfind(collection + "/", 0) == 0) return true;
  const auto slash = collection.rfind('/');
  const std::string base = collection.substr(0, slash) + "/namespaces/";
  if (path.rfind(base, 0) != 0) return false;
  const auto after = path.find('/', base.size());
  const std::string plural = collection.substr(slash) + "/";
  return after != std::string::npos &&
         path.compare(after, plural.size(), plural) == 0;
}

std::string parent_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

class FakeTransport final : public kube::Transport {
 public:
  explicit FakeTransport(FakeApi& api) : api_(api) {}
  Result<Response> send(const Request& request) override {
    ++traffic_.requests;
    traffic_.sent += request.path.size() + request.body.size();
    Result<Response> reply = api_.serve(request);
    if (reply) traffic_.received += reply->body.size();
    return reply;
  }
  Result<Response> stream(const Request& request,
                          const std::function<bool(std::string_view)>& on_line,
                          const std::atomic<bool>& stop) override {
    ++traffic_.requests;
    return api_.watch(request, on_line, stop);
  }
  kube::Traffic traffic() const override { return traffic_; }

 private:
  FakeApi& api_;
  kube::Traffic traffic_;
};

}  // namespace

std::unique_ptr<kube::Transport> FakeApi::connect() {
  return std::make_unique<FakeTransport>(*this);
}

void FakeApi::push_fault(Fault fault, int times) {
  const std::lock_guard lock(mutex_);
  faults_.insert(faults_.end(), static_cast<std::size_t>(times), fault);
}

void FakeApi::set_down(bool down) {
  const std::lock_guard lock(mutex_);
  down_ = down;
  changed_.notify_all();
}

void FakeApi::expire() {
  const std::lock_guard lock(mutex_);
  history_.clear();
  oldest_ = ++version_;
  changed_.notify_all();
}

void FakeApi::bookmark() {
  const std::lock_guard lock(mutex_);
  ++bookmarks_;
  changed_.notify_all();
}

void FakeApi::set_page_size(std::size_t size) {
  const std::lock_guard lock(mutex_);
  page_size_ = size;
}

std::vector<FakeApi::Call> FakeApi::calls() {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::size_t FakeApi::count(const std::string& method,
                           const std::string& prefix) {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::ranges::count_if(calls_, [&](const Call& call) {
        return call.method == method && call.path.rfind(prefix, 0) == 0;
      }));
}

int FakeApi::put(const std::string& path, const Json& object) {
  const std::lock_guard lock(mutex_);
  if (objects_.contains(path)) {
    Json forced = object;
    forced["metadata"].erase("resourceVersion");
    return replace(path, std::move(forced)).status;
  }
  return create(parent_of(path), object).status;
}

int FakeApi::erase(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return remove(path, Json::object()).status;
}

Json FakeApi::at(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto it = objects_.find(path);
  return it == objects_.end() ? Json() : it->second;
}

void FakeApi::record(const std::string& type, const std::string& path,
                     const Json& object) {
  history_.push_back({version_, type, path, object});
  changed_.notify_all();
}

Response FakeApi::create(const std::string& path, Json object) {
  const std::string name =
      object.value("metadata", Json::object()).value("name", "");
  if (name.empty()) return status_reply(422, "Invalid", "name is required");
  const std::string at = path + "/" + name;
  if (objects_.contains(at)) {
    return status_reply(409, "AlreadyExists", name + " already exists");
  }
  object["metadata"]["uid"] = "uid-" + std::to_string(next_uid_++);
  object["metadata"]["resourceVersion"] = std::to_string(++version_);
  objects_[at] = object;
  record("ADDED", at, object);
  return ok(object, 201);
}

Response FakeApi::replace(const std::string& path, Json object) {
  const auto it = objects_.find(path);
  if (it == objects_.end()) return status_reply(404, "NotFound", path);
  const Json& meta = it->second["metadata"];
  const std::string sent =
      object.value("metadata", Json::object()).value("resourceVersion", "");
  if (!sent.empty() && sent != meta["resourceVersion"]) {
    return status_reply(409, "Conflict", "the object has been modified");
  }
  object["metadata"]["uid"] = meta["uid"];
  object["metadata"]["resourceVersion"] = std::to_string(++version_);
  it->second = object;
  record("MODIFIED", path, object);
  return ok(object);
}

Response FakeApi::merge(const std::string& path, const Json& change) {
  const auto it = objects_.find(path);
  if (it == objects_.end()) return status_reply(404, "NotFound", path);
  Json merged = it->second;
  merged.merge_patch(change);
  return replace(path, std::move(merged));
}

Response FakeApi::remove(const std::string& path, const Json& options) {
  const auto it = objects_.find(path);
  if (it == objects_.end()) return status_reply(404, "NotFound", path);
  const Json wanted = options.value("preconditions", Json::object());
  for (const char* key : {"uid", "resourceVersion"}) {
    const std::string value = wanted.value(key, "");
    if (!value.empty() && value != it->second["metadata"][key]) {
      return status_reply(409, "Conflict", "precondition failed");
    }
  }
  Json gone = it->second;
  gone["metadata"]["resourceVersion"] = std::to_string(++version_);
  objects_.erase(it);
  record("DELETED", path, gone);
  return ok(gone);
}

Response FakeApi::list(const std::string& path, const std::string& query) {
  const std::string labels = query_value(query, "labelSelector");
  const std::string fields = query_value(query, "fieldSelector");
  const std::string from = query_value(query, "continue");
  Json items = Json::array();
  std::string next;
  for (const auto& [at, object] : objects_) {
    if (!below(at, path) || at <= from) continue;
    if (!selected(object, labels, fields)) continue;
    if (items.size() == page_size_) {
      next = items.back()["__at"];
      break;
    }
    items.push_back(object);
    items.back()["__at"] = at;
  }
  for (Json& item : items) {
    item.erase("__at");
  }
  return ok(
      {{"metadata",
        {{"resourceVersion", std::to_string(version_)}, {"continue", next}}},
       {"items", items}});
}

Response FakeApi::act(const Request& request, const std::string& path,
                      const std::string& query) {
  const Result<Json> body = request.body.empty() ? Result<Json>(Json::object())
                                                 : parse_json(request.body);
  if (!body) return status_reply(400, "BadRequest", "not JSON");
  if (request.method == "POST") return create(path, *body);
  if (request.method == "PUT") return replace(path, *body);
  if (request.method == "DELETE") return remove(path, *body);
  if (request.method == "PATCH") {
    const bool status = path.ends_with("/status");
    return merge(status ? parent_of(path) : path, *body);
  }
  if (path == "/version") return ok({{"gitVersion", "v0.0.0-fake"}});
  if (query.find("limit=") != std::string::npos) return list(path, query);
  const auto it = objects_.find(path);
  if (it == objects_.end()) return status_reply(404, "NotFound", path);
  return ok(it->second);
}

Result<Response> FakeApi::serve(const Request& request) {
  const std::lock_guard lock(mutex_);
  const auto mark = request.path.find('?');
  const std::string path = request.path.substr(0, mark);
  const std::string query =
      mark == std::string::npos ? "" : request.path.substr(mark + 1);
  calls_.push_back({request.method, path});
  Fault fault;
  if (!faults_.empty()) {
    fault = faults_.front();
    faults_.pop_front();
  }
  if (down_ || fault.unreachable) {
    return make_error(Code::kApiUnavailable, "connection refused");
  }
  if (fault.status != 0) {
    Response reply = status_reply(fault.status, fault.reason, "fault");
    if (fault.retry_after != 0) {
      reply.headers["retry-after"] = std::to_string(fault.retry_after);
    }
    return reply;
  }
  Response reply = act(request, path, query);
  if (fault.reply_lost) {
    return make_error(Code::kApiUnavailable, "connection reset");
  }
  return reply;
}

Result<Response> FakeApi::watch(
    const Request& request,
    const std::function<bool(std::string_view)>& on_line,
    const std::atomic<bool>& stop) {
  const auto mark = request.path.find('?');
  const std::string path = request.path.substr(0, mark);
  const std::string query = request.path.substr(mark + 1);
  const std::string labels = query_value(query, "labelSelector");
  const std::string fields = query_value(query, "fieldSelector");
  std::uint64_t seen = std::stoull(query_value(query, "resourceVersion"));
  std::unique_lock lock(mutex_);
  calls_.push_back({"WATCH", path});
  std::uint64_t bookmarks = bookmarks_;
  while (true) {
    if (down_) return make_error(Code::kApiUnavailable, "connection reset");
    if (stop) return Response{.status = 200};
    if (seen < oldest_) return status_reply(410, "Expired", "too old");
    std::vector<std::string> lines;
    for (const Change& change : history_) {
      if (change.version <= seen) continue;
      seen = change.version;
      if (!below(change.path, path)) continue;
      if (!selected(change.object, labels, fields)) continue;
      lines.push_back(
          dump_json({{"type", change.type}, {"object", change.object}}));
    }
    if (bookmarks != bookmarks_) {
      bookmarks = bookmarks_;
      seen = version_;
      const Json metadata = {{"resourceVersion", std::to_string(seen)}};
      lines.push_back(dump_json(
          {{"type", "BOOKMARK"}, {"object", {{"metadata", metadata}}}}));
    }
    lock.unlock();
    for (const std::string& line : lines) {
      if (!on_line(line)) return Response{.status = 200};
    }
    lock.lock();
    // Stop is polled: the flag is the client's and wakes nobody here.
    (void)changed_.wait_for(lock, std::chrono::milliseconds(5));
  }
}

}  // namespace linsey::tests
