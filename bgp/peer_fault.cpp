#include "bgp/peer_fault.h"

#include <charconv>
#include <sstream>

#include "base/file.h"

namespace linsey::bgp {
namespace {

std::string router(const Peer& peer) {
  return fmt::format("BGP peer \"{}\" ({} port {})", peer.name,
                     peer.address.to_string(), peer.port);
}

bool says(const Session& session, std::string_view what) {
  return session.last_error.find(what) != std::string::npos;
}

Error wrong_as(const Peer& peer, const Session& session) {
  return make_error(
      Code::kPeerAsMismatch,
      "{}: the AS numbers of the two ends do not match ({}); here the router "
      "is AS {}: set asNumber of the peer, or the node's, to what the router "
      "has",
      router(peer), session.last_error, peer.as_number);
}

Error wrong_password(const Peer& peer, const Session& session) {
  return make_error(
      Code::kPeerPasswordMismatch,
      "{} is {} and the kernel drops segments {}: make passwordFile and the "
      "router's TCP-MD5 password the same",
      router(peer), session.bgp_state,
      peer.password.empty()
          ? "that carry a TCP-MD5 digest, though no passwordFile is set"
          : "whose TCP-MD5 digest is missing or wrong");
}

Error unreachable(const Peer& peer, const Session& session) {
  return make_error(
      Code::kPeerUnreachable, "{} does not answer: it is {}{}{}{}",
      router(peer), session.bgp_state,
      session.last_error.empty() ? "" : " (" + session.last_error + ")",
      peer.multihop ? "" : ", directly connected",
      peer.password.empty()
          ? "; look at address, route, firewall and the router's own peer "
            "list, and whether the router wants a password"
          : "; look at address, route and firewall, and whether the router's "
            "TCP-MD5 password is that of passwordFile, since a wrong one "
            "looks the same");
}

Error limit(const Peer& peer, const Session& session) {
  static constexpr const char* kDone[] = {
      "all of them were looked at", "the rest was not taken",
      "the session is restarted", "the session is disabled"};
  return make_error(
      Code::kPrefixLimit, "{} sends more than {} prefixes (maxPrefixes); {}{}",
      router(peer), peer.max_prefixes,
      kDone[static_cast<int>(peer.max_prefix_action)],
      session.established() ? "" : "; it is " + session.bgp_state);
}

Error not_up(const Peer& peer, const Session& session) {
  return make_error(
      Code::kPeerDown, "{} is {}{}", router(peer),
      session.bgp_state.empty() ? "unknown to BIRD" : session.bgp_state,
      session.last_error.empty() ? "" : " (" + session.last_error + ")");
}

/// Nothing came from the router that BGP could read.
bool is_silent(const Session& session) {
  const bool waiting = session.bgp_state == "Connect" ||
                       session.bgp_state == "Active" ||
                       session.bgp_state == "Idle";
  return waiting && (session.last_error.empty() || says(session, "Socket:"));
}

}  // namespace

Result<Md5Counters> parse_md5_counters(std::string_view netstat) {
  std::istringstream lines{std::string(netstat)};
  std::string names;
  std::string values;
  while (std::getline(lines, names) && std::getline(lines, values)) {
    if (!names.starts_with("TcpExt:")) continue;
    std::istringstream name_words(names);
    std::istringstream value_words(values);
    std::string name;
    std::string value;
    Md5Counters counters;
    while (name_words >> name && value_words >> value) {
      std::uint64_t number = 0;
      // "TcpExt:" itself is no number and stays 0.
      (void)std::from_chars(value.data(), value.data() + value.size(), number);
      if (name == "TCPMD5NotFound") counters.not_found = number;
      if (name == "TCPMD5Unexpected") counters.unexpected = number;
      if (name == "TCPMD5Failure") counters.failure = number;
    }
    return counters;
  }
  return make_error(Code::kDecode, "/proc/net/netstat has no line TcpExt");
}

Result<Md5Counters> md5_counters() {
  return parse_md5_counters(
      TRY(read_file("/proc/thread-self/net/netstat", std::size_t{1} << 16)));
}

Md5Evidence evidence(const Md5Counters& earlier, const Md5Counters& now) {
  return {.with_password = now.not_found > earlier.not_found ||
                           now.failure > earlier.failure,
          .without_password = now.unexpected > earlier.unexpected};
}

std::optional<Error> fault_of(const Peer& peer, const Session& session,
                              const Md5Evidence& md5) {
  if (session.limit_hit || says(session, "limit exceeded")) {
    if (!session.established() || session.limit_hit) {
      return limit(peer, session);
    }
  }
  if (session.established()) return std::nullopt;
  if (says(session, "Bad peer AS")) return wrong_as(peer, session);
  if (!is_silent(session)) return not_up(peer, session);
  const bool dropped =
      peer.password.empty() ? md5.without_password : md5.with_password;
  return dropped ? wrong_password(peer, session) : unreachable(peer, session);
}

}  // namespace linsey::bgp
