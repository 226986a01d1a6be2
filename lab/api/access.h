// Access: who a bearer token belongs to, and what RBAC lets him do.
//
// Tokens are given at the start or made by a service account's "token"
// subresource; one bound to a pod carries the pod's node, as the real server's
// do. Roles and bindings are ordinary objects of the store: what install/base
// grants is what holds. Members of system:masters may do everything.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "lab/api/resource_type.h"
#include "lab/api/store.h"
#include "lab/api/types.h"

namespace linsey::lab::api {

class Access {
 public:
  explicit Access(const Store& store) : store_(store) {}

  void add(const std::string& token, User user);
  void revoke(const std::string& token) { users_.erase(token); }

  /// Without any token of its own the server takes everyone for an
  /// administrator. Errors: kApiUnauthorized.
  Result<User> who(const std::string& token) const;
  /// Errors: kApiForbidden in the real server's words.
  Result<void> may(const User& user, const std::string& verb,
                   const Target& target) const;
  /// POST …/serviceaccounts/NAME/token. Errors: kApiNotFound, kApiInvalid.
  Result<Json> make_token(const Target& account, const Json& request);

 private:
  bool granted(const User& user, const std::string& verb, const Target& target,
               const std::string& binding_type, const std::string& ns) const;
  ObjectPtr role_of(const Json& binding, const std::string& ns) const;

  const Store& store_;
  bool open_ = true;
  std::map<std::string, User> users_;  // by token
};

}  // namespace linsey::lab::api
