#include "ipam/sqlite.h"

namespace linsey::ipam {
namespace {

Code code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_FULL:
    case SQLITE_READONLY:
      return Code::kDiskFull;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
    case SQLITE_ERROR:  // "no such table" in a file that was ours
      return Code::kStateCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return Code::kTryAgainLater;
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Code::kPermission;
    default:
      return Code::kIo;
  }
}

Error sqlite_error(sqlite3* connection, std::string_view what) {
  const int result = sqlite3_extended_errcode(connection);
  const int number = sqlite3_system_errno(connection);
  const int primary = result & 0xff;
  const bool from_system =
      primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN;
  if (from_system && number != 0) return errno_error(number, what);
  Error error =
      make_error(code_of(result), "{}: {}", what, sqlite3_errmsg(connection));
  error.details = fmt::format("sqlite result {}", result);
  return error;
}

Error error_of(sqlite3_stmt* statement) {
  return sqlite_error(sqlite3_db_handle(statement), sqlite3_sql(statement));
}

}  // namespace

// The texts live until the statement was run, so they are bound uncopied; a
// failed bind shows when it runs.
Statement& Statement::bind(int index, std::string_view text) {
  (void)sqlite3_bind_text(statement_.get(), index, text.data(),
                          static_cast<int>(text.size()), SQLITE_STATIC);
  return *this;
}

Statement& Statement::bind(int index, std::int64_t number) {
  (void)sqlite3_bind_int64(statement_.get(), index, number);
  return *this;
}

Statement& Statement::bind_null(int index) {
  (void)sqlite3_bind_null(statement_.get(), index);
  return *this;
}

Result<void> Statement::run() {
  const int result = sqlite3_step(statement_.get());
  Result<void> done;
  if (result != SQLITE_DONE && result != SQLITE_ROW) {
    done = error_of(statement_.get());
  }
  (void)sqlite3_reset(statement_.get());  // repeats the error of step
  return done;
}

Result<bool> Statement::next() {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  Result<bool> done = false;
  if (result != SQLITE_DONE) done = error_of(statement_.get());
  (void)sqlite3_reset(statement_.get());  // repeats the error of step
  return done;
}

std::string Statement::text(int column) const {
  const auto* bytes = sqlite3_column_text(statement_.get(), column);
  if (bytes == nullptr) return {};
  return {
      reinterpret_cast<const char*>(bytes),
      static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

Result<Connection> Connection::open(const std::string& path, Access access) {
  const bool write = access == Access::kWrite;
  std::string escaped;
  for (const char c : path) {
    escaped += c == '%' || c == '?' || c == '#'
                   ? fmt::format("%{:02x}", static_cast<unsigned char>(c))
                   : std::string(1, c);
  }
  const std::string uri =
      fmt::format("file:{}{}", escaped,
                  access == Access::kReadFrozen ? "?immutable=1" : "");
  const int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
                    (write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                           : SQLITE_OPEN_READONLY);
  sqlite3* raw = nullptr;
  const int result = sqlite3_open_v2(uri.c_str(), &raw, flags, nullptr);
  Connection connection;
  connection.connection_.reset(raw);
  if (raw == nullptr) panic("out of memory in sqlite3_open_v2");
  if (result != SQLITE_OK) {
    return sqlite_error(raw, fmt::format("open {}", path));
  }
  (void)sqlite3_busy_timeout(raw, 200);  // a reader's checkpoint at worst
  return connection;
}

Result<void> Connection::exec(const std::string& sql) const {
  if (sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr) !=
      SQLITE_OK) {
    return sqlite_error(connection_.get(), sql.substr(0, 40));
  }
  return {};
}

Result<Statement> Connection::prepare(std::string_view sql) const {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v3(
          connection_.get(), sql.data(), static_cast<int>(sql.size()),
          SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK) {
    return sqlite_error(connection_.get(), sql);
  }
  Statement statement;
  statement.statement_.reset(raw);
  return statement;
}

Result<std::int64_t> Connection::query_number(std::string_view sql) const {
  Statement statement = TRY(prepare(sql));
  const bool found = TRY(statement.next());
  return found ? statement.number(0) : 0;
}

Result<std::string> Connection::query_text(std::string_view sql) const {
  Statement statement = TRY(prepare(sql));
  const bool found = TRY(statement.next());
  return found ? statement.text(0) : std::string();
}

}  // namespace linsey::ipam
