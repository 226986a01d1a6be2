// What the cloud has, as plain structs: interfaces, vSwitches, machine types.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"

namespace linsey::cloud {

using Tags = std::map<std::string, std::string>;

enum class EniStatus : std::uint8_t {
  kUnknown,
  kAvailable,
  kAttaching,
  kInUse,
  kDetaching,
  kDeleting,
};
enum class EniType : std::uint8_t { kPrimary, kSecondary, kOther };

std::string_view name(EniStatus status);
EniStatus parse_eni_status(std::string_view text);

/// An elastic network interface.
struct Eni {
  std::string id;
  EniType type = EniType::kSecondary;
  EniStatus status = EniStatus::kUnknown;
  std::string instance_id;  // empty: not attached
  std::string v_switch;
  std::string vpc;
  std::string zone;
  Mac mac;
  std::optional<IpAddr> primary;  // can be given to pods, never unassigned
  std::vector<IpAddr> ipv4;       // the primary one included
  std::vector<IpAddr> ipv6;
  std::vector<std::string> security_groups;
  std::string description;
  Tags tags;
  bool service_managed = false;  // of another cloud product: leave it alone

  bool operator==(const Eni&) const = default;
};

struct VSwitch {
  std::string id;
  std::string vpc;
  std::string zone;
  Cidr cidr;
  std::optional<Cidr> cidr6;
  std::uint64_t free = 0;
  bool available = true;  // false: still being made

  bool operator==(const VSwitch&) const = default;
};

/// The limits of a machine type.
struct InstanceType {
  std::string id;
  unsigned enis = 0;          // the primary one included
  unsigned ipv4_per_eni = 0;  // the primary address included
  unsigned ipv6_per_eni = 0;

  bool operator==(const InstanceType&) const = default;
};

}  // namespace linsey::cloud
