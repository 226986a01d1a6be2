// How fast to ask the cloud: back-off after failures, suspension of what was
// refused, and a memory of client tokens. All pure, time is handed in.
//
// A quota of the cloud is shared by every node of the account and counted in
// whole minutes, so a throttled node waits long and with jitter. What was
// refused for good reasons (a full vSwitch) is left alone for a while, then
// tried once (half open): success lifts the suspension, a new refusal doubles
// it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>

#include "base/clock.h"
#include "base/code.h"
#include "base/result.h"

namespace linsey::agent {

/// The wait before the next call after failures in a row.
class Backoff {
 public:
  explicit Backoff(std::uint64_t seed) : random_(seed) {}

  /// One more failure. The wait depends on the class: throttled 5 s to 60 s,
  /// config and auth 30 s to 5 min, all others 1 s to 60 s; each a random
  /// share of between a half and the whole.
  Duration failed(Class cls);
  void succeeded() { failures_ = 0; }
  unsigned failures() const { return failures_; }

 private:
  std::minstd_rand random_;
  unsigned failures_ = 0;
};

/// A token bucket for each action: what a node may cost of the account's quota,
/// which all its nodes share.
class CallBudget {
 public:
  void set_rate(unsigned per_minute, unsigned burst);
  /// nullopt: `action` may be called now. Else when.
  std::optional<Instant> blocked_until(const std::string& action,
                                       Instant now) const;
  /// Of the actions that were called: how many calls more may be made now.
  std::map<std::string, unsigned> remaining(Instant now) const;
  /// It was called.
  void take(const std::string& action, Instant now);

 private:
  Duration per_call_ = std::chrono::seconds(1);
  unsigned burst_ = 1;
  std::map<std::string, Instant> full_at_;  // when the bucket is full again
};

/// What must not be asked for at present.
class Suspensions {
 public:
  /// `key`: a vSwitch, an interface, "" for any creation.
  void suspend(const std::string& key, const Error& why, Instant now);
  void lift(const std::string& key) { entries_.erase(key); }
  void lift_all() { entries_.clear(); }

  std::map<std::string, Error> active(Instant now) const;
  /// When the next one ends; nullopt: none is active.
  std::optional<Instant> next_end(Instant now) const;

 private:
  struct Entry {
    Error why;
    Instant until{};
    Duration length{};
  };
  std::map<std::string, Entry> entries_;
};

/// Client tokens: a request that is repeated because its reply was lost takes
/// the same one, so that it has its effect once.
class TokenMemory {
 public:
  /// The token for a request with these parameters.
  std::string token(const std::string& request, Instant now);
  /// The cloud answered: the next such request is a new one. Not called when
  /// it is unknown whether the request had its effect.
  void settle(const std::string& request) { tokens_.erase(request); }

 private:
  struct Entry {
    std::string token;
    Instant made{};
  };
  std::map<std::string, Entry> tokens_;
};

/// May a call that ended with this code have had its effect all the same? Then
/// it is repeated with the same token, and the cloud is looked at anew.
bool outcome_unknown(Code code);

}  // namespace linsey::agent
