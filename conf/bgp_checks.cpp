// What one key of `bgp` alone cannot tell. Each check walks one part and
// returns at its first finding.
#include <algorithm>
#include <set>
#include <utility>

#include "conf/agent_config.h"

namespace linsey::conf {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

template <typename... Args>
Error bad(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(Code::kInvalidConfig, format, std::forward<Args>(args)...);
}

Result<void> check_peer_times(std::size_t index, const BgpPeer& peer) {
  using std::chrono::seconds;
  const auto whole = [](Duration d) { return d % seconds(1) == Duration(0); };
  if (!whole(peer.hold_time) || peer.hold_time > seconds(65535) ||
      (peer.hold_time != seconds(0) && peer.hold_time < seconds(3))) {
    return bad(
        "/bgp/peers/{}/holdTime: must be 0s or whole seconds in "
        "3s..65535s (RFC 4271), is {}",
        index, format_duration(peer.hold_time));
  }
  if (peer.hold_time == seconds(0)) return {};
  if (!whole(peer.keepalive_time) || peer.keepalive_time < seconds(1) ||
      peer.keepalive_time * 3 > peer.hold_time) {
    return bad(
        "/bgp/peers/{}/keepaliveTime: must be whole seconds from 1s to "
        "a third of holdTime ({}), is {}; remove it to get the third",
        index, format_duration(peer.hold_time),
        format_duration(peer.keepalive_time));
  }
  return {};
}

/// Whole seconds in [1 s, high].
Result<void> check_seconds(const std::string& where, Duration value,
                           seconds high) {
  if (value % seconds(1) == Duration(0) && value >= seconds(1) &&
      value <= high) {
    return {};
  }
  return bad("{}: must be whole seconds in 1s..{}s, is {}", where, high.count(),
             format_duration(value));
}

Result<void> check_restarts(const std::string& at, const BgpPeer& peer) {
  TRY(check_seconds(at + "/restartTime", peer.restart_time, seconds(4095)));
  TRY(check_seconds(at + "/staleTime", peer.stale_time, seconds(16777215)));
  if (peer.long_lived_graceful_restart && !peer.graceful_restart) {
    return bad(
        "{}/longLivedGracefulRestart: is true while gracefulRestart is false; "
        "it begins where that ends, so set both",
        at);
  }
  const Bfd& bfd = peer.bfd;
  if (bfd.interval % milliseconds(1) != Duration(0) ||
      bfd.interval < milliseconds(10) || bfd.interval > seconds(60)) {
    return bad(
        "{}/bfd/interval: must be whole milliseconds in 10ms..60s, is {}", at,
        format_duration(bfd.interval));
  }
  return {};
}

Result<void> check_families(const std::string& at, const BgpPeer& peer) {
  if (std::set(peer.families.begin(), peer.families.end()).size() !=
      peer.families.size()) {
    return bad("{}/families: names one family twice; remove one", at);
  }
  if (peer.extended_next_hop &&
      (peer.address.is_v4() ||
       std::ranges::count(peer.families, Family::kV4) == 0)) {
    return bad(
        "{}/extendedNextHop: is for IPv4 routes over an IPv6 session; give "
        "the router's IPv6 address and families [\"ipv4\", …], or remove it",
        at);
  }
  return {};
}

Result<void> check_preference(const std::string& at, const BgpPeer& peer) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < peer.communities.size(); ++i) {
    const std::string text = peer.communities[i].to_string();
    if (!seen.insert(text).second) {
      return bad("{}/communities/{}: {} is listed twice; remove one", at, i,
                 text);
    }
  }
  if (peer.local_preference != 0 && peer.as_number != 0 && peer.prepend != 0) {
    return bad(
        "{}/localPreference: is for iBGP and prepend for eBGP; remove one of "
        "the two",
        at);
  }
  return {};
}

/// A listed Service network would send the cluster's own Services away.
Result<void> check_imports(const AgentConfig& config, const std::string& where,
                           const std::vector<ImportRule>& rules) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    for (const Cidr& services : config.cidrs.services) {
      if (!services.contains(rules[i].prefix)) continue;
      return bad(
          "{}/{}: {} lies in the Service network {}, which is never imported; "
          "remove it",
          where, i, rules[i].prefix.to_string(), services.to_string());
    }
  }
  return {};
}

Result<void> check_drain(const Drain& drain) {
  if (drain.quiet < seconds(1) || drain.quiet > drain.timeout) {
    return bad("/bgp/drain/quiet: must be 1s to timeout ({}), is {}",
               format_duration(drain.timeout), format_duration(drain.quiet));
  }
  return {};
}

Result<void> check_address(const std::string& at, const BgpPeer& peer) {
  const IpAddr& address = peer.address;
  if (address.is_unspecified() || address.is_multicast() ||
      address.is_loopback()) {
    return bad(
        "{}/address: {} cannot be a peer's address; write the unicast address "
        "of the router",
        at, address.to_string());
  }
  if (address.is_link_local()) {
    return bad(
        "{}/address: {} is link-local and says nothing without an interface; "
        "use the router's global address",
        at, address.to_string());
  }
  if (peer.source_address &&
      peer.source_address->family() != address.family()) {
    return bad(
        "{}/sourceAddress: {} is of another family than the peer's address {}",
        at, peer.source_address->to_string(), address.to_string());
  }
  return {};
}

Result<void> check_peer(const AgentConfig& config, std::size_t index) {
  const BgpPeer& peer = config.bgp.peers[index];
  const std::string at = fmt::format("/bgp/peers/{}", index);
  TRY(check_address(at, peer));
  TRY(check_peer_times(index, peer));
  TRY(check_restarts(at, peer));
  TRY(check_families(at, peer));
  TRY(check_preference(at, peer));
  if (!peer.import) return {};
  return check_imports(config, at + "/import", *peer.import);
}

}  // namespace

Result<void> check_bgp(const AgentConfig& config) {
  const std::vector<BgpPeer>& peers = config.bgp.peers;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    TRY(check_peer(config, i));
    for (std::size_t j = 0; j < i; ++j) {
      if (peers[i].name == peers[j].name) {
        return bad(
            "/bgp/peers/{}/name: \"{}\" is the name of /bgp/peers/{} already; "
            "give each its own",
            i, peers[i].name, j);
      }
      const bool same = peers[i].address == peers[j].address &&
                        peers[i].port == peers[j].port &&
                        peers[i].node_selector == peers[j].node_selector;
      if (!same) continue;
      return bad(
          "/bgp/peers/{}: is the same router on the same nodes as "
          "/bgp/peers/{} (\"{}\"); remove one of the two",
          i, j, peers[j].name);
    }
  }
  TRY(check_imports(config, "/bgp/import", config.bgp.import));
  TRY(check_drain(config.bgp.drain));
  if (config.bgp.router_id && !config.bgp.router_id->is_v4()) {
    return bad("/bgp/routerId: must be an IPv4 address, is {}",
               config.bgp.router_id->to_string());
  }
  return {};
}

}  // namespace linsey::conf
