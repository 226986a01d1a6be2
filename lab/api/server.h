// Server: an API server with a memory, for everything that must run against
// one: tests in process, agents in the lab over HTTP(S) (http_front.h).
//
// It keeps the rules of the real one that a client can notice: one
// resourceVersion for all, compare-and-swap on names and versions, finalizers,
// status halves, selectors, pages, watches with bookmarks and 410, custom
// resources with schema and CEL rules, bearer tokens, RBAC and admission
// policies out of the objects themselves. tests/contract holds it and a real
// kube-apiserver to the same words.
// Not here: managedFields and server-side apply, aggregation, webhooks,
// garbage collection by owner, namespaces that empty themselves.
// Thread: any. One mutex; watches wait on a condition.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lab/api/access.h"
#include "lab/api/fault.h"
#include "lab/api/resource_type.h"
#include "lab/api/selection.h"
#include "lab/api/store.h"
#include "lab/api/types.h"
#include "lab/api/verbs.h"

namespace linsey::lab::api {

struct ServerOptions {
  std::size_t history = 20000;  // changes kept for watches
  std::chrono::seconds bookmark_every{60};
};

/// What became of a request: a reply, or one of the ways to get none.
struct Served {
  enum class Fate : std::uint8_t { kReply, kDrop, kHang };
  Fate fate = Fate::kReply;
  kube::Response response;
};

/// Where a watch's words go. `line` returns false when the client is gone;
/// `alive` is asked at least every 100 ms.
struct Listener {
  std::function<bool(std::string_view)> line;
  std::function<bool()> alive;
};

class Server {
 public:
  explicit Server(ServerOptions options = {});

  /// In process, as the owner of `token`; without tokens, as administrator.
  std::unique_ptr<kube::Transport> connect(std::string token = {});
  /// A type without schema, as if built in.
  void add_type(ResourceType type);
  /// With the first token, requests without a known one are 401.
  void add_token(const std::string& token, User user);
  void revoke_token(const std::string& token);

  /// The next requests that match meet it; consumed one by one.
  void push_fault(const Fault& fault, int times = 1);
  /// Connections are refused and broken until it is set back.
  void set_down(bool down);
  /// Half-open: nothing is answered and no watch speaks, but nothing breaks.
  void set_silent(bool silent);
  /// Forgets history and pages: who is behind gets 410.
  void expire();
  void bookmark();
  void set_page_size(std::size_t size);

  /// As an administrator, past faults, namespaces, schema and status halves.
  /// `path` names the object. Returns the HTTP status.
  int put(const std::string& path, const Json& object);
  int erase(const std::string& path);
  /// null when there is none.
  Json at(const std::string& path);

  std::vector<CallRecord> calls();
  std::size_t count(const std::string& method, const std::string& prefix);
  void forget_calls();
  /// {"calls": {"GET /api/v1/nodes": n}, "received": b, "sent": b, …}.
  Json counters();
  bool down();
  bool silent();

  // For the ways in: the transport and the HTTP front.
  Served serve(const Call& call);
  bool is_watch(const Call& call) const;
  /// Speaks to `to` until it or the server ends it; a refusal is returned and
  /// nothing was said.
  Served watch(const Call& call, const Listener& to);

 private:
  struct Following;
  Result<Json> act(const Call& call, const User& user);
  Result<Json> act_on(const Target& target, const Call& call, const User& user);
  Result<Json> write(const Target& target, const Call& call, const User& user);
  std::optional<Served> met_fault(const Call& call, Fault& fault);
  Result<Following> begin(const Call& call);
  Served follow(Following& one, const Listener& to,
                std::unique_lock<std::mutex>& lock);
  void note(const Call& call, const Served& served, bool watch);

  ServerOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Store store_;
  ResourceTypes types_;
  Access access_{store_};
  Verbs verbs_;
  Faults faults_;
  Counters counters_;
  std::uint64_t bookmarks_ = 0;
  bool down_ = false;
  bool silent_ = false;
};

}  // namespace linsey::lab::api
