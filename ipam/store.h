// Store: the ledger in SQLite, WAL, synchronous=NORMAL.
//
// One save() is one transaction of the rows that changed, called once for all
// requests of a loop turn. It survives kill -9 at any step; after a power loss
// it is consistent, possibly older, which is enough because then every sandbox
// is gone. Every row carries a checksum and the whole a digest, so damage that
// SQLite cannot see is seen here. A damaged file is never deleted: it is set
// aside as PATH.corrupt-N, the rows that still verify are taken over, and the
// caller adds what the kernel shows. PATH.last tells one that lost its newest
// saves. Times are boot times; on another boot
// running cool-downs start again and holders are handed back as stale.
// Rejected: one JSON file rewritten each time (700 µs and growing with pods).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"
#include "ipam/ledger.h"

namespace linsey::ipam {

struct StoreOptions {
  std::string path;     // its directory exists
  std::string boot_id;  // base boot_id(); a parameter so that tests can reboot
  LedgerOptions ledger;
};

/// What was on disk.
struct Loaded {
  Ledger ledger;
  std::vector<Error> warnings;
  /// Nothing was read: there was no database, none that was ever saved, or one
  /// that cannot be read. Only the kernel knows what is held.
  bool fresh = false;
};

/// What linseyctl shows of a database, also while the agent is dead.
struct Snapshot {
  std::string boot_id;
  std::vector<AddressRow> addresses;
  std::vector<Held> attachments;
};

class Store {
 public:
  struct Opened;

  /// Opens or creates the database and loads it. Damage (kStateCorrupt), a
  /// newer version's file (kProtocolMismatch) and what cannot be read or
  /// written (kDiskFull, kPermission, kIo) are warnings, not errors: the agent
  /// must still serve DEL. Errors: kTryAgainLater when another process has it
  /// open for writing.
  static Result<Opened> open(const StoreOptions& options, Instant now);
  /// Reads without locking anybody out. Errors: kIo, kStateCorrupt.
  static Result<Snapshot> read(const std::string& path);

  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  /// Commits the rows touched since the last successful save; without any it
  /// only sees to it that the file is open for writing. On failure
  /// nothing was written, the rows stay dirty and the next call tries again
  /// (opening the file anew if need be); the caller unwinds new assignments,
  /// releases stand. Errors: kDiskFull (also read-only), kIo, kPermission.
  /// Durable: against kill -9; after a power loss older but consistent.
  Result<void> save(Ledger& ledger, Instant now);

 private:
  struct Database;
  explicit Store(std::unique_ptr<Database> database);

  std::unique_ptr<Database> database_;
};

struct Store::Opened {
  Store store;
  Loaded loaded;
};

}  // namespace linsey::ipam
