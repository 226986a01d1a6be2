#include "agent/eni_pace.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/sha1.h"

namespace linsey::agent {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// How long the cloud remembers a token is not documented.
constexpr Duration kTokenLife = minutes(10);
constexpr Duration kSuspendFirst = seconds(30);
constexpr Duration kSuspendLongest = minutes(10);
constexpr unsigned kDoublings = 10;

struct Range {
  Duration first;
  Duration longest;
};

Range range_of(Class cls) {
  switch (cls) {
    case Class::kThrottled:
      return {seconds(5), seconds(60)};
    case Class::kConfig:
    case Class::kAuth:
      return {seconds(30), minutes(5)};
    default:
      return {seconds(1), seconds(60)};
  }
}

std::string random_token() {
  std::random_device device;
  std::string seed;
  for (int i = 0; i < 8; ++i) {
    seed += std::to_string(device());
  }
  return "linsey-" + sha1_hex(seed);
}

}  // namespace

Duration Backoff::failed(Class cls) {
  const Range range = range_of(cls);
  const unsigned doublings = std::min(failures_, kDoublings);
  ++failures_;
  const Duration whole =
      std::min<Duration>(range.first * (1U << doublings), range.longest);
  std::uniform_int_distribution<std::int64_t> share(whole.count() / 2,
                                                    whole.count());
  return Duration(share(random_));
}

void CallBudget::set_rate(unsigned per_minute, unsigned burst) {
  per_call_ = Duration(std::chrono::minutes(1)) / per_minute;
  burst_ = burst;
}

std::optional<Instant> CallBudget::blocked_until(const std::string& action,
                                                 Instant now) const {
  const auto it = full_at_.find(action);
  if (it == full_at_.end()) return std::nullopt;
  const Instant next = it->second - per_call_ * (burst_ - 1);
  return next > now ? std::optional<Instant>(next) : std::nullopt;
}

std::map<std::string, unsigned> CallBudget::remaining(Instant now) const {
  std::map<std::string, unsigned> left;
  for (const auto& [action, full_at] : full_at_) {
    const Duration missing = std::max<Duration>(full_at - now, Duration(0));
    const auto calls =
        static_cast<unsigned>((missing + per_call_ - Duration(1)) / per_call_);
    left[action] = burst_ - std::min(burst_, calls);
  }
  return left;
}

void CallBudget::take(const std::string& action, Instant now) {
  Instant& full_at = full_at_[action];
  full_at = std::max(full_at, now) + per_call_;
}

void Suspensions::suspend(const std::string& key, const Error& why,
                          Instant now) {
  Entry& entry = entries_[key];
  entry.length = entry.length == Duration::zero()
                     ? kSuspendFirst
                     : std::min<Duration>(entry.length * 2, kSuspendLongest);
  entry.why = why;
  entry.until = now + entry.length;
}

std::map<std::string, Error> Suspensions::active(Instant now) const {
  std::map<std::string, Error> result;
  for (const auto& [key, entry] : entries_) {
    if (now < entry.until) result.emplace(key, entry.why);
  }
  return result;
}

std::optional<Instant> Suspensions::next_end(Instant now) const {
  std::optional<Instant> next;
  for (const auto& [key, entry] : entries_) {
    if (now < entry.until && (!next || entry.until < *next)) {
      next = entry.until;
    }
  }
  return next;
}

std::string TokenMemory::token(const std::string& request, Instant now) {
  Entry& entry = tokens_[request];
  if (entry.token.empty() || now - entry.made > kTokenLife) {
    entry = {random_token(), now};
  }
  return entry.token;
}

bool outcome_unknown(Code code) {
  switch (code) {
    case Code::kTimeout:
    case Code::kCloudUnavailable:
    case Code::kCloudThrottled:
    case Code::kCloudConflict:
      return true;
    default:
      return false;
  }
}

}  // namespace linsey::agent
