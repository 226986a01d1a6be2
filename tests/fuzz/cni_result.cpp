// A prevResult in any version: refused with a reason, or read; what was read
// and written once is then read and written without change.
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "plugin/result.h"
#include "tests/fuzz/fuzz.h"

namespace linsey::fuzz {
namespace {

using plugin::CniResult;
using plugin::Version;

void round_trip(const CniResult& result, Version version) {
  const Result<std::string> once = plugin::format_result(result, version);
  if (!once) {
    expect(once.error().code == Code::kUnsupportedField,
           "only what a version cannot say is refused");
    return;
  }
  const Result<Json> json = parse_json(*once);
  expect(json.has_value(), "a result is one JSON document");
  const Result<CniResult> back = plugin::parse_result(*json, version);
  expect(back.has_value(), "our own result can be read");
  const Result<std::string> twice = plugin::format_result(*back, version);
  expect(twice && *twice == *once, "writing is stable");
}

}  // namespace

// libFuzzer's own name for the entry.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const Result<Json> json = parse_json(text(data, size));
  if (!json) return 0;
  for (std::size_t n = 0; n < plugin::kVersionNames.size(); ++n) {
    const auto version = static_cast<Version>(n);
    const Result<CniResult> result = plugin::parse_result(*json, version);
    if (!result) {
      expect(result.error().code == Code::kDecode, "a refusal has code 6");
      continue;
    }
    for (std::size_t to = 0; to < plugin::kVersionNames.size(); ++to) {
      round_trip(*result, static_cast<Version>(to));
    }
    if (plugin::check_mergeable(*result, version)) {
      round_trip(plugin::merge_results(*result, *result), version);
    }
  }
  return 0;
}

}  // namespace linsey::fuzz
