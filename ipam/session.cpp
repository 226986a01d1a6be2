#include "ipam/session.h"

#include <utility>

namespace linsey::ipam {

Result<Session> Session::prepare(Connection connection) {
  Session s;
  s.connection_ = std::move(connection);
  s.begin_ = TRY(s.connection_.prepare("BEGIN IMMEDIATE"));
  s.commit_ = TRY(s.connection_.prepare("COMMIT"));
  s.rollback_ = TRY(s.connection_.prepare("ROLLBACK"));
  s.put_address_ = TRY(s.connection_.prepare(
      "REPLACE INTO address (address, source, grp, reserved, since, note, "
      "checksum) VALUES (?, ?, ?, ?, ?, ?, ?)"));
  s.drop_address_ =
      TRY(s.connection_.prepare("DELETE FROM address WHERE address = ?"));
  s.put_attachment_ = TRY(s.connection_.prepare(
      "REPLACE INTO attachment (network, container_id, ifname, stale, "
      "document, checksum) VALUES (?, ?, ?, ?, ?, ?)"));
  s.drop_attachment_ =
      TRY(s.connection_.prepare("DELETE FROM attachment WHERE network = ? AND "
                                "container_id = ? AND ifname = ?"));
  s.put_state_ = TRY(s.connection_.prepare(
      "REPLACE INTO state (id, boot, saved_at, digest) VALUES (1, ?, ?, ?)"));
  return s;
}

Result<void> Session::put(const AddressColumns& row, std::uint64_t checksum) {
  put_address_.bind(1, row.address)
      .bind(2, row.source)
      .bind(3, row.group)
      .bind(4, row.reserved)
      .bind_null(5)
      .bind(6, row.note)
      .bind(7, static_cast<std::int64_t>(checksum));
  if (row.since) put_address_.bind(5, *row.since);
  return put_address_.run();
}

Result<void> Session::drop(const IpAddr& address) {
  const std::string text = address.to_string();
  return drop_address_.bind(1, text).run();
}

Result<void> Session::put(const AttachmentKey& key, bool stale,
                          const std::string& document, std::uint64_t checksum) {
  return put_attachment_.bind(1, key.network)
      .bind(2, key.container_id)
      .bind(3, key.ifname)
      .bind(4, stale ? 1 : 0)
      .bind(5, document)
      .bind(6, static_cast<std::int64_t>(checksum))
      .run();
}

Result<void> Session::drop(const AttachmentKey& key) {
  return drop_attachment_.bind(1, key.network)
      .bind(2, key.container_id)
      .bind(3, key.ifname)
      .run();
}

Result<void> Session::put_state(const std::string& boot, Instant now,
                                std::uint64_t digest) {
  return put_state_.bind(1, boot)
      .bind(2, now.count())
      .bind(3, static_cast<std::int64_t>(digest))
      .run();
}

}  // namespace linsey::ipam
