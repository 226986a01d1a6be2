// Topology: what a lab looks like, as one strict JSON document. Addresses in
// it are what the machines have, labels are what the cluster believes; the two
// may disagree on purpose (a lying node), which is why nothing here checks
// one against the other. What cannot be built at all is refused: a node
// outside its network, two nodes with one address, a zone nobody described.
//
// `agent` is laid over every generated agent.json (JSON merge patch), so that
// a test can turn any knob without the lab knowing it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/json.h"
#include "base/result.h"

namespace linsey::lab {

/// A reflector or top-of-rack switch beside the gateway.
struct RouterSpec {
  std::string name;
  IpAddr address;
  std::optional<IpAddr> address6;
  std::uint32_t as_number = 0;
  unsigned longest = 0;     // longer IPv4 prefixes are filtered; 0: none are
  std::string options;      // BIRD's words, put into each of its sessions
  std::string peer = "{}";  // JSON text, laid over the nodes' entries for it
};

struct DataCentre {
  Cidr cidr;
  Cidr nodes;  // the one layer-2 network of the bare-metal nodes
  std::optional<Cidr> nodes6;
  IpAddr switch_address;  // their gateway; the route reflector, if no routers
  std::map<std::string, RouterSpec> routers;
  std::uint32_t as_number = 64512;
  std::vector<Cidr> routes;  // sent into the line
};

struct Line {
  Cidr data_centre;  // the ends' addresses, with the length of the link
  Cidr vpc;
  std::uint32_t rate_mbit = 1000;
  std::uint32_t burst_kb = 512;
};

struct Pool {
  std::string name;
  Cidr cidr;
  std::uint32_t block_size = 0;  // 0: the agent's default
};

struct VSwitch {
  std::string id;
  Cidr cidr;
  std::optional<Cidr> cidr6;

  /// The address of the VPC router: the third from the end, with IPv6 the
  /// ninth.
  IpAddr gateway() const;
  std::optional<IpAddr> gateway6() const;
};

struct Zone {
  VSwitch host_v_switch;
  std::vector<VSwitch> pod_v_switches;  // empty: not given to the agents
};

/// What a security group admits beside the VPC's own networks.
struct SecurityGroup {
  std::vector<Cidr> ingress;
  std::vector<Cidr> egress;
};

struct Vpc {
  std::string id;
  Cidr cidr;
  std::optional<Cidr> cidr6;  // pods get IPv6 addresses then
  IpAddr open_api;            // where the cloud's API answers
  std::vector<Cidr> routes;   // route entries that point into the line
  std::string security_group;
  std::map<std::string, SecurityGroup> groups;  // others admit everything
  std::map<std::string, Zone> zones;

  /// nullptr when no zone has it.
  const VSwitch* find_v_switch(std::string_view v_switch_id) const;
};

struct ModeRule {
  std::string name;
  std::string selector;
  std::string mode;  // bgp, eni
};

enum class Site : std::uint8_t { kDataCentre, kCloud };

struct NodeSpec {
  std::string name;
  Site site = Site::kDataCentre;
  std::string zone;  // cloud only
  IpAddr address;
  std::optional<IpAddr> address6;
  std::uint32_t as_number = 0;  // what routers expect; 0: dataCentre's
  std::string instance_type;    // cloud only
  std::map<std::string, std::string> labels;
  std::string product;       // what DMI says
  std::vector<Cidr> blocks;  // given to it by `blocks.assignments`
  bool joins_later = false;
};

struct Topology {
  std::string name;
  std::string region;
  std::vector<Cidr> services;
  DataCentre data_centre;
  Line line;
  std::vector<Pool> pools;
  Vpc vpc;
  std::vector<ModeRule> modes;
  std::map<std::string, NodeSpec> nodes;
  std::string agent_overlay = "{}";  // JSON text
};

/// Errors: kInvalidConfig with a JSON pointer, the fact and the remedy;
/// kDecode when it is no JSON.
Result<Topology> parse_topology(std::string_view text);

}  // namespace linsey::lab
