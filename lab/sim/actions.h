// The API's actions: parameters in, the documented reply out, which differs
// from action to action for the same thing (plain strings here, objects there;
// TagKey in ECS, Key in VPC). An action reads all its parameters first, so a
// Fault means that nothing was done.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "lab/sim/key_ring.h"
#include "lab/sim/params.h"
#include "lab/sim/region.h"
#include "lab/sim/wall_time.h"

namespace linsey::sim {

/// What an action works on.
struct Desk {
  Region& region;
  KeyRing& ring;
  const std::string& region_id;
  const std::string& account;
  Instant now;
  WallTime wall;
};

/// `body` is filled on success; RequestId is the caller's to add.
using Action = Fault (*)(Desk& desk, Params& params, Json& body);

struct ActionEntry {
  std::string_view product;
  std::string_view name;
  Action run;
  int missing_status = 400;
  bool takes_token = false;  // ClientToken
};

/// nullptr when the product has no such action.
const ActionEntry* find_action(std::string_view product, std::string_view name);

/// The body of an error reply.
Json fault_json(const Fault& fault, const std::string& request_id,
                const std::string& region);

/// RegionId: there and ours.
void read_region(const Desk& desk, Params& params, bool required = true);

Fault create_network_interface(Desk& desk, Params& params, Json& body);
Fault attach_network_interface(Desk& desk, Params& params, Json& body);
Fault detach_network_interface(Desk& desk, Params& params, Json& body);
Fault delete_network_interface(Desk& desk, Params& params, Json& body);
Fault assign_private_ip_addresses(Desk& desk, Params& params, Json& body);
Fault unassign_private_ip_addresses(Desk& desk, Params& params, Json& body);
Fault assign_ipv6_addresses(Desk& desk, Params& params, Json& body);
Fault unassign_ipv6_addresses(Desk& desk, Params& params, Json& body);
Fault tag_resources(Desk& desk, Params& params, Json& body);
Fault describe_network_interfaces(Desk& desk, Params& params, Json& body);
Fault describe_instance_types(Desk& desk, Params& params, Json& body);
Fault describe_instances(Desk& desk, Params& params, Json& body);
Fault describe_instance_attribute(Desk& desk, Params& params, Json& body);
Fault describe_v_switches(Desk& desk, Params& params, Json& body);
Fault describe_v_switch_attributes(Desk& desk, Params& params, Json& body);
Fault assume_role_with_oidc(Desk& desk, Params& params, Json& body);
Fault describe_vpcs(Desk& desk, Params& params, Json& body);

}  // namespace linsey::sim
