// Image: what a database file holds, row by row verified.
//
// Schema 1: `address` one row an address, `attachment` one row a holder with
// its document (codec.h), `state` one row with boot id, boot time of the last
// save and the digest. Every row has a checksum over its columns; the digest
// is the exclusive or of all checksums, so a vanished row shows as well as a
// changed one, and an update costs no more than the rows it touches.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ipam/ledger_types.h"
#include "ipam/sqlite.h"

namespace linsey::ipam {

inline constexpr std::int64_t kSchemaVersion = 1;
/// The statements that make an empty database.
const char* schema();

struct StoredAddress {
  AddressRow row;  // state kFree or kReserved; holders stand with attachments
  std::uint64_t checksum = 0;
};

struct StoredAttachment {
  Held held;
  bool stale = false;
  std::uint64_t checksum = 0;
};

struct Image {
  std::string boot_id;
  Instant saved_at{};
  std::vector<StoredAddress> addresses;
  std::vector<StoredAttachment> attachments;
  std::uint64_t digest = 0;  // of the rows above
  /// The first damage found; the rows that verify are in all the same.
  std::optional<Error> damage;
  /// Written by a newer version of ours: not to be touched (kProtocolMismatch).
  std::optional<Error> newer;
};

/// Columns of one address, as written and as checked.
struct AddressColumns {
  explicit AddressColumns(const AddressRow& row);
  AddressColumns(const Statement& statement, int first);

  std::uint64_t checksum() const;

  std::string address;
  std::string source;
  std::string group;
  std::int64_t reserved = 0;
  std::optional<std::int64_t> since;
  std::string note;
};

std::uint64_t attachment_checksum(const AttachmentKey& key, bool stale,
                                  const std::string& document);

/// Reads everything that can be read. Damage is in the image, but errors that
/// are none (kIo, kPermission, kTryAgainLater) are returned.
Result<Image> read_image(const Connection& connection);

/// Opens a file for reading, also on a disk that is read-only, and reads it.
/// Errors: kTryAgainLater, kPermission; all else is damage.
Result<Image> read_image(const std::string& path);

}  // namespace linsey::ipam
