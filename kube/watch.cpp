#include "kube/watch.h"

#include <algorithm>
#include <utility>

namespace linsey::kube {
namespace {

using std::chrono::milliseconds;

std::string metadata_text(const Json& object, const char* key) {
  const Json* metadata = find_member(object, "metadata");
  if (metadata == nullptr) return {};
  const Json* value = find_member(*metadata, key);
  return value != nullptr && value->is_string() ? value->get<std::string>()
                                                : std::string();
}

/// Objects are told apart by uid: one deleted and made anew under the same
/// name between two lists is two objects.
std::string key_of(const Json& object) {
  return metadata_text(object, "uid");
}

Error status_of(const Json& object) {
  const Response response{.status = object.value("code", 500),
                          .body = dump_json(object)};
  const Request request{.method = "WATCH"};
  const Result<Json> error = read_reply(request, response);
  return error ? make_error(Code::kApiBadReply, "watch: unreadable error")
               : error.error();
}

}  // namespace

Watch::Watch(Transport& transport, WatchOptions options, Sink sink)
    : transport_(transport),
      client_(transport),
      options_(std::move(options)),
      sink_(std::move(sink)),
      backoff_(options_.seed, options_.backoff) {}

void Watch::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
}

void Watch::wait(milliseconds time) {
  std::unique_lock lock(mutex_);
  (void)wake_.wait_for(lock, time, [this] { return stop_.load(); });
}

void Watch::run() {
  while (!stop_) {
    Result<void> done = version_.empty() ? list() : Result<void>{};
    if (done) done = follow();
    if (stop_) return;
    if (done) {
      // A server that ends watches without a word would keep us spinning.
      if (!spoke_) wait(options_.backoff.first);
      continue;
    }
    if (done.error().code == Code::kApiExpired) {
      version_.clear();
      // A second 410 in a row is a server in trouble: back off then.
      if (backoff_.tries() == 0) {
        (void)backoff_.next(done.error());
        continue;
      }
    }
    if (!stale_told_) sink_.stale(done.error());
    stale_told_ = true;
    current_told_ = false;
    wait(backoff_.next(done.error()));
  }
}

Result<void> Watch::list() {
  List found =
      TRY(client_.list(options_.type, options_.name_space, options_.which));
  ++lists_;
  std::map<std::string, std::pair<std::string, Json>> before;
  before.swap(known_);
  std::vector<Event> events;
  for (Json& object : found.items) {
    const std::string key = key_of(object);
    const std::string version = metadata_text(object, "resourceVersion");
    const auto old = before.find(key);
    if (old == before.end()) {
      events.push_back({Change::kAdded, object});
    } else {
      if (old->second.first != version) {
        events.push_back({Change::kModified, object});
      }
      before.erase(old);
    }
    known_[key] = {version, std::move(object)};
  }
  for (auto& [key, gone] : before) {
    events.push_back({Change::kDeleted, std::move(gone.second)});
  }
  version_ = found.resource_version;
  // Deletions first: a name that came back must not be told gone afterwards.
  (void)std::stable_partition(
      events.begin(), events.end(),
      [](const Event& event) { return event.change == Change::kDeleted; });
  if (!events.empty()) sink_.changed(std::move(events));
  current();
  return {};
}

/// Said after a list, and at the first word of a resumed watch: only then is
/// it known that nothing was missed.
void Watch::current() {
  if (current_told_) return;
  current_told_ = true;
  stale_told_ = false;
  sink_.synced();
}

Result<void> Watch::follow() {
  const auto spread = std::hash<std::string>{}(version_) + options_.seed;
  const auto lifetime =
      options_.lifetime +
      std::chrono::seconds(spread % static_cast<std::uint64_t>(
                                        options_.lifetime.count() / 2 + 1));
  std::string path = options_.type.path(options_.name_space) +
                     "?watch=1&allowWatchBookmarks=true&resourceVersion=" +
                     percent_encode(version_) +
                     "&timeoutSeconds=" + std::to_string(lifetime.count());
  if (!options_.which.label_selector.empty()) {
    path += "&labelSelector=" + percent_encode(options_.which.label_selector);
  }
  if (!options_.which.field_selector.empty()) {
    path += "&fieldSelector=" + percent_encode(options_.which.field_selector);
  }
  const Request request{.path = std::move(path),
                        .timeout = lifetime + std::chrono::seconds(30)};
  ++resumes_;
  spoke_ = false;

  std::optional<Error> broken;
  const auto on_line = [&](std::string_view text) {
    std::vector<Event> events;
    const Result<void> read = line(text, events);
    if (!events.empty()) sink_.changed(std::move(events));
    if (!read) broken = read.error();
    return read.has_value() && !stop_;
  };
  const Response response = TRY(transport_.stream(request, on_line, stop_));
  if (broken) return *broken;
  if (response.status != 200) return read_reply(request, response).error();
  return {};
}

Result<void> Watch::line(std::string_view text, std::vector<Event>& events) {
  Json event = TRY(parse_json(text));
  const std::string type = event.value("type", "");
  const auto object = event.find("object");
  if (object == event.end() || !object->is_object()) {
    return make_error(Code::kApiBadReply, "watch: an event without an object");
  }
  if (type == "ERROR") return status_of(*object);
  backoff_.reset();
  spoke_ = true;
  current();
  version_ = metadata_text(*object, "resourceVersion");
  if (type == "ADDED") apply({Change::kAdded, std::move(*object)}, events);
  if (type == "MODIFIED") {
    apply({Change::kModified, std::move(*object)}, events);
  }
  if (type == "DELETED") apply({Change::kDeleted, std::move(*object)}, events);
  return {};  // BOOKMARK only moves the version
}

void Watch::apply(Event event, std::vector<Event>& events) {
  const std::string key = key_of(event.object);
  const std::string version = metadata_text(event.object, "resourceVersion");
  if (event.change == Change::kDeleted) {
    if (known_.erase(key) == 0) return;
  } else {
    const auto [at, fresh] = known_.try_emplace(key, version, event.object);
    if (!fresh && at->second.first == version) return;  // told before
    at->second = {version, event.object};
    event.change = fresh ? Change::kAdded : Change::kModified;
  }
  events.push_back(std::move(event));
}

}  // namespace linsey::kube
