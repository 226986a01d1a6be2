#include "bgp/bird_config.h"

#include <algorithm>
#include <set>

namespace linsey::bgp {
namespace {

constexpr std::size_t kMaxName = 48;      // BIRD's symbols end at 64
constexpr std::size_t kMaxPassword = 80;  // TCP_MD5SIG_MAXKEYLEN

int digit(Family family) {
  return family == Family::kV4 ? 4 : 6;
}
unsigned bits(Family family) {
  return family == Family::kV4 ? 32 : 128;
}

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
  return {};
}

std::optional<IpAddr> local_address(const Speaker& speaker, const Peer& peer) {
  if (peer.source_address) return peer.source_address;
  for (const IpAddr& address : speaker.node_addresses) {
    if (address.family() == peer.address.family()) return address;
  }
  return std::nullopt;
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
  return {};
}

Result<void> check(const Speaker& speaker) {
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
  for (const Import& import : speaker.imports) {
    if (!import.prefix.has_host_bits() &&
        import.prefix.prefix_len() <= import.ge && import.ge <= import.le &&
        import.le <= bits(import.prefix.family())) {
      continue;
    }
    return make_error(Code::kInvalidConfig,
                      "import of {} with lengths {} to {} makes no sense",
                      import.prefix.to_string(), import.ge, import.le);
  }
  return {};
}

std::vector<Cidr> blocks_of(const Speaker& speaker, Family family) {
  std::vector<Cidr> blocks;
  for (const Cidr& block : speaker.blocks) {
    if (block.family() == family) blocks.push_back(block);
  }
  std::sort(blocks.begin(), blocks.end());
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  return blocks;
}

/// "  if net ~ [ a, b ] then ACTION;", or nothing: BIRD has no empty set.
std::string match(const std::vector<std::string>& patterns,
                  const char* action) {
  if (patterns.empty()) return {};
  std::string list;
  for (const std::string& pattern : patterns) {
    list += list.empty() ? pattern : ", " + pattern;
  }
  return fmt::format("  if net ~ [ {} ] then {};\n", list, action);
}

/// The static protocol holds the own blocks exactly and nothing else feeds it.
/// The text never changes: BIRD 2.0.12 does not announce a route that comes in
/// the same reconfiguration as the export filter that admits it.
std::string export_filter(Family family) {
  return fmt::format(
      "filter linsey_export{0} {{\n"
      "  if proto = \"linsey_blocks{0}\" then accept;\n  reject;\n}}\n\n",
      digit(family));
}

std::string import_filter(const Speaker& speaker, Family family) {
  std::vector<std::string> own;
  for (const Cidr& block : blocks_of(speaker, family)) {
    own.push_back(block.to_string() + "+");
  }
  std::vector<std::string> listed;
  for (const Import& import : speaker.imports) {
    if (import.prefix.family() != family) continue;
    listed.push_back(fmt::format("{}{{{},{}}}", import.prefix.to_string(),
                                 import.ge, import.le));
  }
  std::sort(listed.begin(), listed.end());
  return fmt::format("filter linsey_import{} {{\n{}{}  reject;\n}}\n\n",
                     digit(family), match(own, "reject"),
                     match(listed, "accept"));
}

std::string kernel_filter(const Speaker& speaker, Family family) {
  std::string source;
  for (const IpAddr& address : speaker.node_addresses) {
    if (address.family() != family) continue;
    source = fmt::format("  krt_prefsrc = {};\n", address.to_string());
  }
  return fmt::format(
      "filter linsey_kernel{} {{\n"
      "  if source != RTS_BGP then reject;\n{}  accept;\n}}\n\n",
      digit(family), source);
}

std::string family_text(const Speaker& speaker, Family family) {
  const int n = digit(family);
  std::string routes;
  for (const Cidr& block : blocks_of(speaker, family)) {
    routes += fmt::format("  route {} blackhole;\n", block.to_string());
  }
  return export_filter(family) + import_filter(speaker, family) +
         kernel_filter(speaker, family) +
         fmt::format(
             "protocol static linsey_blocks{0} {{\n  ipv{0};\n{1}}}\n\n"
             "protocol kernel linsey_kernel_proto{0} {{\n"
             "  scan time 30;\n  learn;\n  persist;\n"
             "  merge paths yes limit 16;\n  graceful restart yes;\n"
             "  ipv{0} {{\n"
             // 80: our own routes (pods, blackholes); no next hop hides there.
             "    import where krt_source != 80;\n"
             "    export filter linsey_kernel{0};\n  }};\n}}\n\n",
             n, routes);
}

std::string peer_text(const Speaker& speaker, const Peer& peer) {
  const int n = digit(peer.address.family());
  const bool internal = peer.as_number == speaker.as_number;
  std::string text = fmt::format(
      "protocol bgp '{}' {{\n"
      "  local {} port {} as {};\n"
      "  strict bind yes;\n"
      "  neighbor {} port {} as {};\n",
      protocol_name(peer), local_address(speaker, peer)->to_string(),
      speaker.listen_port, speaker.as_number, peer.address.to_string(),
      peer.port, peer.as_number);
  text += peer.multihop ? fmt::format("  multihop {};\n", *peer.multihop)
                        : "  direct;\n";
  text += fmt::format("  hold time {};\n", peer.hold_time.count());
  if (peer.hold_time.count() > 0) {
    text += fmt::format("  keepalive time {};\n", peer.keepalive_time.count());
  }
  text +=
      "  connect delay time 1;\n"
      "  connect retry time 5;\n"
      "  error wait time 1, 30;\n";
  if (!peer.password.empty()) {
    text += fmt::format("  password \"{}\";\n", peer.password);
  }
  text += fmt::format("  graceful restart {};\n",
                      peer.graceful_restart ? "on" : "off");
  // A reflector's next hops are other nodes: they are looked up among the
  // connected and learned routes, as the reflector itself may not forward.
  const bool recursive = internal || peer.multihop.has_value();
  text += fmt::format(
      "  ipv{0} {{\n    gateway {1};\n    next hop self;\n"
      "    import filter linsey_import{0};\n"
      "    export filter linsey_export{0};\n  }};\n}}\n\n",
      n, recursive ? "recursive" : "direct");
  return text;
}

}  // namespace

Import import_of(const Cidr& prefix) {
  const unsigned length = prefix.prefix_len();
  return {prefix, length, length == 0 ? 0 : bits(prefix.family())};
}

std::string protocol_name(const Peer& peer) {
  return "peer_" + peer.name;
}

Result<std::string> render(const Speaker& speaker) {
  TRY(check(speaker));
  std::string text = fmt::format(
      "# Written by linseyd; what is changed here by hand is lost.\n"
      "log stderr {{ info, remote, warning, error, auth, fatal, bug }};\n"
      "router id {};\n"
      "graceful restart wait 30;\n"
      "timeformat protocol iso long;\n"
      "timeformat route iso long;\n\n"
      "protocol device {{\n  scan time 10;\n}}\n\n"
      // Connected networks, so that next hops can be looked up; pods' links
      // hold none.
      "protocol direct linsey_connected {{\n"
      "  ipv4;\n  ipv6;\n  interface \"-cali*\", \"-lin*\", \"*\";\n}}\n\n",
      speaker.router_id.to_string());
  for (const Family family : kFamilies) {
    text += family_text(speaker, family);
  }
  std::vector<Peer> peers = speaker.peers;
  std::sort(peers.begin(), peers.end(),
            [](const Peer& a, const Peer& b) { return a.name < b.name; });
  for (const Peer& peer : peers) {
    text += peer_text(speaker, peer);
  }
  while (text.ends_with("\n\n")) {
    text.pop_back();
  }
  return text;
}

}  // namespace linsey::bgp
