// What render() refuses, so that its text needs no further care.
#include <algorithm>
#include <set>

#include "bgp/bird_config_parts.h"

namespace linsey::bgp {
namespace {

constexpr std::size_t kMaxName = 48;      // BIRD's symbols end at 64
constexpr std::size_t kMaxPassword = 80;  // TCP_MD5SIG_MAXKEYLEN

Error bad_peer(const Peer& peer, const std::string& what) {
  return make_error(Code::kInvalidConfig, "BGP peer \"{}\": {}", peer.name,
                    what);
}

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

Result<void> check_name(const std::string& name) {
  if (!name.empty() && name.size() <= kMaxName &&
      std::all_of(name.begin(), name.end(), is_name_char)) {
    return {};
  }
  // The name itself may hold anything, so it is not repeated.
  return make_error(Code::kInvalidConfig,
                    "the name of a BGP peer must be 1 to {} letters, digits, "
                    "\"-\", \"_\" or \".\"",
                    kMaxName);
}

/// Never repeats the password, not even its length.
Result<void> check_password(const Peer& peer) {
  if (peer.password.size() > kMaxPassword) {
    return bad_peer(peer, fmt::format("its password is longer than the {} "
                                      "bytes that TCP-MD5 can use",
                                      kMaxPassword));
  }
  for (const char c : peer.password) {
    if (c == '"' || static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
      return bad_peer(peer,
                      "its password holds a quotation mark or a control "
                      "character (a line end at the end of the file?), which "
                      "BIRD cannot be told; choose another one");
    }
  }
  return {};
}

Result<void> check_times(const Peer& peer) {
  const auto hold = peer.hold_time.count();
  const auto keepalive = peer.keepalive_time.count();
  if (hold != 0 && (hold < 3 || hold > 65535)) {
    return bad_peer(peer, "its hold time must be 0 or 3 to 65535 seconds");
  }
  if (hold != 0 && (keepalive < 1 || keepalive > hold)) {
    return bad_peer(peer,
                    "its keepalive time must be 1 second to its hold time");
  }
  const auto outside = [](std::chrono::seconds value, long high) {
    return value.count() < 1 || value.count() > high;
  };
  if (outside(peer.restart_time, 4095) || outside(peer.stale_time, 16777215)) {
    return bad_peer(peer,
                    "its restart time must be 1 to 4095 seconds and its stale "
                    "time 1 to 16777215");
  }
  if (peer.bfd.interval.count() < 1 || peer.bfd.interval.count() > 60000 ||
      peer.bfd.multiplier < 1 || peer.bfd.multiplier > 255) {
    return bad_peer(peer,
                    "its BFD interval must be 1 to 60000 ms and its multiplier "
                    "1 to 255");
  }
  return {};
}

bool sound(const Import& import) {
  return !import.prefix.has_host_bits() &&
         import.prefix.prefix_len() <= import.ge && import.ge <= import.le &&
         import.le <= bits(import.prefix.family());
}

Result<void> check_imports(const std::vector<Import>& imports) {
  for (const Import& import : imports) {
    if (sound(import)) continue;
    return make_error(Code::kInvalidConfig,
                      "import of {} with lengths {} to {} makes no sense",
                      import.prefix.to_string(), import.ge, import.le);
  }
  return {};
}

Result<void> check_announcement(const Announcement& announcement) {
  for (const Community& c : announcement.communities) {
    if (c.second || (c.global <= 65535 && c.first <= 65535)) continue;
    return make_error(Code::kInvalidConfig,
                      "the numbers of community {}:{} must be at most 65535",
                      c.global, c.first);
  }
  if (announcement.prepend <= 10) return {};
  return make_error(Code::kInvalidConfig,
                    "an AS number can be prepended 10 times, not {}",
                    announcement.prepend);
}

/// Routes of a family other than the session's need a next hop of theirs.
Result<void> check_families(const Speaker& speaker, const Peer& peer) {
  for (const Family family : families_of(peer)) {
    if (family == peer.address.family() || node_address(speaker, family) ||
        (family == Family::kV4 && peer.extended_next_hop)) {
      continue;
    }
    return bad_peer(
        peer,
        fmt::format("the node has no IPv{} address that could be the "
                    "next hop of its IPv{} routes; take the family out "
                    "of families{}",
                    digit(family), digit(family),
                    family == Family::kV4 ? " or set extendedNextHop" : ""));
  }
  return {};
}

Result<void> check_routes(const Speaker& speaker, const Peer& peer) {
  TRY(check_families(speaker, peer));
  TRY(context(check_announcement(peer.announcement), "BGP peer \"{}\"",
              peer.name));
  if (!peer.imports) return {};
  return context(check_imports(*peer.imports), "BGP peer \"{}\"", peer.name);
}

Result<void> check_peer(const Speaker& speaker, const Peer& peer) {
  TRY(check_name(peer.name));
  TRY(check_password(peer));
  TRY(check_times(peer));
  if (peer.as_number == 0) return bad_peer(peer, "its AS number is 0");
  if (peer.port == 0) return bad_peer(peer, "its port is 0");
  if (peer.address.is_unspecified() || peer.address.is_multicast() ||
      peer.address.is_link_local()) {
    return bad_peer(peer, peer.address.to_string() +
                              " cannot be a peer's address; link-local "
                              "sessions are not supported");
  }
  if (peer.multihop && (*peer.multihop < 1 || *peer.multihop > 255)) {
    return bad_peer(peer, "multihop must be 1 to 255");
  }
  const std::optional<IpAddr> local = local_address(speaker, peer);
  if (!local || local->family() != peer.address.family()) {
    return bad_peer(peer, fmt::format("the node has no IPv{} address to speak "
                                      "from; set sourceAddress",
                                      digit(peer.address.family())));
  }
  return check_routes(speaker, peer);
}

}  // namespace

int digit(Family family) {
  return family == Family::kV4 ? 4 : 6;
}

std::optional<IpAddr> node_address(const Speaker& speaker, Family family) {
  for (const IpAddr& address : speaker.node_addresses) {
    if (address.family() == family) return address;
  }
  return std::nullopt;
}

std::optional<IpAddr> local_address(const Speaker& speaker, const Peer& peer) {
  if (peer.source_address) return peer.source_address;
  return node_address(speaker, peer.address.family());
}

Result<void> check_speaker(const Speaker& speaker) {
  if (!speaker.router_id.is_v4() || speaker.router_id.is_unspecified()) {
    return make_error(Code::kInvalidConfig,
                      "the BGP router id must be an IPv4 address other than "
                      "0.0.0.0; set bgp.routerId on nodes without one");
  }
  if (speaker.as_number == 0) {
    return make_error(Code::kInvalidConfig, "the node's AS number is 0");
  }
  std::set<std::string> names;
  std::set<std::pair<IpAddr, std::uint16_t>> addresses;
  for (const Peer& peer : speaker.peers) {
    TRY(check_peer(speaker, peer));
    if (!names.insert(peer.name).second) {
      return bad_peer(peer, "there are two of this name");
    }
    if (!addresses.emplace(peer.address, peer.port).second) {
      return bad_peer(peer, "another peer has the same address and port");
    }
  }
  for (const Cidr& block : speaker.blocks) {
    if (!block.has_host_bits() && block.prefix_len() > 0) continue;
    return make_error(Code::kInvalidConfig, "{} cannot be announced",
                      block.to_string());
  }
  if (speaker.drain) TRY(check_announcement(*speaker.drain));
  return check_imports(speaker.imports);
}

}  // namespace linsey::bgp
