// Session: one open database and the statements that write its rows.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"
#include "ipam/image.h"
#include "ipam/sqlite.h"

namespace linsey::ipam {

class Session {
 public:
  static Result<Session> prepare(Connection connection);

  Result<void> begin() { return begin_.run(); }
  Result<void> commit() { return commit_.run(); }
  Result<void> rollback() { return rollback_.run(); }
  Result<void> put(const AddressColumns& row, std::uint64_t checksum);
  Result<void> drop(const IpAddr& address);
  Result<void> put(const AttachmentKey& key, bool stale,
                   const std::string& document, std::uint64_t checksum);
  Result<void> drop(const AttachmentKey& key);
  Result<void> put_state(const std::string& boot, Instant now,
                         std::uint64_t digest);

 private:
  // The statements end before their connection does.
  Connection connection_;
  Statement begin_, commit_, rollback_;
  Statement put_address_, drop_address_, put_attachment_, drop_attachment_;
  Statement put_state_;
};

}  // namespace linsey::ipam
