// What every fuzz target needs. A property that does not hold ends the program
// through panic(), which libFuzzer reports with the input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace linsey::fuzz {

inline std::string_view text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline void expect(bool holds, std::string_view what) {
  if (!holds) panic(what);
}

}  // namespace linsey::fuzz
