// Packets through a wired pod, both families.
#include <chrono>

#include <gmock/gmock.h>

#include "datapath/wire.h"
#include "tests/datapath/wired_pod.h"

namespace linsey::datapath {
namespace {

using tests::attachment_of;
using tests::dual_stack;
using tests::must;
using tests::on_eni;

class Traffic : public tests::WiredTest {
 protected:
  /// Joins `outside` to the host by a veth pair and routes, as a fabric does.
  void connect(const netlink::NetNs& outside) {
    sh(*host,
       fmt::format("ip link add fabric0 type veth peer name net0 netns {} && "
                   "ip link set dev fabric0 up && ip addr add 172.20.0.1/24 "
                   "dev fabric0 "
                   "&& ip addr add fd00:20::1/64 dev fabric0 nodad &&"
                   "echo 1 >/proc/sys/net/ipv4/conf/fabric0/forwarding &&"
                   "echo 1 >/proc/sys/net/ipv6/conf/fabric0/force_forwarding",
                   outside.path()));
    sh(outside,
       "ip link set lo up; ip link set net0 up;"
       "ip addr add 172.20.0.2/24 dev net0;"
       "ip addr add fd00:20::2/64 dev net0 nodad;"
       "ip route add default via 172.20.0.1;"
       "ip -6 route add default via fd00:20::1");
  }
  /// One TCP connection from a client to a server that says its name.
  std::string fetch(const netlink::NetNs& client, const netlink::NetNs& server,
                    const std::string& address);
};

constexpr const char* kServer = R"py(
import os, socket, sys
s = socket.create_server((sys.argv[1], 7000), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
if os.fork():
    os._exit(0)
os.close(1)
os.close(2)
s.settimeout(10)
c, peer = s.accept()
c.sendall(peer[0].encode())
)py";

constexpr const char* kClient = R"py(
import socket, sys
c = socket.create_connection((sys.argv[1], 7000), timeout=10)
sys.stdout.write(c.recv(100).decode())
)py";

std::string Traffic::fetch(const netlink::NetNs& client,
                           const netlink::NetNs& server,
                           const std::string& address) {
  sh(server, fmt::format("python3 -c '{}' {}", kServer, address));
  return sh(client, fmt::format("python3 -c '{}' {}", kClient, address));
}

TEST_F(Traffic, FlowsBetweenHostAndPod) {
  must(wire(must(make_plan(attachment_of(), dual_stack()))));

  EXPECT_EQ(fetch(*host, *pod, tests::kPod4), tests::kNode4);
  EXPECT_EQ(fetch(*host, *pod, tests::kPod6), tests::kNode6);
  EXPECT_EQ(fetch(*pod, *host, tests::kNode4), tests::kPod4);
  EXPECT_EQ(fetch(*pod, *host, tests::kNode6), tests::kPod6);
}

TEST_F(Traffic, IsForwardedBetweenPodAndOutside) {
  const netlink::NetNs outside = must(netlink::NetNs::create());
  connect(outside);
  must(wire(must(make_plan(attachment_of(), dual_stack()))));

  EXPECT_EQ(fetch(outside, *pod, tests::kPod4), "172.20.0.2");
  EXPECT_EQ(fetch(outside, *pod, tests::kPod6), "fd00:20::2");
  EXPECT_EQ(fetch(*pod, outside, "172.20.0.2"), tests::kPod4);
  EXPECT_EQ(fetch(*pod, outside, "fd00:20::2"), tests::kPod6);
}

TEST_F(Traffic, FlowsBetweenTwoPodsOfOneNode) {
  const netlink::NetNs other = must(netlink::NetNs::create());
  must(wire(must(make_plan(attachment_of(), on_eni()))));
  ipam::Attachment attachment = attachment_of();
  attachment.key.container_id = "c2";
  attachment.pod.name = "web-1";
  ipam::Allocation allocation = on_eni();
  allocation.addresses = {must(IpAddr::parse("10.64.0.8")),
                          must(IpAddr::parse("fd00:64::8"))};
  must(wire(must(make_plan(attachment, allocation)), other));

  EXPECT_EQ(fetch(*pod, other, "10.64.0.8"), tests::kPod4);
  EXPECT_EQ(fetch(other, *pod, tests::kPod6), "fd00:64::8");
}

TEST_F(Traffic, OfAPodOnAnEniLeavesByTheEnisTable) {
  const netlink::NetNs vpc = must(netlink::NetNs::create());
  const netlink::NetNs node_net = must(netlink::NetNs::create());
  connect(vpc);  // fabric0 plays the ENI; main has no route to the far side
  sh(*host,
     "ip route add default via 172.20.0.2 dev fabric0 table 1003;"
     "ip -6 route add default via fd00:20::2 dev fabric0 table 1003");
  sh(vpc,
     "ip addr add 100.64.0.1/32 dev lo; ip addr add fd00:99::1/128 dev lo");
  must(wire(must(make_plan(attachment_of(), on_eni()))));

  EXPECT_EQ(fetch(*pod, vpc, "100.64.0.1"), tests::kPod4);
  EXPECT_EQ(fetch(*pod, vpc, "fd00:99::1"), tests::kPod6);
  EXPECT_FALSE(succeeds(*host, "ip route get 100.64.0.1"));
}

TEST_F(Traffic, WithAForgedSourceIsDropped) {
  must(wire(must(make_plan(attachment_of(), dual_stack()))));
  sh(*pod, "ip addr add 10.64.0.99/32 dev eth0");

  EXPECT_TRUE(succeeds(*pod, "ping -c1 -W5 192.168.50.1"));
  EXPECT_FALSE(succeeds(*pod, "ping -c1 -W1 -I 10.64.0.99 192.168.50.1"));
}

TEST_F(Traffic, OfASecondInterfaceLeavesByIt) {
  const netlink::NetNs outside = must(netlink::NetNs::create());
  connect(outside);
  must(wire(must(make_plan(attachment_of(), dual_stack()))));
  ipam::Allocation other = dual_stack();
  other.addresses = {must(IpAddr::parse("10.64.0.8")),
                     must(IpAddr::parse("fd00:64::8"))};
  must(wire(must(make_plan(attachment_of("net1"), other))));

  EXPECT_EQ(fetch(outside, *pod, "10.64.0.8"), "172.20.0.2");
  EXPECT_EQ(fetch(outside, *pod, "fd00:64::8"), "fd00:20::2");
  EXPECT_EQ(fetch(outside, *pod, tests::kPod4), "172.20.0.2");
}

TEST_F(Traffic, LosesNotEvenTheFirstPacketAfterAdd) {
  must(wire(must(make_plan(attachment_of(), dual_stack()))));

  EXPECT_TRUE(succeeds(*host, "ping -c1 -W5 10.64.0.7"));
}

TEST_F(Traffic, FlowsInIpv6OnceTheKernelsWorkQueueHasRun) {
  must(wire(must(make_plan(attachment_of(), dual_stack()))));

  // The local route of a new IPv6 address comes from a work queue, so the
  // first packet may be lost on a busy machine; one answer is enough.
  EXPECT_TRUE(succeeds(*host, "ping -c8 -i0.2 -W5 fd00:64::7"));
}

TEST_F(Traffic, EndsWithTakeDown) {
  must(wire(must(make_plan(attachment_of(), dual_stack()))));
  ASSERT_TRUE(succeeds(*host, "ping -c1 -W5 10.64.0.7"));

  in_host([] { must(take_down(attachment_of().key, attachment_of().pod)); });

  EXPECT_FALSE(succeeds(*host, "ping -c1 -W1 10.64.0.7"));
  EXPECT_FALSE(succeeds(*host, "ping -c1 -W1 fd00:64::7"));
}

}  // namespace
}  // namespace linsey::datapath
