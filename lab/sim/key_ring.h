// KeyRing: who may call. Access keys that a test put in, and the rotating sets
// of instance roles, of which the old stays valid until its own end.
#pragma once

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "lab/sim/cloud.h"
#include "lab/sim/types.h"
#include "lab/sim/wall_time.h"

namespace linsey::sim {

class KeyRing {
 public:
  explicit KeyRing(std::uint64_t seed) : random_(seed) {}

  void add(AccessKey key) { keys_[key.id] = std::move(key); }
  void add(OidcTrust trust) { trusts_[trust.role_arn] = std::move(trust); }
  /// nullptr when nobody trusts that role to anyone.
  const OidcTrust* trust(const std::string& role_arn) const;
  std::optional<AccessKey> find(const std::string& id) const;
  /// An unknown caller (a test in process) may everything.
  bool may(const std::string& caller, const std::string& product,
           const std::string& action) const;
  bool use_nonce(const std::string& key, const std::string& nonce) {
    return nonces_.insert(key + "/" + nonce).second;
  }

  /// nullopt when the instance has no role.
  std::optional<RoleCredentials> role(const InstanceSpec& instance,
                                      WallTime wall);
  void rotate_role(const std::string& instance, WallTime wall,
                   Duration overlap);
  void forget_role(const std::string& instance) { roles_.erase(instance); }
  /// A fresh STS key that may do `allowed`, valid until `expires`.
  AccessKey issue(const std::optional<std::set<std::string>>& allowed,
                  WallTime expires);

 private:
  std::string word(std::size_t length);

  std::map<std::string, AccessKey> keys_;
  std::map<std::string, RoleCredentials> roles_;  // by instance: the newest
  std::map<std::string, OidcTrust> trusts_;       // by role
  std::set<std::string> nonces_;
  std::mt19937_64 random_;
};

}  // namespace linsey::sim
