// The rules half of Region: what is checked before anything changes, how
// addresses are found, and how the books are set up.
#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "lab/sim/region.h"

namespace linsey::sim {
namespace {

// Of a vSwitch the first address and the last three are the cloud's own, with
// IPv6 the first and the last nine.
constexpr std::uint64_t kReservedAtStart = 1;
constexpr std::uint64_t kReservedAtEndV4 = 3;
constexpr std::uint64_t kReservedAtEndV6 = 9;
constexpr std::size_t kUnattachedV4 = 50;
constexpr std::size_t kUnattachedV6 = 10;
constexpr std::size_t kGroupsPerEni = 10;

bool usable(const Cidr& cidr, const IpAddr& ip) {
  if (!cidr.contains(ip)) return false;
  const std::uint64_t at_end = ip.is_v4() ? kReservedAtEndV4 : kReservedAtEndV6;
  return ip.minus(cidr.first()) >= kReservedAtStart &&
         cidr.last().minus(ip) >= at_end;
}

Fault not_enough(const VSwitchSpec& v_switch, const std::string& spelling) {
  if (spelling == "QuotaExceeded.PrivateIpAddress") {
    return {400, spelling,
            fmt::format("Insufficient private IP addresses in the VSwitch "
                        "\"{}\".",
                        v_switch.id)};
  }
  return {403, "InvalidVSwitchId.IpNotEnough",
          fmt::format("The specified VSwitch \"{}\" has not enough "
                      "IpAddress.",
                      v_switch.id)};
}

}  // namespace

std::string Region::add(const VpcSpec& vpc) {
  if (!vpcs_.emplace(vpc.id, vpc).second) return "VPC twice: " + vpc.id;
  return {};
}

std::string Region::add(const VSwitchSpec& v_switch) {
  const auto vpc = vpcs_.find(v_switch.vpc);
  if (vpc == vpcs_.end()) {
    return fmt::format("vSwitch {}: no VPC {}", v_switch.id, v_switch.vpc);
  }
  std::vector<Cidr> room = vpc->second.secondary;
  room.push_back(vpc->second.cidr);
  const bool inside = std::any_of(room.begin(), room.end(), [&](const Cidr& c) {
    return c.contains(v_switch.cidr);
  });
  if (!inside) {
    return fmt::format("vSwitch {}: {} lies outside VPC {}", v_switch.id,
                       v_switch.cidr.to_string(), v_switch.vpc);
  }
  for (const auto& [id, other] : v_switches_) {
    if (other.vpc != v_switch.vpc || !other.cidr.overlaps(v_switch.cidr)) {
      continue;
    }
    return fmt::format("vSwitch {} overlaps {}", v_switch.id, id);
  }
  v_switches_.emplace(v_switch.id, v_switch);
  return {};
}

std::string Region::add(const SecurityGroupSpec& group) {
  if (!vpcs_.contains(group.vpc)) {
    return fmt::format("security group {}: no VPC {}", group.id, group.vpc);
  }
  groups_[group.id] = group;
  return {};
}

std::string Region::add(const InstanceTypeSpec& type) {
  types_[type.name] = type;
  return {};
}

std::string Region::add(const InstanceSpec& spec, Instant now) {
  if (instances_.contains(spec.id)) return "instance twice: " + spec.id;
  if (!types_.contains(spec.type)) return "no instance type " + spec.type;
  NewEni wish;
  wish.v_switch = spec.v_switch;
  wish.primary = spec.address;
  wish.security_groups = spec.security_groups;
  if (spec.address_v6) wish.v6.named = {*spec.address_v6};
  const Outcome made = create(wish, "2026-01-01T00:00Z", now);
  if (made.fault) {
    return fmt::format("instance {}: {}: {}", spec.id, made.fault.code,
                       made.fault.message);
  }
  Eni& eni = enis_.at(made.eni);
  eni.primary = true;
  eni.state = EniState::kInUse;
  eni.instance = spec.id;
  eni.delete_on_release = true;
  instances_[spec.id] = Instance{.spec = spec,
                                 .status = "Running",
                                 .vpc = eni.vpc,
                                 .zone = eni.zone,
                                 .primary_eni = eni.id};
  return {};
}

std::string Region::release_instance(const std::string& id) {
  if (instances_.erase(id) == 0) return "no instance " + id;
  std::vector<std::string> gone;
  for (auto& [eni_id, eni] : enis_) {
    if (eni.instance != id) continue;
    if (eni.state != EniState::kAttaching) {
      note(EniEvent::Kind::kDetached, eni);
    }
    if (eni.delete_on_release) gone.push_back(eni_id);
    eni.state = EniState::kAvailable;
    eni.instance.clear();
    eni.due.reset();
  }
  for (const std::string& eni_id : gone)
    drop_eni(eni_id);
  return {};
}

std::string Region::set_status(const std::string& id,
                               const std::string& status) {
  const auto found = instances_.find(id);
  if (found == instances_.end()) return "no instance " + id;
  found->second.status = status;
  return {};
}

std::uint64_t Region::free_v4(const VSwitchSpec& v_switch) const {
  const std::uint64_t reserved = kReservedAtStart + kReservedAtEndV4;
  std::uint64_t used = 0;
  const auto found = used_.find(v_switch.id);
  if (found != used_.end()) {
    used = static_cast<std::uint64_t>(
        std::count_if(found->second.begin(), found->second.end(),
                      [](const auto& entry) { return entry.first.is_v4(); }));
  }
  const std::uint64_t size = v_switch.cidr.size();
  return size > reserved + used ? size - reserved - used : 0;
}

const InstanceTypeSpec* Region::type_of(const std::string& instance) const {
  const auto found = instances_.find(instance);
  if (found == instances_.end()) return nullptr;
  return &types_.at(found->second.spec.type);
}

Fault Region::check_new(const NewEni& wish) const {
  const auto found = v_switches_.find(wish.v_switch);
  if (found == v_switches_.end()) {
    return {404, "InvalidVSwitchId.NotFound",
            fmt::format("The specified VSwitchId \"{}\" is not found.",
                        wish.v_switch)};
  }
  const VSwitchSpec& v_switch = found->second;
  if (Fault fault = check_groups(wish, v_switch)) return fault;

  std::vector<IpAddr> named = wish.secondary.named;
  if (wish.primary) named.push_back(*wish.primary);
  if (Fault fault = check_named(v_switch, Family::kV4, named)) {
    return fault;
  }
  if (wish.v6.size() > 0) {
    if (!v_switch.cidr_v6) {
      return {403, "InvalidVSwitch.Ipv6NotTurnOn",
              fmt::format("IPv6 is not turned on in the VSwitch \"{}\".",
                          v_switch.id)};
    }
    Fault fault = check_named(v_switch, Family::kV6, wish.v6.named);
    if (fault) return fault;
  }
  if (wish.secondary.size() + 1 > kUnattachedV4) {
    return {403, "MaxEniPrivateIpsCountExceeded",
            "The maximum number of private IPs of an ENI is exceeded."};
  }
  const auto secondaries =
      std::count_if(enis_.begin(), enis_.end(),
                    [](const auto& entry) { return !entry.second.primary; });
  if (static_cast<unsigned>(secondaries) >= knobs.enis_per_region) {
    return {403, "MaxEniCountExceeded",
            "The maximum number of ENIs in this region is exceeded."};
  }
  return check_room(v_switch, wish.secondary.size() + 1);
}

Fault Region::check_groups(const NewEni& wish,
                           const VSwitchSpec& v_switch) const {
  if (wish.security_groups.size() > kGroupsPerEni) {
    return {400, "JoinedGroupLimitExceed",
            "The number of security groups of an ENI is exceeded."};
  }
  for (const std::string& id : wish.security_groups) {
    const auto group = groups_.find(id);
    if (group == groups_.end()) {
      return {404, "InvalidSecurityGroupId.NotFound",
              fmt::format("The specified SecurityGroupId \"{}\" is not found.",
                          id)};
    }
    if (group->second.vpc != v_switch.vpc) {
      return {403, "InvalidOperation.VpcMismatch",
              "The security group and the VSwitch are not in the same VPC."};
    }
    std::uint64_t held = 1 + wish.secondary.size() + wish.v6.size();
    for (const auto& [eni_id, eni] : enis_) {
      const auto& groups = eni.security_groups;
      if (std::find(groups.begin(), groups.end(), id) == groups.end()) continue;
      held += eni.addresses.size();
    }
    if (held > group->second.address_limit) {
      return {403, "SecurityGroupInstanceLimitExceed",
              fmt::format("The maximum number of private IPs in the security "
                          "group \"{}\" is exceeded.",
                          id)};
    }
  }
  return {};
}

Fault Region::check_named(const VSwitchSpec& v_switch, Family family,
                          const std::vector<IpAddr>& named) const {
  std::set<IpAddr> seen;
  const auto used = used_.find(v_switch.id);
  for (const IpAddr& ip : named) {
    if (!seen.insert(ip).second) {
      return {403, "InvalidIp.IpRepeated",
              "The specified IP addresses are repeated."};
    }
    const bool v6_off = family == Family::kV6 && !v_switch.cidr_v6;
    const Cidr& cidr =
        family == Family::kV4 || v6_off ? v_switch.cidr : *v_switch.cidr_v6;
    if (!usable(cidr, ip)) {
      return {403, "InvalidVSwitchId.IpInvalid",
              fmt::format("The specified Ip \"{}\" is not usable in the "
                          "VSwitch \"{}\".",
                          ip.to_string(), v_switch.id)};
    }
    if (used != used_.end() && used->second.contains(ip)) {
      return {400, "InvalidPrivateIpAddress.Duplicated",
              fmt::format("The specified private Ip \"{}\" is in use.",
                          ip.to_string())};
    }
  }
  return {};
}

Fault Region::check_room(const VSwitchSpec& v_switch, std::size_t v4) const {
  if (v4 == 0) return {};
  const auto knob = knobs.exhausted.find(v_switch.id);
  if (knob != knobs.exhausted.end()) return not_enough(v_switch, knob->second);
  if (free_v4(v_switch) < v4) return not_enough(v_switch, {});
  return {};
}

Fault Region::check_quota(const Eni& eni, Family family,
                          std::size_t more) const {
  const bool v4 = family == Family::kV4;
  if (!v4 && !v_switches_.at(eni.v_switch).cidr_v6) {
    return {403, "InvalidVSwitch.Ipv6NotTurnOn",
            "IPv6 is not turned on in the VSwitch of the ENI."};
  }
  const std::size_t wanted = eni.list(family).size() + more;
  const InstanceTypeSpec* type = type_of(eni.instance);
  if (type == nullptr) {
    if (wanted <= (v4 ? kUnattachedV4 : kUnattachedV6)) return {};
    return {403,
            v4 ? "MaxEniPrivateIpsCountExceeded" : "MaxEniIpv6IpsCountExceeded",
            "The maximum number of IPs of an ENI is exceeded."};
  }
  if (!v4 && type->v6_per_eni == 0) {
    return {403, "InvalidOperation.Ipv6NotSupport",
            "The instance type does not support IPv6."};
  }
  if (wanted <= (v4 ? type->v4_per_eni : type->v6_per_eni)) return {};
  return {403,
          v4 ? "InvalidOperation.Ipv4CountExceeded"
             : "InvalidOperation.Ipv6CountExceeded",
          fmt::format("The maximum number of IPs of an ENI of the instance "
                      "type {} is exceeded.",
                      type->name)};
}

Fault Region::check_attach(const Eni& eni, const Instance& instance) const {
  if (eni.state != EniState::kAvailable) {
    return {400, "InvalidOperation.InvalidEniState",
            fmt::format("The operation is not allowed in the current state of "
                        "the ENI {}: expected Available, current {}.",
                        eni.id, to_string(eni.state))};
  }
  if (instance.status != "Running" && instance.status != "Stopped") {
    return {400, "InvalidOperation.InvalidEcsState",
            fmt::format("The operation is not allowed while the instance is "
                        "{}.",
                        instance.status)};
  }
  if (eni.vpc != instance.vpc) {
    return {403, "InvalidOperation.VpcMismatch",
            "The ENI and the instance are not in the same VPC."};
  }
  if (eni.zone != instance.zone) {
    return {403, "InvalidOperation.AvailabilityZoneMismatch",
            "The ENI and the instance are not in the same zone."};
  }
  const InstanceTypeSpec& type = types_.at(instance.spec.type);
  const auto present =
      std::count_if(enis_.begin(), enis_.end(), [&](const auto& entry) {
        return entry.second.instance == instance.spec.id;
      });
  if (static_cast<unsigned>(present) >= type.enis) {
    return {403, "EniPerInstanceLimitExceeded",
            "The maximum number of ENIs of the instance is exceeded."};
  }
  if (eni.list(Family::kV4).size() > type.v4_per_eni) {
    return {403, "InvalidOperation.Ipv4CountExceeded",
            "The ENI holds more IPv4 addresses than the type allows."};
  }
  const std::size_t v6 = eni.list(Family::kV6).size();
  if (v6 > 0 && type.v6_per_eni == 0) {
    return {403, "InvalidOperation.Ipv6NotSupport",
            "The instance type does not support IPv6."};
  }
  if (v6 > type.v6_per_eni) {
    return {403, "InvalidOperation.Ipv6CountExceeded",
            "The ENI holds more IPv6 addresses than the type allows."};
  }
  return {};
}

IpAddr Region::take_free(const VSwitchSpec& v_switch, Family family) {
  const Cidr& cidr = family == Family::kV4 ? v_switch.cidr : *v_switch.cidr_v6;
  std::map<IpAddr, std::string>& used = used_[v_switch.id];
  const std::uint64_t size = cidr.size();
  std::uint64_t offset = random_() % size;
  while (true) {
    const std::optional<IpAddr> ip = cidr.first().plus(offset);
    if (ip && usable(cidr, *ip) && !used.contains(*ip)) return *ip;
    offset = (offset + 1) % size;
  }
}

void Region::give(Eni& eni, const IpAddr& ip, Instant visible) {
  used_[eni.v_switch][ip] = eni.id;
  eni.addresses.push_back({ip, visible});
}

void Region::drop_eni(const std::string& id) {
  const auto found = enis_.find(id);
  for (const EniAddress& address : found->second.addresses) {
    used_[found->second.v_switch].erase(address.ip);
  }
  enis_.erase(found);
}

void Region::note(EniEvent::Kind kind, const Eni& eni) {
  events_.push_back({kind, view(eni)});
}

std::string Region::new_id(std::string_view prefix) {
  static constexpr std::string_view kAlphabet =
      "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string id(prefix);
  for (int i = 0; i < 20; ++i)
    id += kAlphabet[random_() % kAlphabet.size()];
  return id;
}

Mac Region::new_mac() {
  while (true) {
    const std::uint64_t r = random_();
    const Mac mac({0x00, 0x16, 0x3e, static_cast<std::uint8_t>(r),
                   static_cast<std::uint8_t>(r >> 8),
                   static_cast<std::uint8_t>(r >> 16)});
    const bool taken =
        std::any_of(enis_.begin(), enis_.end(),
                    [&](const auto& entry) { return entry.second.mac == mac; });
    if (!taken) return mac;
  }
}

}  // namespace linsey::sim
