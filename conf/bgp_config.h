// The `bgp` section: whom the bare-metal nodes speak to, and what they say.
//
// Only what a network team decides stands here. What it may never decide, that
// nothing but the node's own blocks is announced, is no knob (bgp/bird_config).
// Every default is a value of these structs; conf/bgp_config.cpp reads the
// document and conf/bgp_checks.cpp refuses what contradicts itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/json.h"
#include "base/result.h"
#include "conf/selector.h"

namespace linsey::conf {

using namespace std::chrono_literals;  // defaults below read as "30s"
using Duration = std::chrono::nanoseconds;

struct AgentConfig;

/// "64512:100" (standard) or "4200000000:1:2" (large). Errors: kInvalidConfig.
struct Community {
  std::uint32_t global = 0;
  std::uint32_t first = 0;
  std::optional<std::uint32_t> second;  // large ones only

  static Result<Community> parse(std::string_view text);
  std::string to_string() const;
  bool operator==(const Community&) const = default;
};

/// "10.0.0.0/8", "10.0.0.0/8 ge 16 le 24": a prefix and the lengths its routes
/// may have; without them the prefix and all inside it, and for a default
/// route that route alone. Errors: kInvalidConfig.
struct ImportRule {
  Cidr prefix;
  unsigned ge = 0;
  unsigned le = 0;

  static Result<ImportRule> parse(std::string_view text);
  bool operator==(const ImportRule&) const = default;
};

/// `bgp.peers[].bfd`. Mode `graceful` keeps routes while BIRD restarts; `on`
/// takes a restart for a failure. Both ends must agree.
struct Bfd {
  std::string mode = "off";  // off | on | graceful
  Duration interval = 300ms;
  unsigned multiplier = 3;
};

struct BgpPeer {
  std::string name;
  Selector node_selector;
  IpAddr address;
  std::uint16_t port = 179;
  std::uint32_t as_number = 0;    // 0: the node's own (iBGP)
  std::string password_file;      // TCP-MD5; empty: none
  Duration hold_time = 90s;       // 0s: sessions never time out
  Duration keepalive_time = 30s;  // absent in the file: a third of hold_time
  std::optional<IpAddr> source_address;
  std::optional<unsigned> multihop;  // nullopt: directly connected
  bool ttl_security = false;         // RFC 5082
  bool graceful_restart = true;
  Duration restart_time = 120s;
  bool long_lived_graceful_restart = false;  // RFC 9494
  Duration stale_time = 1h;
  Bfd bfd;
  std::vector<Family> families;    // empty: that of `address`
  bool extended_next_hop = false;  // IPv4 by IPv6 next hops, RFC 8950
  bool next_hop_self = true;
  unsigned allow_own_as = 0;  // how often our AS may be in a path
  std::vector<Community> communities;
  std::uint32_t med = 0;               // 0: none is sent
  unsigned prepend = 0;                // our AS number, so many times more
  std::uint32_t local_preference = 0;  // iBGP; 0: BIRD's default, 100
  std::uint32_t max_prefixes = 0;      // as received; 0: no limit
  std::string max_prefix_action = "restart";      // warn|block|restart|disable
  std::optional<std::vector<ImportRule>> import;  // nullopt: bgp.import
};

struct AsRule {
  Selector node_selector;
  std::uint32_t as_number = 0;
};

struct Bird {
  std::string control_socket = "/run/linsey/bird/bird.ctl";
  std::string config_file = "/run/linsey/bird/bird.conf";
  std::string binary = "bird";  // for `bird -p`, the parser check
};

/// `bgp.drain`: how `linseyctl node drain-routes` tells routers to prefer
/// another way before the routes go.
struct Drain {
  std::vector<Community> communities{{65535, 0, {}}};  // RFC 8326
  std::uint32_t med = 0;                               // 0: unchanged
  Duration timeout = 5min;  // routes go then, traffic or not
  Duration quiet = 5s;      // no packet for so long: traffic is gone
};

struct Bgp {
  std::uint32_t as_number = 64512;
  std::vector<AsRule> as_numbers;   // first match wins over as_number
  std::optional<IpAddr> router_id;  // nullopt: the node's IPv4 address
  std::uint16_t listen_port = 179;
  std::vector<BgpPeer> peers;
  std::vector<ImportRule> import;  // empty: the cluster's own pools
  bool check_propagation = true;   // are other nodes' blocks in our table?
  Drain drain;
  bool drain_on_cordon = false;  // a cordon drains the routes, its end restores
  Bird bird;
};

/// Reads the section; errors stay in `reader`.
void read_bgp(ObjectReader& reader, Bgp& bgp);

/// Contradictions inside the section, and with the rest. Errors:
/// kInvalidConfig with pointer, fact and remedy.
Result<void> check_bgp(const AgentConfig& config);

}  // namespace linsey::conf
