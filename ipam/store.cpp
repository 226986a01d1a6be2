#include "ipam/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "base/crash_point.h"
#include "base/log.h"
#include "ipam/codec.h"
#include "ipam/image.h"
#include "ipam/session.h"

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
  // The database first: dying in between leaves none, which is a fresh start
  // with the kernel as witness, never one that lacks its last saves.
  for (const char* suffix : {"", "-wal", "-shm"}) {
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
  const bool clean = same_boot && !image.damage && !image.newer;
  for (const StoredAddress& stored : image.addresses) {
    AddressRow row = stored.row;
    const bool ahead = row.since && *row.since > now;  // the clock went back
    if (same_boot && ahead) row.since = now;
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
    ledger.restore(row, clean && !ahead);
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
  Result<void> load(Loaded& loaded, Instant now);
  void remember(const Image& image);
  void forget();
  Result<void> clear_way();
  std::optional<Error> check_age(const Image& image) const;
  void note_save(Instant now);

  StoreOptions options;
  std::optional<FileLock> lock;
  UniqueFd last_save;               // PATH.last
  std::optional<Error> in_the_way;  // why the file is not to be written
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

/// A file that was not read is not written over: a newer version's stands until
/// somebody moves it, one that could not be read until it can be.
Result<void> Store::Database::clear_way() {
  if (!in_the_way) return {};
  if (path_exists(options.path)) {
    if (in_the_way->code == Code::kProtocolMismatch) return *in_the_way;
    (void)TRY(read_image(options.path));
    log::warn("{} can be read again; it is kept as {}", options.path,
              TRY(set_aside(options.path)));
  }
  in_the_way.reset();
  return {};
}

/// The time of the last save stands beside the database too, so that one that
/// lost its newest saves (a damaged or missing -wal file, a copy put back) is
/// known for what it is. Only within a boot: after a power loss that is usual.
std::optional<Error> Store::Database::check_age(const Image& image) const {
  const Result<std::string> text = read_file(options.path + ".last");
  if (!text) return std::nullopt;
  std::istringstream words(*text);
  std::string boot;
  std::int64_t saved_at = 0;
  words >> boot >> saved_at;
  if (!words || boot != options.boot_id) return std::nullopt;
  if (image.boot_id == boot && image.saved_at.count() >= saved_at) {
    return std::nullopt;
  }
  return make_error(Code::kStateCorrupt, "its last saves are missing");
}

Result<void> Store::Database::load(Loaded& loaded, Instant now) {
  loaded.fresh = true;
  if (!path_exists(options.path)) return {};
  Result<Image> image = read_image(options.path);
  if (!image) {
    in_the_way = context(image, "read the ledger").error();
    if (in_the_way->code == Code::kTryAgainLater) return *in_the_way;
    return {};
  }
  // Made, but never saved, is as good as not there.
  loaded.fresh = !image->damage && !image->newer && image->boot_id.empty();
  if (!image->damage && !loaded.fresh) image->damage = check_age(*image);
  restore(loaded.ledger, *image, image->boot_id == options.boot_id, now);
  if (image->newer) {
    in_the_way = image->newer;
  } else if (image->damage) {
    const Result<std::string> aside = set_aside(options.path);
    loaded.warnings.push_back(
        corrupt(options.path, *image->damage,
                aside ? *aside : "nothing, " + to_string(aside.error()),
                image->attachments.size()));
    CRASH_POINT("store.set_aside");
  } else {
    remember(*image);
  }
  return {};
}

/// One write into the cache; without it only check_age() sees less.
void Store::Database::note_save(Instant now) {
  const std::string line =
      fmt::format("{} {:<20}\n", options.boot_id, now.count());
  (void)pwrite(last_save.get(), line.data(), line.size(), 0);
}

Result<void> Store::Database::connect() {
  const std::string& path = options.path;
  TRY(clear_way());
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
  session = TRY(Session::prepare(std::move(fresh)));
  last_save = UniqueFd(
      ::open((path + ".last").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  return {};
}

Result<void> Store::Database::write_address(const Changes::Address& change) {
  const auto known = addresses.find(change.address);
  if (known != addresses.end()) new_digest ^= known->second;
  if (!change.row) {
    new_addresses.emplace_back(change.address, 0);
    return session->drop(change.address);
  }
  const AddressColumns columns(*change.row);
  const std::uint64_t checksum = columns.checksum();
  new_addresses.emplace_back(change.address, checksum);
  new_digest ^= checksum;
  return session->put(columns, checksum);
}

Result<void> Store::Database::write_attachment(
    const Changes::Attachment& change) {
  const AttachmentKey& key = change.key;
  const auto known = attachments.find(key);
  if (known != attachments.end()) new_digest ^= known->second;
  if (change.held == nullptr) {
    new_attachments.emplace_back(key, 0);
    return session->drop(key);
  }
  const std::string document = encode(*change.held);
  const std::uint64_t checksum =
      attachment_checksum(key, change.stale, document);
  new_attachments.emplace_back(key, checksum);
  new_digest ^= checksum;
  return session->put(key, change.stale, document, checksum);
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
  TRY(session->put_state(options.boot_id, now, new_digest));
  CRASH_POINT("store.written");
  return session->commit();
}

Result<void> Store::Database::write(const Changes& changes, Instant now) {
  if (!session) TRY(connect());
  CRASH_POINT("store.begin");
  TRY(session->begin());
  Result<void> filled = fill(changes, now);
  if (!filled) {
    (void)session->rollback();  // a full disk has rolled back already
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
  note_save(now);
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
  TRY(database->load(loaded, now));
  const Result<void> connected = database->connect();
  if (!connected) {
    loaded.warnings.push_back(
        context(connected, "open {} for writing", options.path).error());
  }
  return Opened{Store(std::move(database)), std::move(loaded)};
}

Result<void> Store::save(Ledger& ledger, Instant now) {
  const Changes changes = ledger.changes();
  if (changes.empty()) {
    return database_->session ? Result<void>() : database_->connect();
  }
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
