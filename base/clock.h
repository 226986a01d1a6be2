// Clock: the third and last seam. Code that waits or ages things takes a Clock,
// so that tests move time by hand.
#pragma once

#include <chrono>

namespace linsey {

/// Nanoseconds since boot (CLOCK_BOOTTIME): does not jump with the wall clock
/// and is comparable across processes of one boot.
using Instant = std::chrono::duration<std::int64_t, std::nano>;
using Duration = std::chrono::nanoseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  /// For texts, signatures and events only, never for ageing.
  virtual std::chrono::system_clock::time_point wall() const = 0;
};

class SteadyClock final : public Clock {
 public:
  Instant now() const override;
  std::chrono::system_clock::time_point wall() const override;
};

}  // namespace linsey
