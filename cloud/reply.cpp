#include "cloud/reply.h"

#include <algorithm>
#include <charconv>
#include <string>

#include <nlohmann/json.hpp>

#include "base/json.h"

namespace linsey::cloud {
namespace {

Error missing(std::string_view what) {
  return make_error(Code::kCloudBadReply, "the reply lacks {}", what);
}

bool bool_at(const Json& reply, std::string_view key, bool fallback) {
  const Json* member = find_member(reply, key);
  if (member == nullptr) return fallback;
  if (member->is_boolean()) return member->get<bool>();
  const std::string text = text_at(reply, key);
  return text.empty() ? fallback : text == "true" || text == "True";
}

template <typename T>
Result<T> readable(Result<T> value) {
  if (!value) value.error().code = Code::kCloudBadReply;
  return value;
}

EniType parse_type(std::string_view text) {
  if (text == "Primary") return EniType::kPrimary;
  return text == "Secondary" ? EniType::kSecondary : EniType::kOther;
}

Tags parse_tags(const Json& reply) {
  Tags tags;
  for (const Json& tag : list_at(reply, "Tags", "Tag")) {
    // ECS says TagKey, VPC says Key.
    const bool ecs = find_member(tag, "TagKey") != nullptr;
    tags[text_at(tag, ecs ? "TagKey" : "Key")] =
        text_at(tag, ecs ? "TagValue" : "Value");
  }
  return tags;
}

Result<void> read_addresses(const Json& reply, Eni& eni) {
  if (const std::string text = text_at(reply, "PrivateIpAddress");
      !text.empty()) {
    eni.primary = TRY(readable(IpAddr::parse(text)));
    eni.ipv4.push_back(*eni.primary);
  }
  for (const Json& set : list_at(reply, "PrivateIpSets", "PrivateIpSet")) {
    const IpAddr address =
        TRY(readable(IpAddr::parse(text_at(set, "PrivateIpAddress"))));
    if (bool_at(set, "Primary", false)) eni.primary = address;
    if (std::ranges::find(eni.ipv4, address) == eni.ipv4.end()) {
      eni.ipv4.push_back(address);
    }
  }
  for (const Json& set : list_at(reply, "Ipv6Sets", "Ipv6Set")) {
    eni.ipv6.push_back(
        TRY(readable(IpAddr::parse(text_at(set, "Ipv6Address")))));
  }
  return {};
}

}  // namespace

std::vector<Json> list_at(const Json& reply, std::string_view wrapper,
                          std::string_view item) {
  const Json* outer = find_member(reply, wrapper);
  if (outer == nullptr) return {};
  const Json* inner = find_member(*outer, item);
  if (inner == nullptr || !inner->is_array()) return {};
  return {inner->begin(), inner->end()};
}

std::string text_at(const Json& reply, std::string_view key) {
  const Json* member = find_member(reply, key);
  if (member == nullptr) return {};
  if (member->is_string()) return member->get<std::string>();
  return member->is_number() ? dump_json(*member) : std::string();
}

std::uint64_t number_at(const Json& reply, std::string_view key) {
  const std::string text = text_at(reply, key);
  std::uint64_t value = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() ? value : 0;
}

Result<Eni> parse_eni(const Json& reply) {
  Eni eni;
  eni.id = text_at(reply, "NetworkInterfaceId");
  if (eni.id.empty()) return missing("NetworkInterfaceId");
  eni.type = parse_type(text_at(reply, "Type"));
  eni.status = parse_eni_status(text_at(reply, "Status"));
  eni.instance_id = text_at(reply, "InstanceId");
  if (const Json* attachment = find_member(reply, "Attachment");
      attachment != nullptr && eni.instance_id.empty()) {
    eni.instance_id = text_at(*attachment, "InstanceId");
  }
  eni.v_switch = text_at(reply, "VSwitchId");
  eni.vpc = text_at(reply, "VpcId");
  eni.zone = text_at(reply, "ZoneId");
  eni.description = text_at(reply, "Description");
  eni.service_managed = bool_at(reply, "ServiceManaged", false);
  eni.mac = TRY(context(readable(Mac::parse(text_at(reply, "MacAddress"))),
                        "interface {}", eni.id));
  TRY(context(read_addresses(reply, eni), "interface {}", eni.id));
  for (const Json& group :
       list_at(reply, "SecurityGroupIds", "SecurityGroupId")) {
    if (group.is_string()) {
      eni.security_groups.push_back(group.get<std::string>());
    }
  }
  eni.tags = parse_tags(reply);
  return eni;
}

Result<VSwitch> parse_v_switch(const Json& reply) {
  VSwitch v_switch;
  v_switch.id = text_at(reply, "VSwitchId");
  if (v_switch.id.empty()) return missing("VSwitchId");
  v_switch.vpc = text_at(reply, "VpcId");
  v_switch.zone = text_at(reply, "ZoneId");
  v_switch.cidr =
      TRY(context(readable(Cidr::parse(text_at(reply, "CidrBlock"))),
                  "vSwitch {}", v_switch.id));
  if (const std::string text = text_at(reply, "Ipv6CidrBlock"); !text.empty()) {
    v_switch.cidr6 =
        TRY(context(readable(Cidr::parse(text)), "vSwitch {}", v_switch.id));
  }
  v_switch.free = number_at(reply, "AvailableIpAddressCount");
  v_switch.available = text_at(reply, "Status") != "Pending";
  return v_switch;
}

Result<InstanceType> parse_instance_type(const Json& reply) {
  InstanceType type;
  type.id = text_at(reply, "InstanceTypeId");
  if (type.id.empty()) return missing("InstanceTypeId");
  type.enis = static_cast<unsigned>(number_at(reply, "EniQuantity"));
  type.ipv4_per_eni =
      static_cast<unsigned>(number_at(reply, "EniPrivateIpAddressQuantity"));
  type.ipv6_per_eni =
      static_cast<unsigned>(number_at(reply, "EniIpv6AddressQuantity"));
  if (type.enis == 0 || type.ipv4_per_eni == 0) {
    return missing(fmt::format("the interface limits of {}", type.id));
  }
  return type;
}

Result<std::vector<IpAddr>> parse_assigned(const Json& reply, Family family) {
  std::vector<Json> list;
  if (family == Family::kV6) {
    list = list_at(reply, "Ipv6Sets", "Ipv6Address");
  } else if (const Json* set =
                 find_member(reply, "AssignedPrivateIpAddressesSet")) {
    list = list_at(*set, "PrivateIpSet", "PrivateIpAddress");
  }
  std::vector<IpAddr> addresses;
  for (const Json& item : list) {
    if (!item.is_string()) return missing("an address as text");
    addresses.push_back(TRY(readable(IpAddr::parse(item.get<std::string>()))));
  }
  if (addresses.empty()) return missing("the assigned addresses");
  return addresses;
}

}  // namespace linsey::cloud
