#include "conf/bgp_config.h"

#include <charconv>

#include "base/json.h"
#include "conf/readers.h"

namespace linsey::conf {
namespace {

constexpr std::int64_t kUint32Max = 4294967295;

/// Decimal digits alone, no sign, at most `high`.
std::optional<std::uint32_t> number(std::string_view text, std::uint32_t high) {
  std::uint32_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  if (text.empty() || value > high) return {};
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Result<Family> parse_family(std::string_view text) {
  if (text == "ipv4") return Family::kV4;
  if (text == "ipv6") return Family::kV6;
  return make_error(Code::kInvalidConfig,
                    "\"{}\" is none of \"ipv4\", \"ipv6\"", text);
}

void read_bfd(ObjectReader& reader, Bfd& bfd) {
  get_choice(reader, "mode", bfd.mode, {"off", "on", "graceful"});
  reader.get_duration("interval", bfd.interval);
  reader.get_int("multiplier", bfd.multiplier, 2, 255);
}

void read_session(ObjectReader& reader, BgpPeer& peer) {
  get_path(reader, "passwordFile", peer.password_file, true);
  reader.get_duration("holdTime", peer.hold_time);
  peer.keepalive_time =
      std::chrono::floor<std::chrono::seconds>(peer.hold_time / 3);
  reader.get_duration("keepaliveTime", peer.keepalive_time);
  get_optional(reader, "sourceAddress", peer.source_address);
  unsigned multihop = 0;
  reader.get_int("multihop", multihop, 0, 255);
  if (multihop != 0) peer.multihop = multihop;
  reader.get("ttlSecurity", peer.ttl_security);
  reader.get("gracefulRestart", peer.graceful_restart);
  reader.get_duration("restartTime", peer.restart_time);
  reader.get("longLivedGracefulRestart", peer.long_lived_graceful_restart);
  reader.get_duration("staleTime", peer.stale_time);
  reader.object("bfd", [&](ObjectReader& bfd) { read_bfd(bfd, peer.bfd); });
}

void read_routes(ObjectReader& reader, BgpPeer& peer) {
  reader.get_parsed_list("families", peer.families, parse_family);
  reader.get("extendedNextHop", peer.extended_next_hop);
  reader.get("nextHopSelf", peer.next_hop_self);
  reader.get_int("allowOwnAs", peer.allow_own_as, 0, 10);
  reader.get_parsed_list("communities", peer.communities, Community::parse);
  reader.get_int("med", peer.med, 0, kUint32Max);
  reader.get_int("prepend", peer.prepend, 0, 10);
  reader.get_int("localPreference", peer.local_preference, 0, kUint32Max);
  reader.get_int("maxPrefixes", peer.max_prefixes, 0, 10000000);
  get_choice(reader, "maxPrefixAction", peer.max_prefix_action,
             {"warn", "block", "restart", "disable"});
  if (!reader.has("import")) return;
  reader.get_parsed_list("import", peer.import.emplace(), ImportRule::parse);
}

void read_peer(ObjectReader& reader, BgpPeer& peer) {
  get_name(reader, "name", peer.name);
  reader.get_parsed("nodeSelector", peer.node_selector, Selector::parse);
  reader.require("address");
  reader.get_parsed("address", peer.address, IpAddr::parse);
  reader.get_int("port", peer.port, 1, 65535);
  reader.get_int("asNumber", peer.as_number, 0, kUint32Max);
  read_session(reader, peer);
  read_routes(reader, peer);
}

void read_drain(ObjectReader& reader, Drain& drain) {
  reader.get_parsed_list("communities", drain.communities, Community::parse);
  reader.get_int("med", drain.med, 0, kUint32Max);
  reader.get_duration("timeout", drain.timeout);
  reader.get_duration("quiet", drain.quiet);
}

Error no_community(std::string_view text) {
  return make_error(
      Code::kInvalidConfig,
      "\"{}\" is no community; write \"A:B\" with numbers up to 65535, or the "
      "large form \"A:B:C\" with numbers up to {}",
      text, kUint32Max);
}

}  // namespace

Result<Community> Community::parse(std::string_view text) {
  const std::vector<std::string_view> parts = split(text, ':');
  if (parts.size() != 2 && parts.size() != 3) return no_community(text);
  const std::uint32_t high =
      parts.size() == 2 ? 65535 : static_cast<std::uint32_t>(kUint32Max);
  std::vector<std::uint32_t> numbers;
  for (const std::string_view part : parts) {
    const std::optional<std::uint32_t> value = number(part, high);
    if (!value) return no_community(text);
    numbers.push_back(*value);
  }
  Community community{numbers[0], numbers[1], {}};
  if (numbers.size() == 3) community.second = numbers[2];
  return community;
}

std::string Community::to_string() const {
  return second ? fmt::format("{}:{}:{}", global, first, *second)
                : fmt::format("{}:{}", global, first);
}

Result<ImportRule> ImportRule::parse(std::string_view text) {
  const std::vector<std::string_view> words = split(text, ' ');
  const Result<Cidr> prefix = Cidr::parse_network(words[0]);
  if (!prefix) return prefix.error();
  const unsigned length = prefix->prefix_len();
  const unsigned bits = prefix->addr().bit_length();
  ImportRule rule{*prefix, length, length == 0 ? 0 : bits};
  const auto bad = [&] {
    return make_error(Code::kInvalidConfig,
                      "\"{}\" is no import rule; write \"PREFIX\", \"PREFIX ge "
                      "N\", \"PREFIX le N\" or \"PREFIX ge N le M\" with "
                      "lengths from {} to {}",
                      text, length, bits);
  };
  if (words.size() % 2 == 0 || words.size() > 5) return bad();
  if (words.size() > 1) rule.le = bits;
  for (std::size_t i = 1; i < words.size(); i += 2) {
    const std::optional<std::uint32_t> value = number(words[i + 1], bits);
    const bool again = i == 3 && words[1] == words[3];
    if (!value || again || (words[i] != "ge" && words[i] != "le")) return bad();
    (words[i] == "ge" ? rule.ge : rule.le) = *value;
  }
  if (rule.ge < length || rule.le < rule.ge) return bad();
  return rule;
}

void read_bgp(ObjectReader& reader, Bgp& bgp) {
  reader.get_int("asNumber", bgp.as_number, 1, kUint32Max);
  reader.each("asNumbers", [&](ObjectReader& item) {
    AsRule& rule = bgp.as_numbers.emplace_back();
    item.require("nodeSelector");
    item.get_parsed("nodeSelector", rule.node_selector, Selector::parse);
    item.require("asNumber");
    item.get_int("asNumber", rule.as_number, 1, kUint32Max);
  });
  get_optional(reader, "routerId", bgp.router_id);
  reader.get_int("listenPort", bgp.listen_port, 1, 65535);
  reader.each("peers", [&](ObjectReader& item) {
    read_peer(item, bgp.peers.emplace_back());
  });
  reader.get_parsed_list("import", bgp.import, ImportRule::parse);
  reader.get("checkPropagation", bgp.check_propagation);
  reader.object("drain",
                [&](ObjectReader& drain) { read_drain(drain, bgp.drain); });
  reader.get("drainOnCordon", bgp.drain_on_cordon);
  reader.object("bird", [&](ObjectReader& bird) {
    get_path(bird, "controlSocket", bgp.bird.control_socket);
    get_path(bird, "configFile", bgp.bird.config_file);
    bird.get("binary", bgp.bird.binary);
  });
}

}  // namespace linsey::conf
