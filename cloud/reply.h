// Reading OpenAPI replies: JSON into the types of ecs.h, with tolerance.
#pragma once

#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "cloud/ecs.h"

namespace linsey::cloud {

/// The list at `wrapper`.`item` ("PrivateIpSets", "PrivateIpSet"); empty when
/// either is missing, null or no list.
std::vector<nlohmann::json> list_at(const nlohmann::json& reply,
                                    std::string_view wrapper,
                                    std::string_view item);
/// Text of a member; a number is printed, anything else reads as "".
std::string text_at(const nlohmann::json& reply, std::string_view key);
/// A number, also one written as text; 0 when there is none.
std::uint64_t number_at(const nlohmann::json& reply, std::string_view key);

/// Errors: kCloudBadReply naming what is missing or unreadable.
Result<Eni> parse_eni(const nlohmann::json& reply);
Result<VSwitch> parse_v_switch(const nlohmann::json& reply);
Result<InstanceType> parse_instance_type(const nlohmann::json& reply);
/// `AssignedPrivateIpAddressesSet` or `Ipv6Sets`: plain strings.
Result<std::vector<IpAddr>> parse_assigned(const nlohmann::json& reply,
                                           Family family);

}  // namespace linsey::cloud
