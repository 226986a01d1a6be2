// The simulated cloud's nouns: what a test or the lab puts in, what it may
// turn, what it gets to see. Limits and codes are those of the real cloud as
// far as they are known; what is not known is a knob.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"

namespace linsey::sim {

/// A refusal as the API spells it; an empty code is none.
struct Fault {
  int status = 0;
  std::string code;
  std::string message;
  explicit operator bool() const { return !code.empty(); }
};

struct VpcSpec {
  std::string id;
  Cidr cidr;
  std::vector<Cidr> secondary;
  std::optional<Cidr> cidr_v6;
};

struct VSwitchSpec {
  std::string id;
  std::string vpc;
  std::string zone;
  Cidr cidr;
  std::optional<Cidr> cidr_v6;
};

struct SecurityGroupSpec {
  std::string id;
  std::string vpc;
  std::uint64_t address_limit = 6000;
};

struct InstanceTypeSpec {
  std::string name;
  unsigned enis = 0;        // the primary one included
  unsigned v4_per_eni = 0;  // the primary address included
  unsigned v6_per_eni = 0;
  unsigned total_enis = 0;  // with trunk members; 0: as `enis`
};

struct InstanceSpec {
  std::string id;
  std::string type;
  std::string v_switch;           // of the primary ENI: the host's
  std::optional<IpAddr> address;  // of the primary ENI
  std::vector<std::string> security_groups;
  std::string host_name;
  std::string role;  // RAM role bound to it; empty: none
  /// What the role may do, as in AccessKey; nullopt: everything.
  std::optional<std::set<std::string>> role_allows;
  std::optional<IpAddr> address_v6 = {};  // of the primary ENI
};

struct AccessKey {
  std::string id;
  std::string secret;
  std::string token;  // STS only
  std::optional<std::chrono::system_clock::time_point> expires;
  bool active = true;
  /// "ecs:CreateNetworkInterface" ...; nullopt: everything.
  std::optional<std::set<std::string>> allowed;
};

/// A role that pods may take with a token of the cluster (AssumeRoleWithOIDC).
struct OidcTrust {
  std::string role_arn;
  std::string provider_arn;
  std::string token;  // the one that is accepted, as it is
  std::chrono::system_clock::time_point token_expires;
  std::optional<std::set<std::string>> allowed;  // as in AccessKey
};

enum class EniState : std::uint8_t {
  kAvailable,
  kAttaching,
  kInUse,
  kDetaching,
  kDeleting,
};
std::string to_string(EniState state);

struct EniView {
  std::string id;
  std::string v_switch;
  std::string instance;  // empty: not attached
  EniState state = EniState::kAvailable;
  bool primary = false;
  Mac mac;
  std::vector<IpAddr> addresses;  // the primary one first, then both families
  std::vector<std::string> security_groups;
  std::map<std::string, std::string> tags;
};

/// Called on the thread that made time pass or asked, in order, before the
/// reply that tells of the change. Must not call the Cloud's verbs.
struct Hooks {
  std::function<void(const EniView&)> attached;
  std::function<void(const EniView&)> detached;  // instance: the former one
  std::function<void(const EniView&)> addresses_changed;  // attached ENIs only
};

/// One line of the books: who has an address.
struct BookLine {
  IpAddr address;
  std::string eni;
  std::string instance;  // empty: not attached
  std::string v_switch;
  bool primary = false;  // the ENI's primary address

  bool operator==(const BookLine&) const = default;
};

struct CallRecord {
  std::string product;
  std::string action;
  std::map<std::string, std::string> params;
  std::string caller;  // access key id; "" in process
  std::string request_id;
  int status = 0;
  std::string code;  // empty: success
};

}  // namespace linsey::sim
