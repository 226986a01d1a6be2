// Preflight: judges a plan (plan_file.h) before a node joins, and says of each
// thing it looked at whether it holds, speaks against joining, or is unknown
// because nobody told. Pure: linseyctl gathers, this decides.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "conf/cidr_plan.h"
#include "conf/plan_file.h"

namespace linsey::conf {

enum class Finding : std::uint8_t { kHolds, kAgainst, kUnknown };
std::string_view name(Finding finding);  // "ok", "conflict", "unknown"

struct Check {
  std::string topic;  // "networks", "zones", "routes", "groups", "rights", …
  Finding finding = Finding::kHolds;
  std::string text;  // what holds, or what is not known
  Error why = {};    // of kAgainst: code, objects, remedy
};

/// Every network of the plan under its name, for the prover.
std::vector<NamedNetwork> networks_of(const Plan& plan);

/// All checks in a fixed order. Finds, beside what the prover finds: zones
/// whose vSwitch is unknown, of another zone or the nodes' own; VPC routes,
/// security groups and data centre routes that do not cover what they must;
/// RAM actions and RBAC verbs that are not granted; plugins that a node lacks;
/// more pods allowed than addresses; an API server that cannot confine agents.
std::vector<Check> examine(const Plan& plan);

/// What the agent's accounts need: "ecs:AssignPrivateIpAddresses", and
/// "patch ipblocks.linsey.dev".
std::span<const std::string_view> needed_ram_actions();
std::span<const std::string_view> needed_rbac();

}  // namespace linsey::conf
