// Waits for something that happens outside of the test: a daemon's start, a
// session coming up.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace linsey::tests {

/// Asks `condition` every 20 ms until it is true; false after `limit`, which
/// is generous because it is only waited for by a test that fails.
inline bool eventually(
    const std::function<bool()>& condition,
    std::chrono::steady_clock::duration limit = std::chrono::seconds(60)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace linsey::tests
