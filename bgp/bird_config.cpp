#include "bgp/bird_config.h"

#include <algorithm>

#include "bgp/bird_config_parts.h"
namespace linsey::bgp {
namespace {

std::vector<Cidr> blocks_of(const std::vector<Cidr>& all, Family family) {
  std::vector<Cidr> blocks;
  for (const Cidr& block : all) {
    if (block.family() == family) blocks.push_back(block);
  }
  std::sort(blocks.begin(), blocks.end());
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  return blocks;
}

std::vector<Cidr> denied(const Speaker& speaker) {
  std::vector<Cidr> result = speaker.never_announced;
  for (const IpAddr& address : speaker.node_addresses) {
    result.push_back(Cidr::host(address));
  }
  return result;
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

/// The one place that says what may leave. Default routes are denied by name,
/// so that the list is never empty.
std::string may_leave(const Speaker& speaker, Family family) {
  std::vector<std::string> never{family == Family::kV4 ? "0.0.0.0/0" : "::/0"};
  for (const Cidr& cidr : blocks_of(denied(speaker), family)) {
    never.push_back(cidr.to_string() + "+");
    never.push_back(cidr.to_string() + "-");
  }
  return fmt::format(
      "function linsey_may_leave{0}()\n{{\n{1}"
      "  return proto = \"linsey_blocks{0}\";\n}}\n\n"
      "filter linsey_export{0} {{\n"
      "  if linsey_may_leave{0}() then accept;\n  reject;\n}}\n\n",
      digit(family), match(never, "return false"));
}

std::string community_text(const Community& c) {
  if (c.second) {
    return fmt::format("  bgp_large_community.add(({}, {}, {}));\n", c.global,
                       c.first, *c.second);
  }
  return fmt::format("  bgp_community.add(({}, {}));\n", c.global, c.first);
}

std::string announcement_text(const Announcement& what, std::uint32_t own_as,
                              bool internal) {
  std::string text;
  for (const Community& community : what.communities) {
    text += community_text(community);
  }
  if (what.med != 0) text += fmt::format("  bgp_med = {};\n", what.med);
  if (internal && what.local_preference != 0) {
    text += fmt::format("  bgp_local_pref = {};\n", what.local_preference);
  }
  for (unsigned i = 0; !internal && i < what.prepend; ++i) {
    text += fmt::format("  bgp_path.prepend({});\n", own_as);
  }
  return text;
}

/// What this peer is told of every route; empty for most.
std::string said_to(const Speaker& speaker, const Peer& peer) {
  const bool internal = peer.as_number == speaker.as_number;
  std::string text =
      announcement_text(peer.announcement, speaker.as_number, internal);
  if (speaker.drain) {
    text += announcement_text(*speaker.drain, speaker.as_number, internal);
  }
  return text;
}

std::string export_name(const Speaker& speaker, const Peer& peer,
                        Family family) {
  if (said_to(speaker, peer).empty()) {
    return fmt::format("linsey_export{}", digit(family));
  }
  return fmt::format("'linsey_export{}_{}'", digit(family), peer.name);
}

std::string import_name(const Peer& peer, Family family) {
  return peer.imports
             ? fmt::format("'linsey_import{}_{}'", digit(family), peer.name)
             : fmt::format("linsey_import{}", digit(family));
}

std::string import_filter(const Speaker& speaker, const std::string& name,
                          const std::vector<Import>& imports, Family family) {
  std::vector<std::string> never;
  for (const Cidr& cidr : blocks_of(speaker.never_imported, family)) {
    never.push_back(cidr.to_string() + "+");
  }
  for (const Cidr& block : blocks_of(speaker.blocks, family)) {
    never.push_back(block.to_string() + "+");
  }
  std::vector<std::string> listed;
  for (const Import& import : imports) {
    if (import.prefix.family() != family) continue;
    listed.push_back(fmt::format("{}{{{},{}}}", import.prefix.to_string(),
                                 import.ge, import.le));
  }
  std::sort(listed.begin(), listed.end());
  return fmt::format("filter {} {{\n{}{}  reject;\n}}\n\n", name,
                     match(never, "reject"), match(listed, "accept"));
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
  for (const Cidr& block : blocks_of(announceable(speaker), family)) {
    routes += fmt::format("  route {} blackhole;\n", block.to_string());
  }
  return may_leave(speaker, family) +
         import_filter(speaker, fmt::format("linsey_import{}", n),
                       speaker.imports, family) +
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

std::string bfd_text(const Bfd& bfd) {
  if (bfd.mode == BfdMode::kOff) return {};
  return fmt::format(
      "  bfd {0};\n"
      "  bfd {{\n    min rx interval {1} ms;\n    min tx interval {1} ms;\n"
      "    idle tx interval {1} ms;\n    multiplier {2};\n  }};\n",
      bfd.mode == BfdMode::kGraceful ? "graceful" : "on", bfd.interval.count(),
      bfd.multiplier);
}

std::string restart_text(const Peer& peer) {
  if (!peer.graceful_restart) return "  graceful restart off;\n";
  std::string text =
      fmt::format("  graceful restart on;\n  graceful restart time {};\n",
                  peer.restart_time.count());
  if (peer.long_lived) {
    text += fmt::format(
        "  long lived graceful restart on;\n  long lived stale time {};\n",
        peer.stale_time.count());
  }
  return text;
}

const char* action_text(LimitAction action) {
  switch (action) {
    case LimitAction::kWarn:
      return "warn";
    case LimitAction::kBlock:
      return "block";
    case LimitAction::kRestart:
      return "restart";
    case LimitAction::kDisable:
      break;
  }
  return "disable";
}

std::string next_hop_text(const Speaker& speaker, const Peer& peer,
                          Family family) {
  std::string text;
  if (family != peer.address.family()) {
    if (family == Family::kV4 && peer.extended_next_hop) {
      text += "    extended next hop on;\n";
    } else {
      text += fmt::format("    next hop address {};\n",
                          node_address(speaker, family)->to_string());
    }
  }
  if (peer.next_hop_self) text += "    next hop self;\n";
  return text;
}

std::string channel_text(const Speaker& speaker, const Peer& peer,
                         Family family) {
  // A reflector's next hops are other nodes: they are looked up among the
  // connected and learned routes, as the reflector itself may not forward.
  const bool recursive =
      peer.as_number == speaker.as_number || peer.multihop.has_value();
  std::string text = fmt::format("  ipv{} {{\n    gateway {};\n", digit(family),
                                 recursive ? "recursive" : "direct");
  text += next_hop_text(speaker, peer, family);
  if (peer.max_prefixes != 0) {
    // Without it BIRD counts only what the import filter admits.
    text += fmt::format(
        "    import keep filtered on;\n    receive limit {} action {};\n",
        peer.max_prefixes, action_text(peer.max_prefix_action));
  }
  return text + fmt::format(
                    "    import filter {};\n    export filter {};\n"
                    "  }};\n",
                    import_name(peer, family),
                    export_name(speaker, peer, family));
}

/// Filters that are this peer's alone.
std::string peer_filters(const Speaker& speaker, const Peer& peer) {
  std::string text;
  const std::string said = said_to(speaker, peer);
  for (const Family family : families_of(peer)) {
    if (peer.imports) {
      text += import_filter(speaker, import_name(peer, family), *peer.imports,
                            family);
    }
    if (said.empty()) continue;
    text += fmt::format(
        "filter {} {{\n  if ! linsey_may_leave{}() then reject;\n{}"
        "  accept;\n}}\n\n",
        export_name(speaker, peer, family), digit(family), said);
  }
  return text;
}

std::string session_text(const Speaker& speaker, const Peer& peer) {
  std::string text = fmt::format(
      "  local {} port {} as {};\n"
      "  strict bind yes;\n"
      "  neighbor {} port {} as {};\n",
      local_address(speaker, peer)->to_string(), speaker.listen_port,
      speaker.as_number, peer.address.to_string(), peer.port, peer.as_number);
  text += peer.multihop ? fmt::format("  multihop {};\n", *peer.multihop)
                        : "  direct;\n";
  if (peer.ttl_security) text += "  ttl security on;\n";
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
  if (peer.allow_own_as != 0) {
    text += fmt::format("  allow local as {};\n", peer.allow_own_as);
  }
  return text + restart_text(peer) + bfd_text(peer.bfd);
}

std::string peer_text(const Speaker& speaker, const Peer& peer) {
  std::string text = peer_filters(speaker, peer);
  text += fmt::format("protocol bgp '{}' {{\n", protocol_name(peer));
  text += session_text(speaker, peer);
  for (const Family family : families_of(peer)) {
    text += channel_text(speaker, peer, family);
  }
  return text + "}\n\n";
}

bool uses_bfd(const Speaker& speaker) {
  return std::any_of(
      speaker.peers.begin(), speaker.peers.end(),
      [](const Peer& peer) { return peer.bfd.mode != BfdMode::kOff; });
}

}  // namespace

Import import_of(const Cidr& prefix) {
  const unsigned length = prefix.prefix_len();
  return {prefix, length, length == 0 ? 0 : bits(prefix.family())};
}

std::string protocol_name(const Peer& peer) {
  return "peer_" + peer.name;
}

std::vector<Family> families_of(const Peer& peer) {
  std::vector<Family> families = peer.families;
  if (families.empty()) families.push_back(peer.address.family());
  std::sort(families.begin(), families.end());
  families.erase(std::unique(families.begin(), families.end()), families.end());
  return families;
}

std::vector<Cidr> announceable(const Speaker& speaker) {
  const std::vector<Cidr> never = denied(speaker);
  std::vector<Cidr> result;
  for (const Cidr& block : speaker.blocks) {
    const auto meets = [&](const Cidr& cidr) { return cidr.overlaps(block); };
    if (std::none_of(never.begin(), never.end(), meets)) {
      result.push_back(block);
    }
  }
  return result;
}

Result<std::string> render(const Speaker& speaker) {
  TRY(check_speaker(speaker));
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
  if (uses_bfd(speaker)) text += "protocol bfd linsey_bfd {\n}\n\n";
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
