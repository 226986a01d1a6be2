#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <exception>
#include <memory>
#include <utility>

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace linsey::log {
namespace {

struct State {
  std::shared_ptr<spdlog::logger> logger;
  Format format = Format::kText;
};

std::shared_ptr<spdlog::logger> make_logger(const Options& options) {
  spdlog::sink_ptr sink;
  if (options.file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
  }
  auto logger = std::make_shared<spdlog::logger>("linsey", std::move(sink));
  // The JSON form carries its own time and level in log_json().
  logger->set_pattern(options.format == Format::kJson
                          ? "{\"ts\":\"%Y-%m-%dT%H:%M:%S.%e%z\",\"level\":\""
                            "%l\",\"msg\":%v}"
                          : "%Y-%m-%dT%H:%M:%S.%e %L %v");
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  return logger;
}

// Made on first use: the plugin logs nothing on its hot path and should not
// pay for a logger there.
State& state() {
  static State instance{make_logger({}), Format::kText};
  return instance;
}

std::atomic<Level> g_level{Level::kWarn};

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

spdlog::level::level_enum spd_level(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    default:
      return spdlog::level::err;
  }
}

}  // namespace

Result<void> configure(const Options& options) {
  try {
    state() = {make_logger(options), options.format};
  } catch (const std::exception& e) {
    return make_error(Code::kIo, "open log {}: {}", options.file, e.what());
  }
  g_level = options.level;
  return {};
}

Result<Level> parse_level(std::string_view text) {
  if (text == "debug") return Level::kDebug;
  if (text == "info") return Level::kInfo;
  if (text == "warn") return Level::kWarn;
  if (text == "error") return Level::kError;
  if (text == "off") return Level::kOff;
  return make_error(Code::kInvalidConfig,
                    "log level \"{}\" is none of debug, info, warn, error, off",
                    text);
}

bool enabled(Level level) {
  return level >= g_level;
}

void write(Level level, std::string_view text) {
  if (!enabled(level)) return;
  try {
    const State& sink = state();
    sink.logger->log(
        spd_level(level), "{}",
        sink.format == Format::kJson ? quoted(text) : std::string(text));
  } catch (const std::exception&) {
    // A log line that cannot be written must not fail the work it tells of.
  }
}

}  // namespace linsey::log
