// Fresh network namespaces for tests of the kernel's side. Nothing of the
// host's own namespace is touched, and all is gone when the test ends.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "netlink/netns.h"
#include "netlink/socket.h"

namespace linsey::tests {

/// A test that needs root: `host` and `pod` are namespaces of its own. The
/// test's thread stays where it is; what must run on the host's side goes
/// through in_host().
class NetnsTest : public ::testing::Test {
 protected:
  void SetUp() override;

  /// Runs `fn` on a thread inside the host namespace; expectations in it count.
  void in_host(const std::function<void()>& fn) { inside(*host, fn); }
  static void inside(const netlink::NetNs& ns, const std::function<void()>& fn);
  /// Runs a shell command inside `ns` and returns what it printed; a failure
  /// fails the test.
  static std::string sh(const netlink::NetNs& ns, const std::string& command);
  /// Whether the command's exit code was 0.
  static bool succeeds(const netlink::NetNs& ns, const std::string& command);

  std::optional<netlink::NetNs> host;
  std::optional<netlink::NetNs> pod;
};

/// Unwraps a Result in a test; a failure prints the error and ends the test
/// program's current thread of work by panic.
template <typename T>
T must(Result<T> result) {
  if (!result) {
    const Error& error = result.error();
    panic(to_string(error) + " [" + error.details + "]");
  }
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

}  // namespace linsey::tests
