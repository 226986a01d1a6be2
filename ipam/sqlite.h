// SQLite with owners and Results: one connection, its statements. Nothing else
// in the project includes <sqlite3.h>.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <sqlite3.h>

#include "base/result.h"

namespace linsey::ipam {

/// A prepared statement; reset by run() and by the last next().
class Statement {
 public:
  Statement() = default;

  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, std::int64_t number);
  Statement& bind_null(int index);
  /// Runs a statement that yields no rows.
  Result<void> run();
  /// Steps to the next row; false at the end.
  Result<bool> next();

  std::string text(int column) const;
  std::int64_t number(int column) const;
  bool is_null(int column) const;

 private:
  friend class Connection;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const {
      (void)sqlite3_finalize(statement);  // repeats an error told before
    }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Connection {
 public:
  enum class Access { kWrite, kRead, kReadFrozen };  // frozen: nobody writes

  Connection() = default;
  /// Errors of all: kDiskFull (full or read-only), kStateCorrupt (damaged or
  /// no database), kTryAgainLater (locked), kPermission, kIo.
  static Result<Connection> open(const std::string& path, Access access);
  Result<void> exec(const std::string& sql) const;
  Result<Statement> prepare(std::string_view sql) const;
  /// The single number or text that a statement yields.
  Result<std::int64_t> query_number(std::string_view sql) const;
  Result<std::string> query_text(std::string_view sql) const;

  explicit operator bool() const { return connection_ != nullptr; }

 private:
  struct Close {
    void operator()(sqlite3* connection) const {
      (void)sqlite3_close_v2(connection);  // nothing is left to be told
    }
  };
  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace linsey::ipam
