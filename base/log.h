// Logging: five levels and a choice of sink. The only room file that knows
// spdlog is log.cpp; everybody else needs fmt alone.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "base/result.h"

namespace linsey::log {

enum class Level : int { kDebug, kInfo, kWarn, kError, kOff };
enum class Format : int { kText, kJson };

struct Options {
  Level level = Level::kInfo;
  Format format = Format::kText;
  std::string file;  // empty: stderr
};

/// Until this is called warnings and errors go to stderr as text. Errors: kIo
/// when the file cannot be opened; the earlier sink stays then.
Result<void> configure(const Options& options);
Result<Level> parse_level(std::string_view text);

bool enabled(Level level);
/// Writes one finished line. Thread: any.
void write(Level level, std::string_view text);

template <typename... Args>
void log(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (!enabled(level)) return;
  write(level, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  log(Level::kDebug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  log(Level::kInfo, format, std::forward<Args>(args)...);
}
template <typename... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  log(Level::kWarn, format, std::forward<Args>(args)...);
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  log(Level::kError, format, std::forward<Args>(args)...);
}

}  // namespace linsey::log
