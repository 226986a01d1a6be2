#include "lab/vpc.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/process.h"
#include "base/sha1.h"

namespace linsey::lab {
namespace {

constexpr std::string_view kFence = R"(
table inet vpc {
  counter spoofed { }
  counter refused { }
  map from_eni { type ifname : verdict; }
  map to_eni { type ifname : verdict; }
  set owned4 { type ifname . ipv4_addr; }
  set owned6 { type ifname . ipv6_addr; }
  chain fence {
    type filter hook prerouting priority raw; policy accept;
    iifname "eni-*" meta nfproto ipv4 iifname . ip saddr != @owned4 counter name spoofed drop
    iifname "eni-*" meta nfproto ipv6 ip6 saddr != { ::, fe80::/10 } iifname . ip6 saddr != @owned6 counter name spoofed drop
  }
}
)";

/// Only where a topology describes groups: it costs connection tracking.
constexpr std::string_view kGroups = R"(
table inet vpc {
  chain groups {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    iifname vmap @from_eni
    oifname vmap @to_eni
  }
}
)";

std::string joined(const std::vector<Cidr>& networks, Family family) {
  std::string list;
  for (const Cidr& network : networks) {
    if (network.family() != family) continue;
    list += (list.empty() ? "" : ", ") + network.to_string();
  }
  return list;
}

/// A chain that lets pass what goes to (or comes from) `networks`.
std::string confining_chain(const std::string& link, bool from,
                            const std::vector<Cidr>& networks) {
  const std::string chain = (from ? "from_" : "to_") + link;
  std::string script = fmt::format("add chain inet vpc {}\n", chain);
  for (const Family family : kFamilies) {
    const std::string list = joined(networks, family);
    if (list.empty()) continue;
    script += fmt::format("add rule inet vpc {} {} {} {{ {} }} return\n", chain,
                          family == Family::kV4 ? "ip" : "ip6",
                          from ? "daddr" : "saddr", list);
  }
  return script + fmt::format(
                      "add rule inet vpc {0} counter name refused drop\n"
                      "add element inet vpc {1}_eni {{ \"{2}\" : jump {0} }}\n",
                      chain, from ? "from" : "to", link);
}

std::string router_end(const std::string& eni_id) {
  return "eni-" + sha1_hex(eni_id).substr(0, 11);
}

std::string_view owned_set(const IpAddr& address) {
  return address.is_v4() ? "owned4" : "owned6";
}

Result<void> prepare_router(const netlink::NetNs& router) {
  return write_sysctls(router, {{"ipv4/ip_forward", "1"},
                                {"ipv6/conf/all/forwarding", "1"},
                                {"ipv4/conf/all/rp_filter", "0"},
                                {"ipv4/conf/default/rp_filter", "0"},
                                {"ipv4/conf/default/proxy_arp", "1"}});
}

std::string gateway_lines(const Vpc& vpc) {
  std::string lines = "link set lo up\n";
  const auto add = [&](const VSwitch& v_switch) {
    lines += fmt::format("addr add {} dev lo\n",
                         Cidr::host(v_switch.gateway()).to_string());
  };
  for (const auto& [name, zone] : vpc.zones) {
    add(zone.host_v_switch);
    for (const VSwitch& v_switch : zone.pod_v_switches) {
      add(v_switch);
    }
  }
  return lines + fmt::format("addr add {} dev lo\n",
                             Cidr::host(vpc.open_api).to_string());
}

}  // namespace

Result<VpcNetwork> VpcNetwork::build(const Topology& topology) {
  VpcNetwork vpc(topology, TRY(netlink::NetNs::create()));
  TRY(prepare_router(vpc.router_));
  TRY(context(ip_batch(vpc.router_, gateway_lines(topology.vpc)),
              "give the VPC router its gateways"));
  TRY(context(nft(vpc.router_, std::string(kFence)), "fence the VPC router"));
  if (!topology.vpc.groups.empty()) {
    TRY(context(nft(vpc.router_, std::string(kGroups)), "guard the VPC"));
  }
  return vpc;
}

Result<void> VpcNetwork::attach(const EniLink& eni, const netlink::NetNs& node,
                                const std::string& ifname) {
  const VSwitch* v_switch = topology_->vpc.find_v_switch(eni.v_switch);
  if (v_switch == nullptr) {
    return make_error(Code::kVSwitchNotFound,
                      "ENI {} is in vSwitch {}, which the topology lacks",
                      eni.id, eni.v_switch);
  }
  if (plugged_.contains(eni.id)) {
    return make_error(Code::kInterfaceExists, "ENI {} is plugged in already",
                      eni.id);
  }
  Plugged plugged{router_end(eni.id), eni.mac, v_switch->gateway(), {}};
  TRY(context(
      ip_batch(
          router_,
          fmt::format("link add {0} type veth peer name {1} address {2} "
                      "netns {3}\nlink set {0} up\n",
                      plugged.link, ifname, eni.mac.to_string(), node.path())),
      "plug in ENI {}", eni.id));
  // A link answers for others at once; the delay is per link only.
  TRY(write_sysctls(
      router_,
      {{fmt::format("ipv4/neigh/{}/proxy_delay", plugged.link), "0"}}));
  // IPv6 hosts look for their gateway on the link; it is on each of them.
  if (const auto gateway6 = v_switch->gateway6()) {
    TRY(ip_batch(router_, fmt::format("addr add {}/128 dev {} nodad\n",
                                      gateway6->to_string(), plugged.link)));
  }
  TRY(confine(plugged, eni.groups));
  Plugged& kept = plugged_.emplace(eni.id, std::move(plugged)).first->second;
  return own(kept, {eni.addresses.begin(), eni.addresses.end()});
}

Result<void> VpcNetwork::detach(const std::string& eni_id) {
  const auto found = plugged_.find(eni_id);
  if (found == plugged_.end()) return {};
  ErrorList errors;
  errors.add(own(found->second, {}));
  errors.add(set_free(found->second));
  errors.add(ip_batch(router_, "link del " + found->second.link + "\n"));
  plugged_.erase(found);
  return context(errors.result(), "pull out ENI {}", eni_id);
}

Result<void> VpcNetwork::set_addresses(const std::string& eni_id,
                                       const std::vector<IpAddr>& addresses) {
  const auto found = plugged_.find(eni_id);
  if (found == plugged_.end()) return {};
  return context(own(found->second, {addresses.begin(), addresses.end()}),
                 "change the addresses of ENI {}", eni_id);
}

Result<void> VpcNetwork::own(Plugged& eni, const std::set<IpAddr>& wanted) {
  std::string ip;
  std::string fence;
  const auto change = [&](const IpAddr& address, bool add) {
    const std::string host = Cidr::host(address).to_string();
    const std::string source =
        add && address.is_v4() ? " src " + eni.gateway.to_string() : "";
    ip += fmt::format("route {} {} dev {}{}\n", add ? "replace" : "del", host,
                      eni.link, source);
    ip += add ? fmt::format("neigh replace {} lladdr {} dev {} nud permanent\n",
                            address.to_string(), eni.mac.to_string(), eni.link)
              : fmt::format("neigh del {} dev {}\n", address.to_string(),
                            eni.link);
    fence += fmt::format("{} element inet vpc {} {{ \"{}\" . {} }}\n",
                         add ? "add" : "delete", owned_set(address), eni.link,
                         address.to_string());
  };
  for (const IpAddr& address : eni.addresses) {
    if (!wanted.contains(address)) change(address, false);
  }
  for (const IpAddr& address : wanted) {
    if (!eni.addresses.contains(address)) change(address, true);
  }
  if (ip.empty()) return {};
  TRY(nft(router_, fence));
  eni.addresses = wanted;
  return ip_batch(router_, ip);
}

Result<void> VpcNetwork::confine(Plugged& eni,
                                 const std::vector<std::string>& groups) {
  std::vector<Cidr> ingress{topology_->vpc.cidr};
  if (topology_->vpc.cidr6) ingress.push_back(*topology_->vpc.cidr6);
  std::vector<Cidr> egress = ingress;
  if (groups.empty()) return {};
  for (const std::string& id : groups) {
    const auto group = topology_->vpc.groups.find(id);
    if (group == topology_->vpc.groups.end()) return {};  // admits everything
    const auto& [in, out] = group->second;
    ingress.insert(ingress.end(), in.begin(), in.end());
    egress.insert(egress.end(), out.begin(), out.end());
  }
  TRY(context(nft(router_, confining_chain(eni.link, true, egress) +
                               confining_chain(eni.link, false, ingress)),
              "confine {}", eni.link));
  eni.confined = true;
  return {};
}

Result<void> VpcNetwork::set_free(Plugged& eni) {
  if (!eni.confined) return {};
  std::string script;
  for (const char* way : {"from", "to"}) {
    script += fmt::format(
        "delete element inet vpc {0}_eni {{ \"{1}\" }}\n"
        "flush chain inet vpc {0}_{1}\ndelete chain inet vpc {0}_{1}\n",
        way, eni.link);
  }
  eni.confined = false;
  return nft(router_, script);
}

Result<std::uint64_t> VpcNetwork::counter(const std::string& name) const {
  Command command;
  command.argv = {"nft", "-j", "list", "counter", "inet", "vpc", name};
  command.netns_fd = router_.fd();
  const Json json = TRY(parse_json(TRY(run_ok(command))));
  for (const Json& entry : json.value("nftables", Json::array())) {
    if (const Json* found = find_member(entry, "counter")) {
      return found->value("packets", std::uint64_t{0});
    }
  }
  return make_error(Code::kKernel, "nft lists no counter \"{}\"", name);
}

}  // namespace linsey::lab
