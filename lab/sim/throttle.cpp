#include "lab/sim/throttle.h"

#include <fmt/core.h>

namespace linsey::sim {
namespace {

constexpr std::chrono::minutes kMinute{1};

}  // namespace

Fault throttled(const ActionKnobs& knobs, MinuteCount& count, WallTime wall,
                std::map<std::string, std::string>& headers) {
  if (knobs.per_minute == 0) return {};
  const auto since = wall.time_since_epoch();
  const std::int64_t minute =
      std::chrono::duration_cast<std::chrono::minutes>(since).count();
  if (count.minute != minute) count = {minute, 0};
  const bool over = count.calls >= knobs.per_minute;
  if (!over) ++count.calls;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      kMinute - since % kMinute);
  headers["x-ratelimit-user-api"] = fmt::format(
      "Limit:{},Remain:{},TimeLeft:{},Reset:{}", knobs.per_minute,
      knobs.per_minute - count.calls, left.count(), (minute + 1) * 60);
  return over ? knobs.throttle : Fault{};
}

}  // namespace linsey::sim
