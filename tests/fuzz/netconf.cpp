// Whatever stands on stdin: a configuration within its bounds, or an error with
// one of the two codes that the specification has for it.
#include "conf/netconf.h"

#include "tests/fuzz/fuzz.h"

namespace linsey::fuzz {

// libFuzzer's own name for the entry.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const Result<conf::NetConf> conf = conf::parse_netconf(text(data, size));
  if (!conf) {
    const Code code = conf.error().code;
    expect(code == Code::kDecode || code == Code::kInvalidNetworkConfig,
           "a refusal has code 6 or 7");
    expect(!conf.error().msg.empty(), "a refusal says why");
    return 0;
  }
  expect(!conf->name.empty(), "a network has a name");
  expect(!conf->mtu || (*conf->mtu >= 68 && *conf->mtu <= 65535),
         "the MTU lies in its range");
  expect(conf->ips.size() <= 2, "one address for each family");
  return 0;
}

}  // namespace linsey::fuzz
