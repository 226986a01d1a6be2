// The words of the simulated API server: who asks, what for, and how a refusal
// looks on the wire.
//
// Inside the room a refusal is an Error with one of the kApi… codes, so that
// TRY works; at the border it becomes the Status object that the real server
// sends. Where one code stands for several HTTP statuses, `details` begins
// with the status.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/result.h"
#include "kube/transport.h"

namespace linsey::lab::api {

/// Objects are never changed once stored; lists and watches share them.
using ObjectPtr = std::shared_ptr<const Json>;

/// Who a bearer token belongs to, as a TokenReview would say.
struct User {
  std::string name;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;
};

/// One request, decoded.
struct Call {
  std::string method;
  std::string path;                          // percent-decoded, no query
  std::map<std::string, std::string> query;  // decoded
  std::string content_type;
  std::string body;
  std::string token;  // of "Authorization: Bearer …"; empty: none

  /// "" when it is absent.
  std::string option(const std::string& key) const;
};

/// Splits `target` ("/api/v1/pods?limit=5") into the call's path and query.
void read_target(std::string_view target, Call& call);

/// Refusals. `name` is what the message is about.
Error not_found(const std::string& plural, const std::string& name);
Error conflict(const std::string& name, const std::string& why);
Error invalid(const std::string& kind, const std::string& name,
              const std::string& why);
Error bad_request(const std::string& why);
Error forbidden(const std::string& why);
/// For the statuses without a code of their own: 405, 415, ….
Error refused(int status, const std::string& reason, const std::string& why);

/// The Status object that tells of a refusal.
Json status_of(const Error& error);
kube::Response reply_of(const Error& error);
kube::Response reply_of(const Json& object, int status = 200);

/// metadata.KEY as text, "" when it is absent.
std::string metadata_text(const Json& object, const char* key);
/// An object's member that is an object, or an empty one.
const Json& child(const Json& object, const char* key);
/// Now, as Kubernetes writes it: "2026-01-31T10:00:00Z".
std::string timestamp();
/// A version 4 UUID; its first digits count, so that objects sort by age.
std::string make_uid();

}  // namespace linsey::lab::api
