#include "tests/support/netns.h"

#include <unistd.h>

#include "base/process.h"

namespace linsey::tests {
namespace {

Finished run_shell(const netlink::NetNs& ns, const std::string& command) {
  Command shell;
  shell.argv = {"/bin/sh", "-c", command};
  shell.netns_fd = ns.fd();
  shell.timeout = std::chrono::seconds(20);
  return must(run(shell));
}

}  // namespace

void NetnsTest::SetUp() {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root to make network namespaces";
  }
  host = must(netlink::NetNs::create());
  pod = must(netlink::NetNs::create());
  must(netlink::Socket::open_in(*host).value().run(
      netlink::Batch().set_link(1, {.up = true})));
}

void NetnsTest::inside(const netlink::NetNs& ns,
                       const std::function<void()>& fn) {
  must(ns.run([&]() -> Result<void> {
    fn();
    return {};
  }));
}

std::string NetnsTest::sh(const netlink::NetNs& ns,
                          const std::string& command) {
  const Finished finished = run_shell(ns, command);
  EXPECT_EQ(finished.exit_code, 0) << command << "\n"
                                   << finished.out << finished.err;
  return finished.out;
}

bool NetnsTest::succeeds(const netlink::NetNs& ns, const std::string& command) {
  return run_shell(ns, command).exit_code == 0;
}

}  // namespace linsey::tests
