// CNI_ARGS of any shape: only an IP or MAC that is none is refused, and the
// pod is read the same way by the verbs that cannot fail.
#include "plugin/call.h"
#include "tests/fuzz/fuzz.h"

namespace linsey::fuzz {

// libFuzzer's own name for the entry.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view args = text(data, size);
  const ipam::Pod pod = plugin::pod_of(args);
  const Result<plugin::Args> parsed = plugin::parse_args(args);
  if (parsed) {
    expect(parsed->pod == pod, "both ways read the same pod");
  } else {
    expect(parsed.error().code == Code::kInvalidEnvironment,
           "a refusal has code 4");
  }
  return 0;
}

}  // namespace linsey::fuzz
