#include "lab/api/server.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "lab/api/policy.h"

namespace linsey::lab::api {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTick{50};
constexpr const char* kVersion = "v1.34.0-linsey-lab";

std::uint64_t number_of(const std::string& text) {
  std::uint64_t number = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string event_line(const char* type, const Json& object) {
  return dump_json({{"type", type}, {"object", object}});
}

std::string verb_of(const Call& call, const Target& target) {
  const bool all = target.name.empty();
  if (call.method == "POST") return "create";
  if (call.method == "PUT") return "update";
  if (call.method == "PATCH") return "patch";
  if (call.method == "DELETE") return all ? "deletecollection" : "delete";
  if (!call.option("watch").empty()) return "watch";
  return all ? "list" : "get";
}

/// A collection narrowed to one name counts as that name in RBAC.
Target named(Target target, const Call& call) {
  constexpr std::string_view kByName = "metadata.name=";
  const std::string fields = call.option("fieldSelector");
  if (target.name.empty() && fields.starts_with(kByName) &&
      fields.find(',') == std::string::npos) {
    target.name = fields.substr(kByName.size());
  }
  return target;
}

Served refusal(const Error& error) {
  return {.response = reply_of(error)};
}

class InProcess final : public kube::Transport {
 public:
  InProcess(Server& server, std::string token)
      : server_(server), token_(std::move(token)) {}

  Result<kube::Response> send(const kube::Request& request) override {
    ++traffic_.requests;
    traffic_.sent += request.path.size() + request.body.size();
    Result<kube::Response> reply = result_of(server_.serve(call_of(request)));
    if (reply) traffic_.received += reply->body.size();
    return reply;
  }

  Result<kube::Response> stream(
      const kube::Request& request,
      const std::function<bool(std::string_view)>& on_line,
      const std::atomic<bool>& stop) override {
    ++traffic_.requests;
    traffic_.sent += request.path.size();
    const Listener to{.line =
                          [&](std::string_view line) {
                            traffic_.received += line.size() + 1;
                            return on_line(line);
                          },
                      .alive = [&] { return !stop; }};
    return result_of(server_.watch(call_of(request), to));
  }

  kube::Traffic traffic() const override { return traffic_; }

 private:
  Call call_of(const kube::Request& request) const {
    Call call{.method = request.method,
              .content_type = request.content_type,
              .body = request.body,
              .token = token_};
    read_target(request.path, call);
    return call;
  }

  static Result<kube::Response> result_of(Served served) {
    if (served.fate == Served::Fate::kDrop) {
      return make_error(Code::kApiUnavailable, "connection reset");
    }
    if (served.fate == Served::Fate::kHang) {
      return make_error(Code::kTimeout, "no reply within the time limit");
    }
    return std::move(served.response);
  }

  Server& server_;
  std::string token_;
  kube::Traffic traffic_;
};

}  // namespace

/// One watch: what it wants and how far it has been told.
struct Server::Following {
  std::string type;
  std::string name_space;
  std::string kind;
  std::string api_version;
  Selection which;
  std::uint64_t seen = 0;  // how far the history was read
  std::uint64_t told = 0;  // the version that the client knows
  std::uint64_t bookmarks = 0;
  bool wants_bookmarks = false;
  Clock::time_point end;
  Clock::time_point next_bookmark;
  std::vector<std::string> lines;

  void tell(const Change& change) {
    seen = change.version;
    if (change.type != type) return;
    if (!name_space.empty() && change.name_space != name_space) return;
    const bool before = change.before && which.matches(*change.before);
    const bool after = change.after && which.matches(*change.after);
    if (before || after) told = change.version;
    if (after) {
      lines.push_back(event_line(before ? "MODIFIED" : "ADDED", *change.after));
    } else if (before) {
      lines.push_back(event_line("DELETED", *change.last));
    }
  }

  void tell_bookmark(std::uint64_t version) {
    if (version <= told) return;
    seen = told = version;
    lines.push_back(event_line(
        "BOOKMARK",
        {{"kind", kind},
         {"apiVersion", api_version},
         {"metadata", {{"resourceVersion", std::to_string(version)}}}}));
  }
};

Server::Server(ServerOptions options)
    : options_(options),
      store_(options.history),
      verbs_(store_, types_, [this](const Attempt& attempt) {
        return admitted(store_, attempt);
      }) {
  for (const char* name : {"default", "kube-system"}) {
    (void)store_.put({"/api/v1/namespaces", "", name},
                     {{"apiVersion", "v1"},
                      {"kind", "Namespace"},
                      {"metadata", {{"name", name}, {"uid", make_uid()}}}});
  }
}

std::unique_ptr<kube::Transport> Server::connect(std::string token) {
  return std::make_unique<InProcess>(*this, std::move(token));
}

bool Server::is_watch(const Call& call) const {
  const std::string wanted = call.option("watch");
  return call.method == "GET" && (wanted == "1" || wanted == "true");
}

/// The fate of a request that does not come to act, or must not be answered.
std::optional<Served> Server::met_fault(const Call& call, Fault& fault) {
  const std::string method = is_watch(call) ? "WATCH" : call.method;
  if (down_) return Served{.fate = Served::Fate::kDrop};
  if (silent_) return Served{.fate = Served::Fate::kHang};
  const std::optional<Fault> met = faults_.take(method, call.path);
  if (!met) return std::nullopt;
  fault = *met;
  if (fault.hang) return Served{.fate = Served::Fate::kHang};
  if (fault.unreachable) return Served{.fate = Served::Fate::kDrop};
  if (fault.status == 0) return std::nullopt;
  const Json status = {{"kind", "Status"},
                       {"apiVersion", "v1"},
                       {"status", "Failure"},
                       {"reason", fault.reason},
                       {"message", "a fault of the simulator"},
                       {"code", fault.status}};
  Served out{.response = reply_of(status, fault.status)};
  if (fault.retry_after != 0) {
    out.response.headers["retry-after"] = std::to_string(fault.retry_after);
  }
  return out;
}

void Server::note(const Call& call, const Served& served, bool watch) {
  const Result<User> user = access_.who(call.token);
  const bool replied = served.fate == Served::Fate::kReply;
  counters_.add({.method = watch ? "WATCH" : call.method,
                 .path = call.path,
                 .status = replied ? served.response.status : 0,
                 .user = user ? user->name : ""},
                call.path.size() + call.body.size(),
                replied ? served.response.body.size() : 0);
}

Served Server::serve(const Call& call) {
  const std::lock_guard lock(mutex_);
  Fault fault;
  std::optional<Served> out = met_fault(call, fault);
  if (!out) {
    const Result<User> user = access_.who(call.token);
    const Result<Json> done =
        user ? act(call, *user) : Result<Json>(user.error());
    const bool made = call.method == "POST";
    out = done ? Served{.response = reply_of(*done, made ? 201 : 200)}
               : refusal(done.error());
    if (fault.reply_lost) out->fate = Served::Fate::kDrop;
  }
  note(call, *out, false);
  changed_.notify_all();
  return *out;
}

Result<Json> Server::act(const Call& call, const User& user) {
  if (call.path == "/version") {
    return Json{{"major", "1"}, {"minor", "34"}, {"gitVersion", kVersion}};
  }
  for (const char* health : {"/readyz", "/livez", "/healthz"}) {
    if (call.path == health) return Json("ok");
  }
  const Target target = TRY(types_.find(call.path));
  TRY(access_.may(user, verb_of(call, target), named(target, call)));
  return act_on(target, call, user);
}

Result<Json> Server::act_on(const Target& target, const Call& call,
                            const User& user) {
  if (call.method != "GET") return write(target, call, user);
  if (target.name.empty()) return verbs_.list(target, call);
  const bool known = target.subresource.empty() ||
                     (target.subresource == "status" && target.type->status);
  return known ? verbs_.get(target)
               : Result<Json>(make_error(
                     Code::kApiNotFound,
                     "the server could not find the requested resource"));
}

Result<Json> Server::write(const Target& target, const Call& call,
                           const User& user) {
  const Result<Json> body =
      call.body.empty() ? Result<Json>(Json::object()) : parse_json(call.body);
  if (!body) return bad_request("the body is no JSON: " + body.error().msg);
  const std::string& sub = target.subresource;
  if (call.method == "POST" && sub == "token" &&
      target.type->plural == "serviceaccounts") {
    return access_.make_token(target, *body);
  }
  if (!sub.empty() && !(sub == "status" && target.type->status)) {
    return make_error(Code::kApiNotFound,
                      "the server could not find the requested resource");
  }
  const bool all = target.name.empty();
  if (call.method == "POST" && all) return verbs_.create(target, user, *body);
  if (call.method == "PUT" && !all) return verbs_.update(target, user, *body);
  if (call.method == "PATCH" && !all) {
    return verbs_.patch(target, user, call, *body);
  }
  if (call.method == "DELETE" && sub.empty()) {
    return all ? verbs_.remove_all(target, user, call)
               : verbs_.remove(target, user, *body);
  }
  return refused(405, "MethodNotAllowed",
                 "the server does not allow this method on the requested "
                 "resource");
}

Result<Server::Following> Server::begin(const Call& call) {
  const User user = TRY(access_.who(call.token));
  const Target target = TRY(types_.find(call.path));
  TRY(access_.may(user, "watch", named(target, call)));
  Following one{.type = target.type->path(),
                .name_space = target.name_space,
                .kind = target.type->kind,
                .api_version = target.type->api_version()};
  one.which = TRY(Selection::read(*target.type, call));
  one.bookmarks = bookmarks_;
  one.wants_bookmarks = !call.option("allowWatchBookmarks").empty();
  const std::uint64_t seconds = number_of(call.option("timeoutSeconds"));
  one.end = Clock::now() + std::chrono::seconds(seconds == 0 ? 1800 : seconds);
  one.next_bookmark = Clock::now() + options_.bookmark_every;
  one.seen = number_of(call.option("resourceVersion"));
  one.told = one.seen;
  if (one.seen == 0) {
    one.seen = one.told = store_.version();
    for (const ObjectPtr& object : store_.all(one.type, one.name_space)) {
      if (one.which.matches(*object)) {
        one.lines.push_back(event_line("ADDED", *object));
      }
    }
  }
  return one;
}

Served Server::watch(const Call& call, const Listener& to) {
  std::unique_lock lock(mutex_);
  Fault fault;
  std::optional<Served> met = met_fault(call, fault);
  if (met) {
    note(call, *met, true);
    return *met;
  }
  Result<Following> one = begin(call);
  Served begun =
      one ? Served{.response = {.status = 200}} : refusal(one.error());
  note(call, begun, true);
  return one ? follow(*one, to, lock) : begun;
}

Served Server::follow(Following& one, const Listener& to,
                      std::unique_lock<std::mutex>& lock) {
  Served ended{.response = {.status = 200}};
  while (true) {
    if (down_) return {.fate = Served::Fate::kDrop};
    if (!silent_) {
      const auto news = store_.since(one.seen);
      if (!news) {
        one.lines.push_back(event_line(
            "ERROR", status_of(make_error(Code::kApiExpired,
                                          "too old resource version: {} ({})",
                                          one.seen, store_.version()))));
      } else {
        for (const Change& change : *news) {
          one.tell(change);
        }
      }
      const bool last = Clock::now() >= one.end;
      const bool due = bookmarks_ != one.bookmarks || last ||
                       Clock::now() >= one.next_bookmark;
      if (news && due && one.wants_bookmarks &&
          !store_.since(one.seen)->size()) {
        one.bookmarks = bookmarks_;
        one.next_bookmark = Clock::now() + options_.bookmark_every;
        one.tell_bookmark(store_.version());
      }
      std::vector<std::string> lines;
      lines.swap(one.lines);
      lock.unlock();
      for (const std::string& line : lines) {
        if (!to.line(line)) return ended;
      }
      lock.lock();
      for (const std::string& line : lines) {
        counters_.add_sent(line.size() + 1);
      }
      if (!news || last) return ended;
      if (store_.version() > one.seen) continue;
    }
    (void)changed_.wait_for(lock, kTick);
    lock.unlock();
    const bool alive = to.alive();
    lock.lock();
    if (!alive) return ended;
  }
}

}  // namespace linsey::lab::api
