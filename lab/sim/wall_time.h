// Time as the API writes it: "2026-01-02T03:04:05Z".
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace linsey::sim {

using WallTime = std::chrono::system_clock::time_point;

std::string iso_time(WallTime time);
/// As HTTP's Date header has it.
std::string http_time(WallTime time);
/// Strict; nullopt for any other form.
std::optional<WallTime> parse_iso_time(const std::string& text);

}  // namespace linsey::sim
