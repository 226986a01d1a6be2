// Whatever stands in agent.json: a configuration that passes its own checks
// again, or an error that says where.
#include "conf/agent_config.h"

#include "tests/fuzz/fuzz.h"

namespace linsey::fuzz {

// libFuzzer's own name for the entry.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const Result<conf::AgentConfig> config =
      conf::parse_agent_config(text(data, size));
  if (config) {
    expect(bool{conf::check_agent_config(*config)},
           "an accepted configuration stays acceptable");
    return 0;
  }
  const Error& error = config.error();
  expect(
      error.code == Code::kDecode || error.msg.find('/') != std::string::npos,
      "a refusal names a JSON pointer");
  return 0;
}

}  // namespace linsey::fuzz
