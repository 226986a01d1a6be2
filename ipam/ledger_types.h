// The words of the ledger: what a supplier puts in, what an assignment asks
// for, and the rows that people and the store see. Plain structs.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "ipam/types.h"

namespace linsey::ipam {

/// One address that a supplier has. All addresses of one attachment share one
/// `group`: in bgp mode it is "" everywhere, in eni mode the ENI's id, so that
/// IPv4 and IPv6 of a pod sit on one ENI.
struct Supply {
  IpAddr address;
  std::string source;  // block CIDR, or "vsw-…/eni-…"
  std::string group;

  bool operator==(const Supply&) const = default;
};

enum class State : std::uint8_t {
  kFree,      // may be given now
  kCooling,   // released, not yet past its cool-down
  kHeld,      // belongs to an attachment
  kReserved,  // in use by something without a key (kernel evidence)
};

/// One address as it stands at some instant.
struct AddressRow {
  IpAddr address;
  std::string source;
  std::string group;
  State state = State::kFree;
  bool draining = false;         // not (or no longer) confirmed by a supplier
  std::optional<Instant> since;  // last release; nullopt: never used
  std::optional<AttachmentKey> holder;
  std::string note;  // kReserved: what was seen

  bool operator==(const AddressRow&) const = default;
};

struct Counts {
  std::uint32_t free = 0;
  std::uint32_t cooling = 0;
  std::uint32_t held = 0;
  std::uint32_t reserved = 0;
  std::uint32_t draining = 0;  // unheld and not to be given

  std::uint32_t total() const {
    return free + cooling + held + reserved + draining;
  }
  bool operator==(const Counts&) const = default;
};

struct AssignRequest {
  Attachment attachment;
  /// One address of each is given, all or nothing. attachment.wanted_ips may
  /// add a family.
  std::vector<Family> families;
  /// When the plugin started (boot time). With it only an ADD older than its
  /// DEL is refused; without it every ADD within the tombstone's life is.
  std::optional<Instant> asked_at;
};

struct Assigned {
  Held held;
  bool is_new = true;  // false: the key held it before
};

struct LedgerOptions {
  Duration cool_down = std::chrono::seconds(30);
  Duration cool_down_min = std::chrono::seconds(5);
  Duration tombstone_life = std::chrono::seconds(60);
  std::size_t tombstone_limit = 4096;
};

/// What one attachment gave back.
struct Released {
  AttachmentKey key;
  std::vector<IpAddr> addresses;

  bool operator==(const Released&) const = default;
};

/// Rows touched since the last save; a pair without a row was deleted.
struct Changes {
  struct Address {
    IpAddr address;
    std::optional<AddressRow> row;  // state is kFree for idle ones
  };
  struct Attachment {
    AttachmentKey key;
    const Held* held = nullptr;  // nullptr: deleted
    bool stale = false;
  };
  std::vector<Address> addresses;
  std::vector<Attachment> attachments;

  bool empty() const { return addresses.empty() && attachments.empty(); }
};

}  // namespace linsey::ipam
