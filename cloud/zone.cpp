#include "cloud/zone.h"

#include <algorithm>

namespace linsey::cloud {
namespace {

Result<VSwitch> check(const std::string& id, const ZoneMap& map,
                      const Instance& instance,
                      std::span<const VSwitch> found) {
  const std::string where =
      fmt::format("vSwitch {} (eni.zones, zone {})", id, instance.zone);
  const auto it = std::ranges::find(found, id, &VSwitch::id);
  if (it == found.end()) {
    return make_error(Code::kVSwitchNotFound, "{} does not exist in region {}",
                      where, instance.region);
  }
  if (it->vpc != instance.vpc) {
    return make_error(Code::kVSwitchWrongVpc,
                      "{} lies in VPC {}, the node in VPC {}", where, it->vpc,
                      instance.vpc);
  }
  if (it->zone != instance.zone) {
    return make_error(Code::kVSwitchWrongZone, "{} lies in zone {}", where,
                      it->zone);
  }
  if (id == instance.v_switch && !map.allow_host_v_switch) {
    return make_error(Code::kVSwitchIsHost,
                      "{} is the vSwitch of the node itself", where);
  }
  if (!it->available) {
    return make_error(Code::kCloudStatePending, "{} is still being made",
                      where);
  }
  return *it;
}

}  // namespace

Result<std::vector<std::string>> listed_v_switches(const ZoneMap& map,
                                                   std::string_view zone) {
  const auto it = map.zones.find(std::string(zone));
  if (it == map.zones.end() || it->second.empty()) {
    return make_error(Code::kZoneNotMapped,
                      "zone {} has no pod vSwitch; add it under eni.zones",
                      zone);
  }
  return it->second;
}

Result<std::vector<VSwitch>> validate_zone(const ZoneMap& map,
                                           const Instance& instance,
                                           std::span<const VSwitch> found) {
  std::vector<VSwitch> usable;
  for (const std::string& id : TRY(listed_v_switches(map, instance.zone))) {
    usable.push_back(TRY(check(id, map, instance, found)));
  }
  return usable;
}

}  // namespace linsey::cloud
