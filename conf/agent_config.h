// The agent's configuration: one JSON document, strict. Every knob, its
// default and its unit stand in the structs below and nowhere else;
// docs/configuration.md is checked against them by a test.
//
// Unknown keys, wrong types and contradictions are errors that carry a JSON
// pointer, the fact and the remedy (Code::kInvalidConfig, kPoolOverlap,
// kCidrOverlap). A document is taken whole or not at all.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "conf/bgp_config.h"
#include "conf/selector.h"

namespace linsey::conf {

enum class Mode { kBgp, kEni };
std::string_view name(Mode mode);  // "bgp", "eni"

/// One rule of `modes`: nodes that `selector` matches are of this mode. No two
/// rules have the same selector; whether two select one node is known only
/// with the node's labels (agent/node_kind).
struct ModeRule {
  std::string name;
  Selector selector;
  Mode mode = Mode::kBgp;
};

/// `node`: who this node is.
struct NodeSource {
  std::string name;  // empty: $LINSEY_NODE_NAME, $NODE_NAME, the host name
  // The node object, see node.h; unused with a `kubernetes.source`.
  std::string file = "/etc/linsey/node.json";
};

/// `evidence`: where facts about the machine come from (decision 23).
struct Evidence {
  std::string metadata_url = "http://100.100.100.200";
  std::string dmi_path = "/sys/class/dmi/id/product_name";
  Duration timeout = 1s;
};

/// `cidrs`: the networks around the cluster; must be disjoint from each other
/// and from every pool.
struct CidrPlan {
  std::vector<Cidr> services;
  std::vector<Cidr> vpc;
  std::vector<Cidr> data_centre;
  std::vector<Cidr> nodes;  // may lie inside data_centre or vpc
};

struct Pool {
  std::string name;
  Cidr cidr;
  unsigned block_size = 0;  // prefix length; 0 in the file: 26 or 122
  Selector node_selector;   // empty selects every node
  bool disabled = false;
};

/// `blocks`: which blocks a node has. Source `file` is the embedded default.
struct Blocks {
  std::string source = "file";                           // file | cluster
  std::map<std::string, std::vector<Cidr>> assignments;  // node -> blocks
};

struct Ipam {
  Duration cool_down = 30s;
  Duration cool_down_min = 5s;  // how far exhaustion may shrink it
  Duration wait = 25s;  // how long an ADD waits for an address; below 60s
};

struct EniZone {
  std::vector<std::string> v_switches;  // in order of preference
};

struct EniPool {
  unsigned min_idle = 2;  // addresses kept free, warm
  unsigned max_idle = 8;  // more than this many idle ones are given back
  Duration check_every = 30s;
};

/// This node's share of the account's quota, for each action by itself: the
/// cloud counts calls by action and minute over all nodes of an account.
struct EniRate {
  unsigned calls_per_minute = 60;
  unsigned burst = 20;  // at once, after a quiet time
};

struct EniRules {
  std::uint32_t to_pod_priority = 512;
  std::uint32_t from_pod_priority = 2048;
  std::uint32_t table_base = 1000;  // table = base + index of the ENI's link
  /// One bit of packet and connection marks: "came in by the primary NIC".
  std::uint32_t return_mark = 0x80;  // 0: answers leave by the pod's ENI
  std::uint32_t return_priority = 1024;
};

/// Where credentials come from, tried in this order.
struct CloudCredentials {
  bool ram_role = true;  // through the metadata service
  std::string key_file;  // JSON {accessKeyId, accessKeySecret,
                         // securityToken?}; empty: none
};

struct Eni {
  std::string region;        // empty: from the metadata service
  std::string ecs_endpoint;  // URL; empty: https://ecs-vpc.REGION.aliyuncs.com
  std::string vpc_endpoint;  // URL; empty: https://vpc-vpc.REGION.aliyuncs.com
  std::map<std::string, EniZone> zones;
  std::string selection = "ordered";  // ordered | most-free | random
  std::vector<std::string> security_groups;
  bool allow_host_v_switch = false;
  bool ipv6 = false;  // pods get an address of each family
  std::map<std::string, std::string> tags;
  EniPool pool;
  EniRate rate;
  EniRules rules;
  CloudCredentials credentials;
  Duration call_timeout = 20s;
};

/// `cni`: what the agent publishes for the container runtime.
struct Cni {
  std::string conf_dir;  // "/etc/cni/net.d"; empty: no conflist is published
  std::string conflist = "10-linsey.conflist";  // its name there
  /// The list to publish; empty: the one that is built in.
  std::string conflist_source;
  std::string bin_dir = "/opt/cni/bin";  // plugins that the list names
};

/// `kubernetes`: the API server. With source `off` the node object and all
/// documents are files.
struct Kubernetes {
  std::string source = "off";  // off | in-cluster | kubeconfig
  std::string kubeconfig;      // its path
  // The ConfigMap with this document; an empty name: the file alone counts.
  std::string config_map_namespace = "kube-system";
  std::string config_map;
  std::string config_map_key = "agent.json";
  unsigned writes_per_second = 5;  // also after a long outage
  Duration taint_after = 10s;      // no address for so long: taint the node
  Duration untaint_after = 30s;    // addresses again for so long: take it off
};

struct Log {
  std::string level = "info";
  std::string format = "text";  // text | json
};

struct AgentConfig {
  int version = 1;
  std::string cluster = "default";
  NodeSource node;
  Kubernetes kubernetes;
  std::string socket = "/run/linsey/agent.sock";
  std::string run_dir = "/run/linsey";
  std::string state_dir = "/var/lib/linsey";
  std::string metrics_listen;  // "127.0.0.1:9479"; empty: socket only
  std::uint32_t mtu = 0;       // 0: that of the uplink
  std::uint32_t mtu_headroom = 0;
  std::vector<ModeRule> modes;
  Evidence evidence;
  CidrPlan cidrs;
  std::vector<Pool> pools;
  Blocks blocks;
  Ipam ipam;
  Bgp bgp;
  Eni eni;
  Cni cni;
  Log log;
};

/// Reads and checks one document. Errors: kInvalidConfig, kPoolOverlap,
/// kCidrOverlap, kDecode; each with pointer, fact and remedy.
Result<AgentConfig> parse_agent_config(std::string_view text);

/// The contradictions between parts that are sound each by itself; the second
/// half of parse_agent_config, for a configuration built in memory. Errors:
/// kInvalidConfig, kPoolOverlap, kCidrOverlap.
Result<void> check_agent_config(const AgentConfig& config);

}  // namespace linsey::conf
