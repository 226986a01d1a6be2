#include "agent/host_ports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/golden.h"

namespace linsey::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

IpAddr ip(const std::string& text) {
  return IpAddr::parse(text).value();
}

ipam::PortMapping mapping(std::uint16_t host, std::uint16_t container,
                          const std::string& protocol = "tcp",
                          const std::string& host_ip = "") {
  ipam::PortMapping out;
  out.host_port = host;
  out.container_port = container;
  out.protocol = protocol;
  if (!host_ip.empty()) out.host_ip = ip(host_ip);
  return out;
}

ipam::Held pod(const std::string& container, const std::string& v4,
               const std::string& v6,
               const std::vector<ipam::PortMapping>& mappings) {
  ipam::Held held;
  held.attachment.key = {"net", container, "eth0"};
  held.attachment.pod = {"ns", container, "uid"};
  held.attachment.port_mappings = mappings;
  if (!v4.empty()) held.allocation.addresses.push_back(ip(v4));
  if (!v6.empty()) held.allocation.addresses.push_back(ip(v6));
  return held;
}

struct HostPortsTest : ::testing::Test {
  std::string script;  // of the last transaction that went through
  std::optional<Error> refusal;
  HostPorts ports{[this](const std::string& text) -> Result<void> {
    if (refusal) return *refusal;
    script = text;
    return {};
  }};
};

TEST_F(HostPortsTest, TheTableOfEveryKindOfMapping) {
  ASSERT_TRUE(ports.open(pod("web", "10.64.0.5", "fd00:64::5",
                             {mapping(8080, 80), mapping(53, 53, "udp"),
                              mapping(9000, 90, "sctp", "10.0.1.11"),
                              mapping(9001, 91, "tcp", "fd00:1::11")})));
  ipam::Held cloud =
      pod("cloud", "172.16.8.9", "", {mapping(8443, 443, "tcp", "0.0.0.0")});
  cloud.allocation.eni = ipam::EniPath{};
  ASSERT_TRUE(ports.open(cloud));

  tests::expect_golden("host_ports.nft", script);
}

TEST_F(HostPortsTest, NothingIsLeftWhenTheLastPortIsClosed) {
  const ipam::Held web = pod("web", "10.64.0.5", "", {mapping(8080, 80)});
  ASSERT_TRUE(ports.open(web));

  ASSERT_TRUE(ports.close(web.attachment.key));

  EXPECT_EQ(script, host_port_script({}));
  EXPECT_EQ(ports.count(), 0U);
}

TEST_F(HostPortsTest, APodWithoutMappingsTouchesNothing) {
  ASSERT_TRUE(ports.open(pod("web", "10.64.0.5", "", {})));
  ASSERT_TRUE(ports.close({"net", "web", "eth0"}));

  EXPECT_EQ(script, "");
}

TEST_F(HostPortsTest, APortIsGivenOnce) {
  ASSERT_TRUE(ports.open(pod("a", "10.64.0.5", "", {mapping(8080, 80)})));

  const Result<void> second = ports.open(
      pod("b", "10.64.0.6", "", {mapping(8080, 80, "tcp", "10.0.1.11")}));

  EXPECT_EQ(second.error().code, Code::kHostPortTaken);
  EXPECT_THAT(second.error().msg, HasSubstr("8080/tcp is held by a/eth0"));
  EXPECT_EQ(ports.count(), 1U);
}

TEST_F(HostPortsTest, OtherProtocolsAndAddressesDoNotCollide) {
  ASSERT_TRUE(ports.open(
      pod("a", "10.64.0.5", "", {mapping(53, 53, "tcp", "10.0.1.11")})));

  EXPECT_TRUE(ports.open(pod("b", "10.64.0.6", "", {mapping(53, 53, "udp")})));
  EXPECT_TRUE(ports.open(
      pod("c", "10.64.0.7", "", {mapping(53, 53, "tcp", "10.0.1.12")})));
  EXPECT_TRUE(ports.open(
      pod("d", "", "fd00:64::8", {mapping(53, 53, "tcp", "fd00:1::1")})));
}

TEST_F(HostPortsTest, ARepeatedOpenIsNoCollisionWithItself) {
  const ipam::Held web = pod("web", "10.64.0.5", "", {mapping(8080, 80)});
  ASSERT_TRUE(ports.open(web));

  EXPECT_TRUE(ports.open(web));
  EXPECT_EQ(ports.count(), 1U);
}

TEST_F(HostPortsTest, ARefusedTransactionChangesNothing) {
  const ipam::Held web = pod("web", "10.64.0.5", "", {mapping(8080, 80)});
  refusal = make_error(Code::kKernel, "nftables: no");
  EXPECT_FALSE(ports.open(web));
  EXPECT_EQ(ports.count(), 0U);

  refusal.reset();
  ASSERT_TRUE(ports.open(web));
  refusal = make_error(Code::kKernel, "nftables: no");
  EXPECT_FALSE(ports.close(web.attachment.key));
  EXPECT_EQ(ports.count(), 1U);
}

TEST_F(HostPortsTest, RestoreOpensWhatIsHeldAndNothingElse) {
  ASSERT_TRUE(ports.open(pod("old", "10.64.0.5", "", {mapping(1, 1)})));
  const ipam::Held web = pod("web", "10.64.0.6", "", {mapping(8080, 80)});

  ASSERT_TRUE(ports.restore({{web.attachment.key, web}}));

  EXPECT_THAT(script, HasSubstr("10.64.0.6:80"));
  EXPECT_THAT(script, Not(HasSubstr("10.64.0.5")));
}

}  // namespace
}  // namespace linsey::agent
