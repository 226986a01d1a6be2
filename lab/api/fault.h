// Faults of the simulated API server, and the book of what it was asked.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lab/api/types.h"

namespace linsey::lab::api {

struct Fault {
  int status = 0;            // answer this status instead of acting
  std::string reason;        // of the Status object
  int retry_after = 0;       // seconds
  bool unreachable = false;  // no reply, nothing done
  bool reply_lost = false;   // done, and no reply
  bool hang = false;         // nothing done, the connection stays open
  // Which requests; empty: any. A watch's method is WATCH.
  std::string method = {};
  std::string path_prefix = {};
};

/// Faults in the order in which they were pushed.
class Faults {
 public:
  void push(const Fault& fault, int times);
  /// Takes the first that fits.
  std::optional<Fault> take(const std::string& method, const std::string& path);

 private:
  std::deque<Fault> waiting_;
};

struct CallRecord {
  std::string method;
  std::string path;
  int status = 0;    // 0: no reply
  std::string user;  // empty: nobody known
};

class Counters {
 public:
  void add(const CallRecord& call, std::size_t received, std::size_t sent);
  void add_sent(std::size_t bytes) { sent_ += bytes; }
  const std::vector<CallRecord>& calls() const { return calls_; }
  std::size_t count(const std::string& method, const std::string& prefix) const;
  void forget();
  Json to_json() const;

 private:
  std::vector<CallRecord> calls_;
  std::uint64_t received_ = 0;
  std::uint64_t sent_ = 0;
};

}  // namespace linsey::lab::api
