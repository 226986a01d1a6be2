#include "datapath/plan.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/sha1.h"

namespace linsey::datapath {
namespace {

using netlink::Desired;
using netlink::Scope;

constexpr std::size_t kMaxIfname = 15;
// What Felix gives every host end; no frame leaves the pair, so it needs not
// be unique.
const Mac host_mac({0xee, 0xee, 0xee, 0xee, 0xee, 0xee});

IpAddr gateway_of(Family family) {
  constexpr std::array<std::uint8_t, 16> kLinkLocal{
      0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return family == Family::kV4 ? IpAddr::v4(0xa9fe0101)  // 169.254.1.1
                               : IpAddr::from_bytes(kLinkLocal);
}

Cidr everything(Family family) {
  constexpr std::array<std::uint8_t, 16> kZero{};
  return {IpAddr::from_bytes({kZero.data(), family == Family::kV4 ? 4U : 16U}),
          0};
}

/// RFC 4291 appendix A: the link-local address that belongs to a MAC.
IpAddr link_local_of(const Mac& mac) {
  const auto& m = mac.bytes();
  const std::array<std::uint8_t, 16> bytes{
      0xfe, 0x80, 0,
      0,    0,    0,
      0,    0,    static_cast<std::uint8_t>(m[0] ^ 2U),
      m[1], m[2], 0xff,
      0xfe, m[3], m[4],
      m[5]};
  return IpAddr::from_bytes(bytes);
}

std::optional<IpAddr> of_family(const std::vector<IpAddr>& addresses,
                                Family family) {
  const auto it = std::ranges::find(addresses, family, &IpAddr::family);
  if (it == addresses.end()) return std::nullopt;
  return *it;
}

/// Where the routes of an interface stand inside the pod.
struct PodTables {
  std::uint32_t metric = 0;
  std::uint32_t table = 0;  // 0: none of its own
};

PodTables pod_tables(const std::string& ifname) {
  if (ifname == "eth0") return {};
  const auto digest = sha1(ifname);
  const std::uint32_t number = digest[0] * 256U + digest[1];
  return {kPodMetricBase + number, kPodTableBase + number};
}

Result<void> check_ifname(const std::string& ifname) {
  const bool printable = std::ranges::all_of(ifname, [](unsigned char c) {
    return c > ' ' && c < 0x7f && c != '/' && c != ':';
  });
  if (ifname.empty() || ifname.size() > kMaxIfname || !printable ||
      ifname == "." || ifname == ".." || ifname == "lo") {
    return make_error(Code::kInvalidNetworkConfig,
                      "\"{}\" cannot be the name of a pod's interface; give "
                      "1 to {} printable characters without / and :",
                      ifname, kMaxIfname);
  }
  return {};
}

Result<void> check_mac(const std::optional<Mac>& mac) {
  if (!mac) return {};
  if ((mac->bytes()[0] & 1U) != 0 || *mac == Mac()) {
    return make_error(Code::kInvalidNetworkConfig,
                      "{} cannot be the MAC of an interface; give a unicast "
                      "address",
                      mac->to_string());
  }
  return {};
}

Result<void> check_addresses(const ipam::Allocation& allocation) {
  for (const Family family : kFamilies) {
    if (std::ranges::count(allocation.addresses, family, &IpAddr::family) > 1) {
      return make_error(Code::kInternal,
                        "allocation has two addresses of one family");
    }
  }
  if (allocation.addresses.empty()) {
    return make_error(Code::kInternal, "allocation has no address");
  }
  return {};
}

Result<std::uint32_t> choose_mtu(const ipam::Attachment& attachment,
                                 const ipam::Allocation& allocation) {
  const std::uint32_t mtu = attachment.wanted_mtu.value_or(allocation.mtu);
  const bool v6 = of_family(allocation.addresses, Family::kV6).has_value();
  const std::uint32_t least = v6 ? kMinMtuV6 : kMinMtu;
  if (mtu < least || mtu > kMaxMtu) {
    return make_error(Code::kInvalidNetworkConfig,
                      "mtu {} is out of range; give {} to {}", mtu, least,
                      kMaxMtu);
  }
  return mtu;
}

void add_pod_routes(Desired& pod, const IpAddr& address,
                    const PodTables& tables) {
  const Family family = address.family();
  const IpAddr gateway = gateway_of(family);
  const auto add = [&](std::uint32_t table, std::uint32_t metric) {
    if (family == Family::kV4) {
      pod.routes.push_back({.dst = Cidr::host(gateway),
                            .scope = Scope::kLink,
                            .table = table,
                            .priority = metric});
    }
    pod.routes.push_back({.dst = everything(family),
                          .gateway = gateway,
                          .onlink = family == Family::kV4,
                          .table = table,
                          .priority = metric});
  };
  add(netlink::kMainTable, tables.metric);
  if (tables.table == 0) return;
  add(tables.table, 0);
  pod.rules.push_back({.family = family,
                       .priority = kPodRulePriority,
                       .from = Cidr::host(address),
                       .table = tables.table});
}

void add_pod_side(Desired& pod, const IpAddr& address,
                  const PodTables& tables) {
  pod.addresses.push_back(
      {.cidr = Cidr::host(address), .no_prefix_route = true});
  if (!address.is_v4()) {
    // Made by hand, since the kernel's own would be tentative for a second.
    pod.manual_link_local = true;
    pod.addresses.push_back({.cidr = Cidr(link_local_of(pod.mac), 64)});
  }
  pod.neighbors.push_back(
      {.addr = gateway_of(address.family()), .mac = host_mac});
  add_pod_routes(pod, address, tables);
}

void add_host_side(Desired& host, const IpAddr& address, const Mac& pod_mac,
                   const ipam::Allocation& allocation) {
  if (!address.is_v4()) host.manual_link_local = true;
  host.neighbors.push_back({.addr = address, .mac = pod_mac});
  host.routes.push_back(
      {.dst = Cidr::host(address),
       .src = of_family(allocation.node_addresses, address.family()),
       .scope = Scope::kLink});
  if (!allocation.eni) return;
  host.rules.push_back({.family = address.family(),
                        .priority = allocation.eni->to_pod_priority,
                        .to = Cidr::host(address)});
  host.rules.push_back({.family = address.family(),
                        .priority = allocation.eni->from_pod_priority,
                        .from = Cidr::host(address),
                        .table = allocation.eni->table});
}

Result<Shaping> make_shaping(const ipam::Attachment& attachment,
                             std::uint32_t mtu) {
  const ipam::Bandwidth& wanted = attachment.bandwidth;
  Shaping shaping;
  shaping.to_pod =
      TRY(make_tbf(wanted.ingress_rate, wanted.ingress_burst, mtu));
  shaping.from_pod =
      TRY(make_tbf(wanted.egress_rate, wanted.egress_burst, mtu));
  if (shaping.from_pod) shaping.ifb_name = ifb_name(attachment.key);
  return shaping;
}

}  // namespace

Result<Plan> plan_pair(const ipam::Attachment& attachment) {
  const ipam::AttachmentKey& key = attachment.key;
  TRY(check_ifname(key.ifname));
  TRY(check_mac(attachment.wanted_mac));

  Plan plan;
  plan.key = key;
  plan.birth_group = birth_group(key);
  plan.pod.name = key.ifname;
  plan.pod.mtu = attachment.wanted_mtu.value_or(kUsualMtu);
  plan.pod.mac = attachment.wanted_mac.value_or(
      Mac::derived(key.network + "/" + alias_of(key)));
  plan.host.name = host_link_name(key, attachment.pod);
  plan.host.alias = alias_of(key);
  plan.host.mac = host_mac;
  plan.host.mtu = plan.pod.mtu;
  return plan;
}

Result<Plan> make_plan(const ipam::Attachment& attachment,
                       const ipam::Allocation& allocation) {
  Plan plan = TRY(plan_pair(attachment));
  TRY(check_addresses(allocation));
  const std::uint32_t mtu = TRY(choose_mtu(attachment, allocation));
  plan.shaping = TRY(make_shaping(attachment, mtu));
  plan.pod.mtu = mtu;
  plan.host.mtu = mtu;
  plan.host.ipv4_forwarding =
      of_family(allocation.addresses, Family::kV4).has_value();
  plan.host.route_localnet =
      plan.host.ipv4_forwarding && !attachment.port_mappings.empty();
  // Replies of a second interface may leave by the first one.
  plan.host.strict_reverse_path =
      plan.host.ipv4_forwarding && attachment.key.ifname == "eth0";
  const PodTables tables = pod_tables(attachment.key.ifname);
  for (const IpAddr& address : allocation.addresses) {
    add_pod_side(plan.pod, address, tables);
    add_host_side(plan.host, address, plan.pod.mac, allocation);
  }
  return plan;
}

}  // namespace linsey::datapath
