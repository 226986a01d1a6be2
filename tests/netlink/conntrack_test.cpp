#include "netlink/conntrack.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fd.h"
#include "tests/support/netns.h"

namespace linsey::netlink {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

IpAddr ip(const char* text) {
  return IpAddr::parse(text).value();
}

/// A host whose connections are tracked, with two flows of each family.
struct ConntrackTest : tests::NetnsTest {
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    sh(*host,
       "ip link set lo up;"
       "for n in 1 2 3; do ip addr add 10.9.0.$n/32 dev lo;"
       "  ip addr add fd09::$n/128 dev lo nodad; done;"
       "nft 'add table inet t; add chain inet t out { type filter hook output "
       "priority 0; }; add rule inet t out ct state new accept'");
    in_host([] {
      for (const char* from : {"10.9.0.1", "10.9.0.2"})
        send(from, "10.9.0.3");
      for (const char* from : {"fd09::1", "fd09::2"})
        send(from, "fd09::3");
    });
  }

  static void send(const char* from, const char* to);
  std::string flows() const {
    return sh(*host,
              "conntrack -L 2>/dev/null; conntrack -L -f ipv6 "
              "2>/dev/null");
  }
};

void ConntrackTest::send(const char* from, const char* to) {
  const Family family = ip(from).family();
  const int domain = family == Family::kV4 ? AF_INET : AF_INET6;
  const UniqueFd fd(socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage near{};
  sockaddr_storage far{};
  const auto fill = [&](sockaddr_storage& to_fill, const char* text) {
    to_fill.ss_family = static_cast<sa_family_t>(domain);
    auto* v4 = reinterpret_cast<sockaddr_in*>(&to_fill);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&to_fill);
    void* address = family == Family::kV4 ? static_cast<void*>(&v4->sin_addr)
                                          : static_cast<void*>(&v6->sin6_addr);
    ASSERT_EQ(inet_pton(domain, text, address), 1);
  };
  fill(near, from);
  fill(far, to);
  reinterpret_cast<sockaddr_in*>(&far)->sin_port = htons(5353);
  const socklen_t size =
      family == Family::kV4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  ASSERT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&near), size), 0);
  (void)sendto(fd.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&far), size);
}

TEST_F(ConntrackTest, ForgetsTheFlowsOfAnAddressInBothFamiliesAndNoOther) {
  ASSERT_THAT(flows(), HasSubstr("src=10.9.0.1 "));
  ASSERT_THAT(flows(), HasSubstr("src=fd09::1 "));
  in_host([] {
    const Result<std::size_t> forgotten = forget_connections(
        {.addresses = {ip("10.9.0.1"), ip("fd09::1")}, .udp_ports = {}});
    ASSERT_TRUE(forgotten.has_value()) << forgotten.error().msg;
    EXPECT_EQ(*forgotten, 2U);
  });

  EXPECT_THAT(flows(), Not(HasSubstr("src=10.9.0.1 ")));
  EXPECT_THAT(flows(), Not(HasSubstr("src=fd09::1 ")));
  EXPECT_THAT(flows(), HasSubstr("src=10.9.0.2 "));
  EXPECT_THAT(flows(), HasSubstr("src=fd09::2 "));
}

TEST_F(ConntrackTest, ForgetsFlowsToAnAddressToo) {
  in_host([] {
    EXPECT_EQ(
        forget_connections({.addresses = {ip("fd09::3")}, .udp_ports = {}})
            .value(),
        2U);
    EXPECT_EQ(
        forget_connections({.addresses = {ip("10.9.0.3")}, .udp_ports = {}})
            .value(),
        2U);
    EXPECT_EQ(
        forget_connections({.addresses = {ip("10.9.0.3")}, .udp_ports = {}})
            .value(),
        0U);
  });
}

}  // namespace
}  // namespace linsey::netlink
