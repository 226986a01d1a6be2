#include "base/clock.h"

#include <time.h>

namespace linsey {

Instant SteadyClock::now() const {
  timespec ts{};
  (void)clock_gettime(CLOCK_BOOTTIME, &ts);  // cannot fail for this clock
  return std::chrono::seconds(ts.tv_sec) + std::chrono::nanoseconds(ts.tv_nsec);
}

std::chrono::system_clock::time_point SteadyClock::wall() const {
  return std::chrono::system_clock::now();
}

}  // namespace linsey
