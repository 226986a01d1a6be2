// Which vSwitches this node may take pod addresses from: exactly those listed
// for its own zone, or none and the reason.
//
// Strict on purpose. A map without this zone, a vSwitch that is gone, of
// another zone or VPC, or the host's own never falls back to anything: pods
// would get addresses of a network that nobody planned for them, and nobody
// would notice. One bad entry refuses the whole list, since an operator who
// mistyped one id cannot have meant the rest to carry all pods.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cloud/metadata.h"
#include "cloud/types.h"

namespace linsey::cloud {

struct ZoneMap {
  std::map<std::string, std::vector<std::string>> zones;  // `eni.zones`
  bool allow_host_v_switch = false;
};

/// The ids listed for a zone. Errors: kZoneNotMapped.
Result<std::vector<std::string>> listed_v_switches(const ZoneMap& map,
                                                   std::string_view zone);

/// The usable vSwitches in the order they are listed. `found` is what the
/// cloud knows of the listed ids. Pure. Errors: kZoneNotMapped,
/// kVSwitchNotFound, kVSwitchWrongZone, kVSwitchWrongVpc, kVSwitchIsHost,
/// kCloudStatePending (still being made); the message names zone and vSwitch.
Result<std::vector<VSwitch>> validate_zone(const ZoneMap& map,
                                           const Instance& instance,
                                           std::span<const VSwitch> found);

}  // namespace linsey::cloud
