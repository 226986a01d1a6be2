#include "line/owned.h"

#include <charconv>

#include <fmt/format.h>

namespace linsey::line {
namespace {

constexpr std::string_view kMark = "guard of the leased line:";

std::set<int> numbers_behind(std::string_view text, std::string_view key) {
  std::set<int> out;
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return out;
  const char* next = text.data() + at + key.size();
  const char* end = text.data() + text.size();
  int value = 0;
  while (next < end) {
    const auto [rest, error] = std::from_chars(next, end, value);
    if (error != std::errc()) break;
    out.insert(value);
    if (rest == end || *rest != ',') break;
    next = rest + 1;
  }
  return out;
}

}  // namespace

std::string to_text(const Owned& owned) {
  return fmt::format("{} nics={} made={}", kMark, fmt::join(owned.nics, ","),
                     fmt::join(owned.made, ","));
}

Owned parse_owned(std::string_view text) {
  if (!text.starts_with(kMark)) return {};
  return {.nics = numbers_behind(text, " nics="),
          .made = numbers_behind(text, " made=")};
}

}  // namespace linsey::line
