// What BIRD is to do, and the text that tells it so. Pure: no file, no socket.
//
// Safety of the text: BIRD's strings have no escapes, so a name or password
// that could end its string is refused with an error, never repaired; all else
// is printed from numbers and addresses. Safety of routing: what may leave is
// one function of the text, which admits our static protocol alone, and of
// that nothing that meets `never_announced` or a default route; the import
// filters list what may come in and never admit anything inside an own block.
// Rejected: a template file for operators to edit, which could undo all three.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace linsey::bgp {

/// Standard with two numbers (16 bits each), large with three.
struct Community {
  std::uint32_t global = 0;
  std::uint32_t first = 0;
  std::optional<std::uint32_t> second;

  bool operator==(const Community&) const = default;
};

enum class BfdMode : std::uint8_t { kOff, kOn, kGraceful };

struct Bfd {
  BfdMode mode = BfdMode::kOff;
  std::chrono::milliseconds interval{300};
  unsigned multiplier = 3;

  bool operator==(const Bfd&) const = default;
};

/// What is said of every announced route.
struct Announcement {
  std::vector<Community> communities;
  std::uint32_t med = 0;               // 0: none
  unsigned prepend = 0;                // eBGP
  std::uint32_t local_preference = 0;  // iBGP; 0: BIRD's own

  bool operator==(const Announcement&) const = default;
};

enum class LimitAction : std::uint8_t { kWarn, kBlock, kRestart, kDisable };

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

/// One BGP session, for routes of one family or both.
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
  bool ttl_security = false;
  bool graceful_restart = true;
  std::chrono::seconds restart_time{120};
  bool long_lived = false;  // graceful restart goes on as RFC 9494 has it
  std::chrono::seconds stale_time{3600};
  Bfd bfd;
  std::vector<Family> families;  // empty: that of `address`
  bool extended_next_hop = false;
  bool next_hop_self = true;
  unsigned allow_own_as = 0;
  Announcement announcement;
  std::uint32_t max_prefixes = 0;  // before any filter; 0: no limit
  LimitAction max_prefix_action = LimitAction::kRestart;
  std::optional<std::vector<Import>> imports;  // nullopt: the speaker's

  bool operator==(const Peer&) const = default;
};

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
  /// Nothing that lies in one of these, or covers one, is ever announced
  /// (Services, VPC, nodes); default routes and the node's own addresses go
  /// without saying.
  std::vector<Cidr> never_announced;
  std::vector<Cidr> never_imported;  // and nothing inside these comes in
  /// While the node drains: said of every route, to every peer.
  std::optional<Announcement> drain;

  bool operator==(const Speaker&) const = default;
};

/// The name of a peer's protocol in BIRD.
std::string protocol_name(const Peer& peer);

/// The families of a peer's routes, in order.
std::vector<Family> families_of(const Peer& peer);

/// Those of `speaker.blocks` that may be announced at all.
std::vector<Cidr> announceable(const Speaker& speaker);

/// The whole configuration file, the same bytes for the same speaker. Errors:
/// kInvalidConfig naming the peer or prefix and how to mend it.
Result<std::string> render(const Speaker& speaker);

}  // namespace linsey::bgp
