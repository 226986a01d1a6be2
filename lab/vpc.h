// Vpc: the cloud's network as a router namespace. Every ENI is a veth pair,
// one end here, the other in its node under the name the node's kernel would
// have given it. Here lie the rules a real VPC enforces without telling:
//   - an address is reachable through the ENI that owns it and no other;
//   - a packet whose source the sending ENI does not own is dropped, counted;
//   - the fabric knows every owner's MAC: the node is never asked by ARP for
//     a secondary address (permanent neighbours), and the gateway answers ARP
//     for every address that exists (proxy ARP);
//   - the data centre is reached through the VPC's route entries alone;
//   - what an ENI's security groups do not admit is dropped, counted; answers
//     pass.
// Thread: the world's; nothing here locks.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "lab/in_namespace.h"
#include "lab/topology.h"
#include "netlink/netns.h"

namespace linsey::lab {

struct EniLink {
  std::string id;
  Mac mac;
  std::string v_switch;
  std::vector<IpAddr> addresses;
  std::vector<std::string> groups = {};  // security groups
};

class VpcNetwork {
 public:
  /// Builds the router: gateways, anti-spoofing, route entries. `topology`
  /// must outlive it.
  static Result<VpcNetwork> build(const Topology& topology);

  const netlink::NetNs& router() const { return router_; }

  /// Plugs an ENI into a node; its end is named `ifname` there, down and bare.
  /// Errors: kVSwitchNotFound, kInterfaceExists when it is plugged already.
  Result<void> attach(const EniLink& eni, const netlink::NetNs& node,
                      const std::string& ifname);
  /// Pulls the ENI out; one that is not plugged in is success.
  Result<void> detach(const std::string& eni_id);
  /// What the ENI owns from now on; an unplugged one is success.
  Result<void> set_addresses(const std::string& eni_id,
                             const std::vector<IpAddr>& addresses);

  /// Packets dropped because their source was not the sender's.
  Result<std::uint64_t> spoofed() const { return counter("spoofed"); }
  /// Packets dropped because a security group did not admit them.
  Result<std::uint64_t> refused() const { return counter("refused"); }

 private:
  struct Plugged {
    std::string link;  // the router's end
    Mac mac;
    IpAddr gateway;
    std::set<IpAddr> addresses;
    bool confined = false;  // by its security groups
  };

  VpcNetwork(const Topology& topology, netlink::NetNs router)
      : topology_(&topology), router_(std::move(router)) {}
  Result<void> own(Plugged& eni, const std::set<IpAddr>& wanted);
  Result<void> confine(Plugged& eni, const std::vector<std::string>& groups);
  Result<void> set_free(Plugged& eni);
  Result<std::uint64_t> counter(const std::string& name) const;

  const Topology* topology_;
  netlink::NetNs router_;
  std::map<std::string, Plugged> plugged_;
};

}  // namespace linsey::lab
