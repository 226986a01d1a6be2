// Whatever stands in a selector: it parses to the same thing again, and with
// everything negated or absent it still answers.
#include "conf/selector.h"

#include "tests/fuzz/fuzz.h"

namespace linsey::fuzz {

// libFuzzer's own name for the entry.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const Result<conf::Selector> selector =
      conf::Selector::parse(text(data, size));
  if (!selector) {
    expect(selector.error().msg.find("position") != std::string::npos,
           "a refusal names the position");
    return 0;
  }
  const Result<conf::Selector> again = conf::Selector::parse(selector->text());
  expect(again && *again == *selector, "parsing twice gives the same");
  expect(!selector->empty() || selector->matches({}),
         "an empty selector matches everything");
  (void)selector->matches({{"a", "b"}, {"l", "5"}, {"x", ""}});
  return 0;
}

}  // namespace linsey::fuzz
