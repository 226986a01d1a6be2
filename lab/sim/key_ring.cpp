#include "lab/sim/key_ring.h"

namespace linsey::sim {
namespace {

constexpr std::chrono::hours kRoleLife{6};
constexpr std::chrono::minutes kRenewBefore{30};

WallTime whole_seconds(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time);
}

}  // namespace

std::optional<AccessKey> KeyRing::find(const std::string& id) const {
  const auto found = keys_.find(id);
  if (found == keys_.end()) return std::nullopt;
  return found->second;
}

const OidcTrust* KeyRing::trust(const std::string& role_arn) const {
  const auto found = trusts_.find(role_arn);
  return found == trusts_.end() ? nullptr : &found->second;
}

bool KeyRing::may(const std::string& caller, const std::string& product,
                  const std::string& action) const {
  const auto found = keys_.find(caller);
  if (found == keys_.end() || !found->second.allowed) return true;
  return found->second.allowed->contains(product + ":" + action);
}

std::optional<RoleCredentials> KeyRing::role(const InstanceSpec& instance,
                                             WallTime wall) {
  if (instance.role.empty()) return std::nullopt;
  const auto found = roles_.find(instance.id);
  if (found != roles_.end() &&
      *found->second.key.expires - wall > kRenewBefore) {
    return found->second;
  }
  RoleCredentials fresh{issue(instance.role_allows, wall + kRoleLife), wall};
  roles_[instance.id] = fresh;
  return fresh;
}

void KeyRing::rotate_role(const std::string& instance, WallTime wall,
                          Duration overlap) {
  const auto found = roles_.find(instance);
  if (found == roles_.end()) return;
  AccessKey& old = keys_[found->second.key.id];
  old.expires = whole_seconds(
      wall + std::chrono::duration_cast<WallTime::duration>(overlap));
  found->second = {issue(old.allowed, wall + kRoleLife), wall};
}

AccessKey KeyRing::issue(const std::optional<std::set<std::string>>& allowed,
                         WallTime expires) {
  // The token has every character that a client may forget to encode.
  AccessKey key{.id = "STS." + word(16),
                .secret = word(32),
                .token = "CAIS+/=" + word(64),
                .expires = whole_seconds(expires),
                .active = true,
                .allowed = allowed};
  add(key);
  return key;
}

std::string KeyRing::word(std::size_t length) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string text;
  while (text.size() < length)
    text += kAlphabet[random_() % kAlphabet.size()];
  return text;
}

}  // namespace linsey::sim
