#include "ipam/store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>

#include "base/crash_point.h"
#include "base/log.h"
#include "ipam/codec.h"
#include "ipam/image.h"

namespace linsey::ipam {
namespace {

constexpr int kMaxSetAside = 9;

/// Renames the database and what belongs to it; the ninth is replaced rather
/// than let a damaged disk fill itself. Answers with the new name.
Result<std::string> set_aside(const std::string& path) {
  int n = 1;
  while (n < kMaxSetAside &&
         path_exists(fmt::format("{}.corrupt-{}", path, n))) {
    ++n;
  }
  const std::string aside = fmt::format("{}.corrupt-{}", path, n);
  // The -shm file is only an index of the -wal file.
  TRY(remove_file(path + "-shm"));
  for (const char* suffix : {"-wal", ""}) {
    const std::string from = path + suffix;
    if (rename(from.c_str(), (aside + suffix).c_str()) != 0 &&
        errno != ENOENT) {
      return errno_error(errno, fmt::format("rename {} to {}", from, aside));
    }
  }
  return aside;
}

/// A time of another boot: running cool-downs begin again, ended ones keep
/// their order before everything of this boot.
Instant carry_over(Instant since, Instant saved_at, Instant now,
                   Duration cool_down) {
  if (since + cool_down > saved_at) return now;
  return since - saved_at;
}

void restore(Ledger& ledger, const Image& image, bool same_boot, Instant now) {
  const bool clean = same_boot && !image.damage;
  for (const StoredAddress& stored : image.addresses) {
    AddressRow row = stored.row;
    if (same_boot && row.since) row.since = std::min(*row.since, now);
    if (!same_boot) {
      if (row.state == State::kReserved) {
        row.state = State::kFree;
        row.since = image.saved_at;
      }
      if (row.since) {
        row.since = carry_over(*row.since, image.saved_at, now,
                               ledger.options().cool_down);
      }
    }
    ledger.restore(row, clean);
  }
  for (const StoredAttachment& stored : image.attachments) {
    ledger.restore(stored.held, stored.stale || !same_boot, clean);
  }
}

Error corrupt(const std::string& path, const Error& damage,
              const std::string& aside, std::size_t kept) {
  return make_error(
      Code::kStateCorrupt,
      "{} is damaged ({}); it was set aside as {}, {} attachments were taken "
      "over from it, the kernel has to show the others",
      path, damage.msg, aside, kept);
}

}  // namespace

struct Store::Database {
  explicit Database(StoreOptions opts) : options(std::move(opts)) {}

  Result<void> connect();
  Result<void> write(const Changes& changes, Instant now);
  Result<void> write_address(const Changes::Address& change);
  Result<void> write_attachment(const Changes::Attachment& change);
  Result<void> fill(const Changes& changes, Instant now);
  void remember(const Image& image);
  void forget();

  /// One open file; the statements end before their connection does.
  struct Session {
    Connection connection;
    Statement begin, commit, rollback;
    Statement put_address, drop_address, put_attachment, drop_attachment;
    Statement put_state;
  };
  static Result<Session> prepare(Connection connection);

  StoreOptions options;
  std::optional<FileLock> lock;
  std::optional<Session> session;
  // Checksums of what is committed, and of the transaction under way.
  std::map<IpAddr, std::uint64_t> addresses;
  std::map<AttachmentKey, std::uint64_t> attachments;
  std::uint64_t digest = 0;
  std::vector<std::pair<IpAddr, std::uint64_t>> new_addresses;
  std::vector<std::pair<AttachmentKey, std::uint64_t>> new_attachments;
  std::uint64_t new_digest = 0;
};

void Store::Database::remember(const Image& image) {
  for (const StoredAddress& stored : image.addresses) {
    addresses[stored.row.address] = stored.checksum;
  }
  for (const StoredAttachment& stored : image.attachments) {
    attachments[stored.held.attachment.key] = stored.checksum;
  }
  digest = image.digest;
}

void Store::Database::forget() {
  addresses.clear();
  attachments.clear();
  digest = 0;
}

Result<Store::Database::Session> Store::Database::prepare(
    Connection connection) {
  Session s;
  s.connection = std::move(connection);
  s.begin = TRY(s.connection.prepare("BEGIN IMMEDIATE"));
  s.commit = TRY(s.connection.prepare("COMMIT"));
  s.rollback = TRY(s.connection.prepare("ROLLBACK"));
  s.put_address = TRY(s.connection.prepare(
      "REPLACE INTO address (address, source, grp, reserved, since, note, "
      "checksum) VALUES (?, ?, ?, ?, ?, ?, ?)"));
  s.drop_address =
      TRY(s.connection.prepare("DELETE FROM address WHERE address = ?"));
  s.put_attachment = TRY(s.connection.prepare(
      "REPLACE INTO attachment (network, container_id, ifname, stale, "
      "document, checksum) VALUES (?, ?, ?, ?, ?, ?)"));
  s.drop_attachment =
      TRY(s.connection.prepare("DELETE FROM attachment WHERE network = ? AND "
                               "container_id = ? AND ifname = ?"));
  s.put_state = TRY(s.connection.prepare(
      "REPLACE INTO state (id, boot, saved_at, digest) VALUES (1, ?, ?, ?)"));
  return s;
}

Result<void> Store::Database::connect() {
  const std::string& path = options.path;
  if (!lock) lock = TRY(FileLock::acquire(path + ".lock"));
  // Created here so that nobody but its owner may read it; SQLite gives the
  // -wal and -shm files the same mode.
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return errno_error(errno, fmt::format("open {}", path));
  TRY(file.close());
  Connection fresh = TRY(Connection::open(path, Connection::Access::kWrite));
  TRY(fresh.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL"));
  if (TRY(fresh.query_number("SELECT count(*) FROM sqlite_master")) == 0) {
    CRASH_POINT("store.creating");
    TRY(fresh.exec(fmt::format("BEGIN; {} COMMIT;", schema())));
    // So that a lost -wal file cannot make an old database look new.
    TRY(fresh.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
    CRASH_POINT("store.created");
  }
  session = TRY(prepare(std::move(fresh)));
  return {};
}

Result<void> Store::Database::write_address(const Changes::Address& change) {
  const auto known = addresses.find(change.address);
  if (known != addresses.end()) new_digest ^= known->second;
  if (!change.row) {
    new_addresses.emplace_back(change.address, 0);
    const std::string text = change.address.to_string();
    return session->drop_address.bind(1, text).run();
  }
  const AddressColumns columns(*change.row);
  const std::uint64_t checksum = columns.checksum();
  new_addresses.emplace_back(change.address, checksum);
  new_digest ^= checksum;
  session->put_address.bind(1, columns.address)
      .bind(2, columns.source)
      .bind(3, columns.group)
      .bind(4, columns.reserved)
      .bind_null(5)
      .bind(6, columns.note)
      .bind(7, static_cast<std::int64_t>(checksum));
  if (columns.since) session->put_address.bind(5, *columns.since);
  return session->put_address.run();
}

Result<void> Store::Database::write_attachment(
    const Changes::Attachment& change) {
  const AttachmentKey& key = change.key;
  const auto known = attachments.find(key);
  if (known != attachments.end()) new_digest ^= known->second;
  if (change.held == nullptr) {
    new_attachments.emplace_back(key, 0);
    return session->drop_attachment.bind(1, key.network)
        .bind(2, key.container_id)
        .bind(3, key.ifname)
        .run();
  }
  const std::string document = encode(*change.held);
  const std::uint64_t checksum =
      attachment_checksum(key, change.stale, document);
  new_attachments.emplace_back(key, checksum);
  new_digest ^= checksum;
  return session->put_attachment.bind(1, key.network)
      .bind(2, key.container_id)
      .bind(3, key.ifname)
      .bind(4, change.stale ? 1 : 0)
      .bind(5, document)
      .bind(6, static_cast<std::int64_t>(checksum))
      .run();
}

Result<void> Store::Database::fill(const Changes& changes, Instant now) {
  new_addresses.clear();
  new_attachments.clear();
  new_digest = digest;
  for (const Changes::Address& change : changes.addresses) {
    TRY(write_address(change));
  }
  for (const Changes::Attachment& change : changes.attachments) {
    TRY(write_attachment(change));
  }
  TRY(session->put_state.bind(1, options.boot_id)
          .bind(2, now.count())
          .bind(3, static_cast<std::int64_t>(new_digest))
          .run());
  CRASH_POINT("store.written");
  return session->commit.run();
}

Result<void> Store::Database::write(const Changes& changes, Instant now) {
  if (!session) TRY(connect());
  CRASH_POINT("store.begin");
  TRY(session->begin.run());
  Result<void> filled = fill(changes, now);
  if (!filled) {
    (void)session->rollback.run();  // a full disk has rolled back already
    return filled;
  }
  CRASH_POINT("store.saved");
  for (const auto& [address, checksum] : new_addresses) {
    if (checksum == 0) {
      addresses.erase(address);
    } else {
      addresses[address] = checksum;
    }
  }
  for (const auto& [key, checksum] : new_attachments) {
    if (checksum == 0) {
      attachments.erase(key);
    } else {
      attachments[key] = checksum;
    }
  }
  digest = new_digest;
  return {};
}

Store::Store(std::unique_ptr<Database> database)
    : database_(std::move(database)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store::Opened> Store::open(const StoreOptions& options, Instant now) {
  auto database = std::make_unique<Database>(options);
  Loaded loaded{Ledger(options.ledger), {}, false};
  Result<FileLock> lock = FileLock::acquire(options.path + ".lock");
  if (lock) {
    database->lock = std::move(lock).value();
  } else if (lock.error().code == Code::kTryAgainLater) {
    return lock.error();
  }
  if (path_exists(options.path)) {
    const Result<Image> image = read_image(options.path);
    if (!image) return context(image, "read the ledger").error();
    restore(loaded.ledger, *image, image->boot_id == options.boot_id, now);
    if (image->damage) {
      const Result<std::string> aside = set_aside(options.path);
      loaded.warnings.push_back(
          corrupt(options.path, *image->damage,
                  aside ? *aside : "nothing, " + to_string(aside.error()),
                  image->attachments.size()));
      CRASH_POINT("store.set_aside");
    } else {
      database->remember(*image);
    }
  } else {
    loaded.fresh = true;
  }
  const Result<void> connected = database->connect();
  if (!connected) {
    loaded.warnings.push_back(
        context(connected, "open {} for writing", options.path).error());
  }
  return Opened{Store(std::move(database)), std::move(loaded)};
}

Result<void> Store::save(Ledger& ledger, Instant now) {
  const Changes changes = ledger.changes();
  if (changes.empty()) return {};
  Result<void> written = database_->write(changes, now);
  if (!written && written.error().code == Code::kStateCorrupt) {
    log::error("{}: {}; it is set aside and written anew from memory",
               database_->options.path, to_string(written.error()));
    database_->session.reset();
    TRY(set_aside(database_->options.path));
    database_->forget();
    ledger.mark_all_dirty();
    written = database_->write(ledger.changes(), now);
  }
  if (written) {
    ledger.mark_saved();
    return {};
  }
  if (written.error().code == Code::kIo) database_->session.reset();
  return context(written, "save the ledger to {}", database_->options.path);
}

Result<Snapshot> Store::read(const std::string& path) {
  const Image image = TRY(context(read_image(path), "read {}", path));
  if (image.damage) {
    return make_error(Code::kStateCorrupt, "{} is damaged: {}", path,
                      image.damage->msg);
  }
  Snapshot snapshot;
  snapshot.boot_id = image.boot_id;
  std::map<IpAddr, AttachmentKey> holders;
  for (const StoredAttachment& stored : image.attachments) {
    snapshot.attachments.push_back(stored.held);
    for (const IpAddr& address : stored.held.allocation.addresses) {
      holders[address] = stored.held.attachment.key;
    }
  }
  for (const StoredAddress& stored : image.addresses) {
    AddressRow row = stored.row;
    const auto holder = holders.find(row.address);
    if (holder != holders.end()) {
      row.state = State::kHeld;
      row.holder = holder->second;
    }
    snapshot.addresses.push_back(std::move(row));
  }
  return snapshot;
}

}  // namespace linsey::ipam
