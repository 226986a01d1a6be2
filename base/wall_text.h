// Times as the API server reads them. For texts only, never for ageing.
#pragma once

#include <chrono>
#include <string>

namespace linsey {

/// "2026-01-02T03:04:05Z", as metav1.Time.
std::string second_time(std::chrono::system_clock::time_point time);
/// "2026-01-02T03:04:05.000006Z", as metav1.MicroTime.
std::string micro_time(std::chrono::system_clock::time_point time);

}  // namespace linsey
