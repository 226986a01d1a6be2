#include "ipam/image.h"

#include <sys/stat.h>

#include "base/file.h"
#include "base/sha1.h"
#include "ipam/codec.h"

namespace linsey::ipam {

namespace {

constexpr const char* kSchema = R"(
CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  boot TEXT NOT NULL, saved_at INTEGER NOT NULL, digest INTEGER NOT NULL
);
CREATE TABLE address (
  address TEXT PRIMARY KEY, source TEXT NOT NULL, grp TEXT NOT NULL,
  reserved INTEGER NOT NULL, since INTEGER, note TEXT NOT NULL,
  checksum INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE attachment (
  network TEXT, container_id TEXT, ifname TEXT, stale INTEGER NOT NULL,
  document TEXT NOT NULL, checksum INTEGER NOT NULL,
  PRIMARY KEY (network, container_id, ifname)
) WITHOUT ROWID;
INSERT INTO state VALUES (1, '', 0, 0);
PRAGMA user_version = 1;
)";

std::uint64_t checksum_of(const std::string& text) {
  const auto digest = sha1(text);
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i) {
    number = number << 8 | digest[i];
  }
  return number;
}

void add_damage(Image& image, const std::string& what) {
  if (!image.damage) image.damage = Error{Code::kStateCorrupt, what, {}};
}

void read_address(Image& image, const Statement& statement) {
  const AddressColumns columns(statement, 0);
  const auto stored = static_cast<std::uint64_t>(statement.number(6));
  const Result<IpAddr> address = IpAddr::parse(columns.address);
  if (columns.checksum() != stored || !address) {
    add_damage(image, "address row \"" + columns.address + "\" is damaged");
    return;
  }
  StoredAddress item;
  item.checksum = stored;
  item.row.address = *address;
  item.row.source = columns.source;
  item.row.group = columns.group;
  item.row.note = columns.note;
  if (columns.reserved != 0) item.row.state = State::kReserved;
  if (columns.since) item.row.since = Instant(*columns.since);
  image.digest ^= stored;
  image.addresses.push_back(std::move(item));
}

void read_attachment(Image& image, const Statement& statement) {
  const AttachmentKey key{statement.text(0), statement.text(1),
                          statement.text(2)};
  const std::string document = statement.text(4);
  const auto stored = static_cast<std::uint64_t>(statement.number(5));
  const bool stale = statement.number(3) != 0;
  Result<Held> held = decode(document);
  if (attachment_checksum(key, stale, document) != stored || !held ||
      held->attachment.key != key) {
    add_damage(image, "attachment row of container \"" + key.container_id +
                          "\" is damaged");
    return;
  }
  image.digest ^= stored;
  image.attachments.push_back({std::move(held).value(), stale, stored});
}

/// Damage goes into the image, anything else up.
Result<void> note(Image& image, Result<void> result) {
  if (result || result.error().code != Code::kStateCorrupt) return result;
  add_damage(image, result.error().msg);
  return {};
}

Result<void> read_rows(const Connection& connection, const char* sql,
                       Image& image, void (*read)(Image&, const Statement&)) {
  Statement statement = TRY(connection.prepare(sql));
  while (TRY(statement.next())) {
    read(image, statement);
  }
  return {};
}

Result<void> check_file(const Connection& connection, Image& image) {
  const std::string verdict =
      TRY(connection.query_text("PRAGMA integrity_check(1)"));
  if (verdict != "ok") add_damage(image, verdict);
  const std::int64_t version =
      TRY(connection.query_number("PRAGMA user_version"));
  if (version > kSchemaVersion && !image.damage) {
    image.newer = make_error(
        Code::kProtocolMismatch,
        "the ledger has schema version {}, this linseyd writes version {}; run "
        "the version that wrote it, or move the file away",
        version, kSchemaVersion);
  } else if (version != kSchemaVersion) {
    add_damage(image, fmt::format("schema version {} is not {}", version,
                                  kSchemaVersion));
  }
  return {};
}

Result<void> check_state(const Connection& connection, Image& image) {
  Statement statement =
      TRY(connection.prepare("SELECT boot, saved_at, digest FROM state"));
  if (!TRY(statement.next())) {
    add_damage(image, "the state row is missing");
    return {};
  }
  image.boot_id = statement.text(0);
  image.saved_at = Instant(statement.number(1));
  if (static_cast<std::uint64_t>(statement.number(2)) != image.digest) {
    add_damage(image, "rows are missing or stale: the digest differs");
  }
  return {};
}

}  // namespace

const char* schema() {
  return kSchema;
}

AddressColumns::AddressColumns(const AddressRow& row)
    : address(row.address.to_string()),
      source(row.source),
      group(row.group),
      reserved(row.state == State::kReserved ? 1 : 0),
      note(row.note) {
  if (row.since) since = row.since->count();
}

AddressColumns::AddressColumns(const Statement& statement, int first)
    : address(statement.text(first)),
      source(statement.text(first + 1)),
      group(statement.text(first + 2)),
      reserved(statement.number(first + 3)),
      note(statement.text(first + 5)) {
  if (!statement.is_null(first + 4)) since = statement.number(first + 4);
}

std::uint64_t AddressColumns::checksum() const {
  return checksum_of(fmt::format("a\n{}\n{}\n{}\n{}\n{}\n{}", address, source,
                                 group, reserved,
                                 since ? std::to_string(*since) : "-", note));
}

std::uint64_t attachment_checksum(const AttachmentKey& key, bool stale,
                                  const std::string& document) {
  return checksum_of(fmt::format("h\n{}\n{}\n{}\n{}\n{}", key.network,
                                 key.container_id, key.ifname, stale ? 1 : 0,
                                 document));
}

Result<Image> read_image(const Connection& connection) {
  Image image;
  TRY(note(image, check_file(connection, image)));
  TRY(note(image, read_rows(connection,
                            "SELECT address, source, grp, reserved, since, "
                            "note, checksum FROM address",
                            image, &read_address)));
  TRY(note(image, read_rows(connection,
                            "SELECT network, container_id, ifname, stale, "
                            "document, checksum FROM attachment",
                            image, &read_attachment)));
  TRY(note(image, check_state(connection, image)));
  return image;
}

Result<Image> read_image(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) {
    return errno_error(errno, fmt::format("stat {}", path));
  }
  // SQLite takes an empty file for a new database and drops its WAL.
  if (file.st_size == 0) {
    Image image;
    add_damage(image, "the file is empty");
    return image;
  }
  const auto read = [&](Connection::Access access) -> Result<Image> {
    const Connection connection = TRY(Connection::open(path, access));
    return read_image(connection);
  };
  Result<Image> image = read(Connection::Access::kRead);
  if (image || image.error().code == Code::kTryAgainLater) return image;
  // A read-only directory without the -shm file: nobody can be writing.
  Result<Image> frozen = read(Connection::Access::kReadFrozen);
  if (frozen) {
    struct stat wal {};
    if (stat((path + "-wal").c_str(), &wal) == 0 && wal.st_size > 0) {
      add_damage(*frozen,
                 "its -wal file cannot be read, so the last saves "
                 "may be missing: " +
                     image.error().msg);
    }
    return frozen;
  }
  if (image.error().code == Code::kPermission) return image;
  Image nothing;
  add_damage(nothing, image.error().msg);
  return nothing;
}

}  // namespace linsey::ipam
