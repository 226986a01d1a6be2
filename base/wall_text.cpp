#include "base/wall_text.h"

#include <ctime>

#include <fmt/core.h>

namespace linsey {
namespace {

using std::chrono::system_clock;

std::string text(system_clock::time_point time, const std::string& fraction) {
  const std::time_t seconds = system_clock::to_time_t(time);
  std::tm parts{};
  (void)gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}Z",
                     parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec, fraction);
}

}  // namespace

std::string second_time(system_clock::time_point time) {
  return text(std::chrono::floor<std::chrono::seconds>(time), "");
}

std::string micro_time(system_clock::time_point time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(time - whole);
  return text(whole, fmt::format(".{:06}", micros.count()));
}

}  // namespace linsey
