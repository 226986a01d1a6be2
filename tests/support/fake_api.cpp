#include "tests/support/fake_api.h"

namespace linsey::tests {

FakeApi::FakeApi() {
  const auto plain = [this](const char* plural, const char* kind, bool status) {
    add_type({.group = "linsey.dev",
              .version = "v1",
              .plural = plural,
              .kind = kind,
              .status = status});
  };
  plain("ippools", "IPPool", true);
  plain("ipblocks", "IPBlock", false);
  plain("nodenetworks", "NodeNetwork", true);
}

}  // namespace linsey::tests
