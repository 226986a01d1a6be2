// What BIRD is to do, and the text that tells it so. Pure: no file, no socket.
//
// Safety of the text: BIRD's strings have no escapes, so a name or password
// that could end its string is refused with an error, never repaired; all else
// is printed from numbers and addresses. Safety of routing: the export filter
// admits our static protocol alone, which holds the own blocks exactly; the
// import filter lists what may come in and never admits anything inside an own
// block. Rejected: a template file for operators to edit, which could undo
// both.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace linsey::bgp {

/// One BGP session. It carries the family of `address`.
struct Peer {
  std::string name;  // letters, digits, "-", "_", "."; 1 to 48 of them
  IpAddr address;
  std::uint16_t port = 179;
  std::uint32_t as_number = 0;
  std::string password;                // TCP-MD5, at most 80 bytes; empty: none
  std::chrono::seconds hold_time{90};  // 0: never times out
  std::chrono::seconds keepalive_time{30};
  std::optional<IpAddr> source_address;  // nullopt: the node's
  std::optional<unsigned> multihop;      // nullopt: directly connected
  bool graceful_restart = true;

  bool operator==(const Peer&) const = default;
};

/// A prefix that may be imported, and how long its routes may be.
struct Import {
  Cidr prefix;
  unsigned ge = 0;
  unsigned le = 0;

  bool operator==(const Import&) const = default;
};

/// The usual meaning of a listed prefix: itself and all inside it. A default
/// route in the list means the default route alone, not everything.
Import import_of(const Cidr& prefix);

struct Speaker {
  IpAddr router_id;  // IPv4 form
  std::uint32_t as_number = 0;
  std::uint16_t listen_port = 179;
  /// Where sessions are spoken from, and the preferred source of imported
  /// routes; at most one of each family.
  std::vector<IpAddr> node_addresses;
  std::vector<Cidr> blocks;  // announced, exactly as they are
  std::vector<Peer> peers;
  std::vector<Import> imports;

  bool operator==(const Speaker&) const = default;
};

/// The name of a peer's protocol in BIRD.
std::string protocol_name(const Peer& peer);

/// The whole configuration file, the same bytes for the same speaker. Errors:
/// kInvalidConfig naming the peer or prefix and how to mend it.
Result<std::string> render(const Speaker& speaker);

}  // namespace linsey::bgp
