// A clock that a test moves by hand.
#pragma once

#include "base/clock.h"

namespace linsey::tests {

class FakeClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  std::chrono::system_clock::time_point wall() const override { return wall_; }

  void advance(Duration by) {
    now_ += by;
    wall_ +=
        std::chrono::duration_cast<std::chrono::system_clock::duration>(by);
  }

 private:
  Instant now_ = std::chrono::hours(1);
  std::chrono::system_clock::time_point wall_ =
      std::chrono::sys_days(std::chrono::year(2026) / 1 / 2);
};

}  // namespace linsey::tests
