// Client: the verbs of the API server on JSON objects, with errors by class.
//
// It knows paths, resourceVersions and Status replies, and nothing of what the
// objects mean. It repeats nothing by itself but one call after a 401, with
// the token read again: who calls decides by the code when to come back
// (kube/backoff.h), so that no hidden loop sits on a leased line.
// Thread: one at a time for each object.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/json.h"
#include "base/result.h"
#include "kube/transport.h"

namespace linsey::kube {

/// A resource type: group, version, plural, and whether it has a namespace.
struct Resource {
  std::string group;  // "" is the core group
  std::string version;
  std::string plural;

  /// "/api/v1/namespaces/NS/pods" or "/apis/GROUP/VERSION/PLURAL"; `ns` empty
  /// for cluster-wide types and for all namespaces.
  std::string path(const std::string& ns = {}) const;
};

inline const Resource kNodes{"", "v1", "nodes"};
inline const Resource kPods{"", "v1", "pods"};
inline const Resource kConfigMaps{"", "v1", "configmaps"};
inline const Resource kEvents{"events.k8s.io", "v1", "events"};
inline const Resource kLeases{"coordination.k8s.io", "v1", "leases"};
inline const Resource kIpPools{"linsey.dev", "v1", "ippools"};
inline const Resource kIpBlocks{"linsey.dev", "v1", "ipblocks"};
inline const Resource kNodeNetworks{"linsey.dev", "v1", "nodenetworks"};

/// Which objects; both texts go into the query, percent-encoded.
struct Selection {
  std::string label_selector;
  std::string field_selector;
};

struct List {
  std::vector<Json> items;
  std::string resource_version;
};

/// One page of a list.
struct Page {
  std::vector<Json> items;
  std::string resource_version;
  std::string next;       // where to go on; empty: it was the last one
  std::size_t bytes = 0;  // of the reply
};

struct PageOptions {
  unsigned limit = 500;
  std::string next;  // of the page before; empty: the first one
};

struct DeleteOptions {
  std::string uid;               // precondition; empty: none
  std::string resource_version;  // precondition; empty: none
};

class Client {
 public:
  explicit Client(Transport& transport) : transport_(transport) {}

  /// Errors of all verbs: kApiNotFound, kApiConflict, kApiExists,
  /// kApiForbidden, kApiUnauthorized, kApiThrottled (details name the seconds),
  /// kApiExpired, kApiInvalid, kApiUnavailable, kApiBadReply, kTimeout.
  Result<Json> get(const Resource& type, const std::string& ns,
                   const std::string& name);
  /// Reads in pages of 500.
  Result<List> list(const Resource& type, const std::string& ns,
                    const Selection& which = {});
  /// kApiExpired: `options.next` is older than what the server remembers, so
  /// begin again.
  Result<Page> page(const Resource& type, const std::string& ns,
                    const Selection& which, const PageOptions& options);
  Result<Json> create(const Resource& type, const std::string& ns,
                      const Json& object);
  /// Replaces an object; its metadata.resourceVersion guards against others.
  Result<Json> update(const Resource& type, const std::string& ns,
                      const Json& object);
  Result<void> remove(const Resource& type, const std::string& ns,
                      const std::string& name,
                      const DeleteOptions& options = {});
  /// JSON merge patch (RFC 7386) of an object, or of its "status".
  Result<Json> patch(const Resource& type, const std::string& ns,
                     const std::string& name, const Json& change,
                     std::string_view subresource = {});
  /// Strategic merge patch, for built-in types alone: lists such as conditions
  /// are merged by their key, and other owners' elements stay.
  Result<Json> patch_strategic(const Resource& type, const std::string& ns,
                               const std::string& name, const Json& change,
                               std::string_view subresource = {});

  /// The server's version text, from /version.
  Result<std::string> version();

 private:
  Result<Response> send(const Request& request);
  Result<Json> call(const Request& request);
  Result<Json> patch_path(const std::string& path, const Json& change,
                          const char* content_type);

  Transport& transport_;
};

/// How long the server asked us to wait (Retry-After), out of an error of
/// ours; nullopt when it did not say.
std::optional<std::chrono::seconds> retry_after(const Error& error);

/// Turns a reply into JSON, or into the error that its Status object tells.
Result<Json> read_reply(const Request& request, const Response& response);

/// RFC 3986 percent-encoding of one query value.
std::string percent_encode(std::string_view text);

}  // namespace linsey::kube
