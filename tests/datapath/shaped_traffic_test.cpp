// Bytes through the buckets. Only lower bounds are asserted: a bucket can make
// traffic no faster than its rate, however busy the machine is.
#include <cstdlib>

#include <gtest/gtest.h>

#include "datapath/wire.h"
#include "tests/datapath/wired_pod.h"

namespace linsey::datapath {
namespace {

using tests::attachment_of;
using tests::dual_stack;
using tests::must;

constexpr int kBytes = 80'000;
// 1 Mbit/s, of which the default burst of 16 KiB passes at once.
constexpr double kLeastSeconds = (kBytes - 16'384 - 1'518) / 125'000.0;

constexpr const char* kSender = R"py(
import os, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.create_server((sys.argv[1], 7000), family=family)
if os.fork():
    os._exit(0)
os.close(1)
os.close(2)
s.settimeout(10)
c, _ = s.accept()
c.sendall(bytes(int(sys.argv[2])))
)py";

constexpr const char* kReceiver = R"py(
import socket, sys, time
start = time.monotonic()
c = socket.create_connection((sys.argv[1], 7000), timeout=10)
got = 0
while chunk := c.recv(65536):
    got += len(chunk)
assert got == int(sys.argv[2]), got
sys.stdout.write(str(time.monotonic() - start))
)py";

class ShapedTraffic : public tests::WiredTest {
 protected:
  /// Seconds until `to` had everything that a server on `address` sent.
  double seconds(const netlink::NetNs& from, const netlink::NetNs& to,
                 const char* address) {
    sh(from, fmt::format("python3 -c '{}' {} {}", kSender, address, kBytes));
    const std::string text = sh(
        to, fmt::format("python3 -c '{}' {} {}", kReceiver, address, kBytes));
    return std::strtod(text.c_str(), nullptr);
  }
  void wire_shaped(const ipam::Bandwidth& bandwidth) {
    ipam::Attachment attachment = attachment_of();
    attachment.bandwidth = bandwidth;
    must(wire(must(make_plan(attachment, dual_stack()))));
  }
};

TEST_F(ShapedTraffic, ToThePodIsNoFasterThanItsRate) {
  wire_shaped({.ingress_rate = 1'000'000});

  EXPECT_GE(seconds(*host, *pod, tests::kNode4), kLeastSeconds);
  EXPECT_GE(seconds(*host, *pod, tests::kNode6), kLeastSeconds);
}

TEST_F(ShapedTraffic, FromThePodIsNoFasterThanItsRate) {
  wire_shaped({.egress_rate = 1'000'000});

  EXPECT_GE(seconds(*pod, *host, tests::kPod4), kLeastSeconds);
  EXPECT_GE(seconds(*pod, *host, tests::kPod6), kLeastSeconds);
}

}  // namespace
}  // namespace linsey::datapath
