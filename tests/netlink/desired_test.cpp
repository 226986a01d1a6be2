#include "netlink/desired.h"

#include <gmock/gmock.h>

#include "tests/support/netns.h"

namespace linsey::netlink {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using tests::must;

IpAddr ip(const char* text) {
  return must(IpAddr::parse(text));
}
Cidr cidr(const char* text) {
  return must(Cidr::parse(text));
}

constexpr const char* kMac = "02:00:00:00:00:01";

class DesiredOf : public tests::NetnsTest {
 protected:
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    socket.emplace(must(Socket::open_in(*host)));
    must(socket->run(Batch()
                         .add_link({.name = "a",
                                    .kind = "veth",
                                    .mac = must(Mac::parse(kMac)),
                                    .peer = PeerSpec{.name = "b"}})
                         .set_link("b", {.up = true})));
    want.name = "a";
    want.alias = "linsey:c:eth0";
    want.mac = must(Mac::parse(kMac));
    want.manual_link_local = true;
    want.addresses = {{.cidr = cidr("10.0.0.1/32"), .no_prefix_route = true},
                      {.cidr = cidr("fd00::1/128"), .no_prefix_route = true}};
    want.neighbors = {{.addr = ip("169.254.1.1"), .mac = want.mac},
                      {.addr = ip("fe80::1"), .mac = want.mac}};
    want.routes = {{.dst = cidr("169.254.1.1/32"), .scope = Scope::kLink},
                   {.dst = cidr("0.0.0.0/0"),
                    .gateway = ip("169.254.1.1"),
                    .onlink = true},
                   {.dst = cidr("::/0"), .gateway = ip("fe80::1")}};
    want.rules = {
        {.priority = 512, .to = cidr("10.0.0.1/32")},
        {.family = Family::kV6, .priority = 512, .to = cidr("fd00::1/128")}};
  }

  std::optional<Socket> socket;
  Desired want;
};

TEST_F(DesiredOf, IsSatisfiedOnceApplied) {
  must(apply(*socket, want));

  EXPECT_THAT(must(verify(*socket, want)), IsEmpty());
}

TEST_F(DesiredOf, ReportsEverythingThatIsMissing) {
  EXPECT_THAT(must(verify(*socket, want)), testing::SizeIs(11));
}

TEST_F(DesiredOf, SaysWhatDiffersInWords) {
  must(apply(*socket, want));
  sh(*host,
     "ip addr del fd00::1/128 dev a && ip -6 route del default &&"
     "ip neigh del fe80::1 dev a && ip rule del prio 512");

  EXPECT_THAT(must(verify(*socket, want)),
              ElementsAre("a: address fd00::1/128 is missing",
                          "a: route ::/0 via fe80::1 table 254 is missing",
                          "a: neighbour fe80::1 02:00:00:00:00:01 is missing",
                          "a: rule 512: to 10.0.0.1/32 lookup 254 is missing"));
}

TEST_F(DesiredOf, SeesAnotherMac) {
  must(apply(*socket, want));
  sh(*host, "ip link set dev a address 02:00:00:00:00:02");

  EXPECT_EQ(must(verify(*socket, want)).front(),
            "a: MAC is 02:00:00:00:00:02, not 02:00:00:00:00:01");
}

TEST_F(DesiredOf, AcceptsMoreThanWasWanted) {
  must(apply(*socket, want));
  sh(*host,
     "ip link set dev a mtu 1300 && ip route add 10.9.0.0/16 dev a &&"
     "ip addr add 10.9.0.1/32 dev a");

  EXPECT_THAT(must(verify(*socket, want)), IsEmpty());
}

TEST_F(DesiredOf, IsRepairedInPlace) {
  must(apply(*socket, want));
  sh(*host, "ip addr del 10.0.0.1/32 dev a; ip link set dev a down alias foo");

  must(apply(*socket, want, Apply::kRepair));

  EXPECT_THAT(must(verify(*socket, want)), IsEmpty());
}

TEST_F(DesiredOf, IsRefusedASecondTimeUnlessItIsARepair) {
  must(apply(*socket, want));

  EXPECT_FALSE(apply(*socket, want).has_value());
  EXPECT_TRUE(apply(*socket, want, Apply::kRepair).has_value());
}

TEST_F(DesiredOf, IsRemovedAndRemovedAgain) {
  must(apply(*socket, want));

  must(remove(*socket, want));
  must(remove(*socket, want));

  EXPECT_THAT(must(socket->routes({.protocol = kProtocol})), IsEmpty());
  EXPECT_THAT(sh(*host, "ip rule; ip -6 rule"),
              testing::Not(testing::HasSubstr("512:")));
  EXPECT_NE(must(socket->find_link("a")), std::nullopt);
}

TEST_F(DesiredOf, NamesTheLinkThatIsMissing) {
  want.name = "none";

  const auto applied = apply(*socket, want);

  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(applied.error().code, Code::kStateMismatch);
  EXPECT_EQ(must(verify(*socket, want)).front(), "none: link is missing");
}

}  // namespace
}  // namespace linsey::netlink
