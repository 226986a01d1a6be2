#include "lab/sim/wall_time.h"

#include <time.h>

#include <array>
#include <cstring>

namespace linsey::sim {
namespace {

std::string formatted(WallTime time, const char* format) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  (void)gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const std::size_t length =
      std::strftime(text.data(), text.size(), format, &parts);
  return {text.data(), length};
}

}  // namespace

std::string iso_time(WallTime time) {
  return formatted(time, "%Y-%m-%dT%H:%M:%SZ");
}

std::string http_time(WallTime time) {
  return formatted(time, "%a, %d %b %Y %H:%M:%S GMT");
}

std::optional<WallTime> parse_iso_time(const std::string& text) {
  std::tm parts{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  const WallTime time = std::chrono::system_clock::from_time_t(timegm(&parts));
  // strptime takes "2026-1-2" too; the API does not.
  if (iso_time(time) != text) return std::nullopt;
  return time;
}

}  // namespace linsey::sim
