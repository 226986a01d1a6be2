#include "netlink/socket.h"

#include <gmock/gmock.h>

#include "tests/support/netns.h"

namespace linsey::netlink {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using tests::must;

IpAddr ip(const char* text) {
  return must(IpAddr::parse(text));
}
Cidr cidr(const char* text) {
  return must(Cidr::parse(text));
}
Mac mac(const char* text) {
  return must(Mac::parse(text));
}

/// A namespace with a veth pair a-b, both up.
class SocketIn : public tests::NetnsTest {
 protected:
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    socket.emplace(must(Socket::open_in(*host)));
    std::optional<Link> link;
    must(socket->run(Batch()
                         .add_link({.name = "a",
                                    .kind = "veth",
                                    .mac = mac("02:00:00:00:00:0a"),
                                    .mtu = 1400,
                                    .peer = PeerSpec{.name = "b"}})
                         .set_link("a", {.up = true})
                         .set_link("b", {.up = true})
                         .read_link("a", link)));
    a = link->index;
    b = link->peer_index;
  }

  std::optional<Socket> socket;
  int a = 0;
  int b = 0;
};

TEST_F(SocketIn, FindsALinkByNameAndByIndex) {
  const Link by_name = must(socket->find_link("a")).value();

  EXPECT_EQ(by_name, must(socket->find_link(a)).value());
  EXPECT_EQ(by_name.kind, "veth");
  EXPECT_EQ(by_name.mac, mac("02:00:00:00:00:0a"));
  EXPECT_EQ(by_name.mtu, 1400U);
  EXPECT_TRUE(by_name.up);
  EXPECT_EQ(must(socket->find_link("b")).value().mtu, 1400U);
}

TEST_F(SocketIn, SaysThatThereIsNoSuchLink) {
  EXPECT_EQ(must(socket->find_link("none")), std::nullopt);
  EXPECT_EQ(must(socket->find_link(4711)), std::nullopt);
}

TEST_F(SocketIn, MakesBothEndsWithOneQueue) {
  EXPECT_EQ(sh(*host, "ip -d link show a | grep -o 'numtxqueues 1 .*ues 1 '"),
            sh(*host, "ip -d link show b | grep -o 'numtxqueues 1 .*ues 1 '"));
}

TEST_F(SocketIn, RefusesALinkThatExists) {
  const auto result =
      socket->run(Batch().add_link({.name = "a", .kind = "ifb"}));

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kInterfaceExists);
}

TEST_F(SocketIn, NamesTheStepThatFailedAndDoesTheRest) {
  const auto result = socket->run(
      Batch()
          .set_link("none", {.up = true})
          .set_link(a, {.alias = "done"})
          .add_route({.dst = cidr("10.9.9.9/32"), .link_index = 999})
          .set_link(a, {.mtu = 1300}));

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kKernel);
  EXPECT_THAT(result.error().msg, HasSubstr("change link none"));
  EXPECT_THAT(result.error().details, HasSubstr("step 1 of 4"));
  EXPECT_THAT(result.error().details, HasSubstr("10.9.9.9/32"));
  const Link link = must(socket->find_link(a)).value();
  EXPECT_EQ(link.alias, "done");
  EXPECT_EQ(link.mtu, 1300U);
}

TEST_F(SocketIn, KeepsErrnoAndTheKernelsWords) {
  const auto result =
      socket->run(Batch().add_route({.dst = cidr("10.1.0.0/24"),
                                     .link_index = a,
                                     .gateway = ip("10.2.0.1")}));

  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().msg, HasSubstr("Nexthop has invalid gateway"));
  EXPECT_THAT(result.error().details, HasSubstr("errno 101"));
}

TEST_F(SocketIn, ChangesEverythingOfALink) {
  must(socket->run(Batch()
                       .set_link(a, {.up = false})
                       .set_link(a, {.mtu = 1280,
                                     .mac = mac("02:00:00:00:00:0b"),
                                     .name = "c",
                                     .alias = "linsey:x:eth0",
                                     .group = kDyingGroup,
                                     .rp_filter_strict = true,
                                     .ipv4_forwarding = true,
                                     .no_auto_link_local = true})));

  EXPECT_EQ(must(socket->find_link("c")).value(),
            (Link{.index = a,
                  .name = "c",
                  .kind = "veth",
                  .alias = "linsey:x:eth0",
                  .mac = mac("02:00:00:00:00:0b"),
                  .mtu = 1280,
                  .group = kDyingGroup,
                  .peer_index = b}));
  in_host([] {
    EXPECT_EQ(must(get_sysctl("net/ipv4/conf/c/rp_filter")), "1");
    EXPECT_EQ(must(get_sysctl("net/ipv4/conf/c/forwarding")), "1");
    EXPECT_EQ(must(get_sysctl("net/ipv6/conf/c/addr_gen_mode")), "1");
  });
}

TEST_F(SocketIn, ListsAddressesOfOneLinkInBothFamilies) {
  must(socket->run(
      Batch()
          .add_address({.link_index = a,
                        .cidr = cidr("10.0.0.1/32"),
                        .no_prefix_route = true})
          .add_address({.link_index = a, .cidr = cidr("fd00::1/128")})
          .add_address({.link_index = b, .cidr = cidr("10.0.0.2/24")})));

  const auto found = must(socket->addresses(a));

  EXPECT_THAT(found, Contains(Address{.link_index = a,
                                      .cidr = cidr("10.0.0.1/32"),
                                      .no_prefix_route = true}));
  EXPECT_THAT(found,
              Contains(Address{.link_index = a, .cidr = cidr("fd00::1/128")}));
  for (const Address& address : found)
    EXPECT_EQ(address.link_index, a);
  EXPECT_GT(must(socket->addresses()).size(), found.size());
}

TEST_F(SocketIn, ReadsBackTheRoutesItAdded) {
  const Route link_route{.dst = cidr("10.1.0.7/32"),
                         .link_index = a,
                         .scope = Scope::kLink,
                         .mtu = 1300};
  const Route onlink{.dst = cidr("0.0.0.0/0"),
                     .link_index = a,
                     .gateway = ip("169.254.1.1"),
                     .onlink = true,
                     .table = 1003,
                     .priority = 7};
  const Route blackhole{.dst = cidr("10.64.0.0/26"),
                        .type = RouteType::kBlackhole};
  const Route v6{.dst = cidr("fd00::7/128"), .link_index = a, .priority = 9};
  const Route blackhole6{.dst = cidr("fd00:1::/122"),
                         .type = RouteType::kBlackhole,
                         .priority = 1024};

  must(socket->run(Batch()
                       .add_route(link_route)
                       .add_route(onlink)
                       .add_route(blackhole)
                       .add_route(v6)
                       .add_route(blackhole6)));

  const auto ours = must(socket->routes({.protocol = kProtocol}));
  EXPECT_THAT(ours, testing::UnorderedElementsAre(link_route, onlink, blackhole,
                                                  v6, blackhole6));
}

TEST_F(SocketIn, FiltersRoutesByTableLinkAndDestination) {
  must(socket->run(
      Batch()
          .add_route({.dst = cidr("10.1.0.7/32"), .link_index = a})
          .add_route({.dst = cidr("10.1.0.8/32"), .link_index = b})
          .add_route(
              {.dst = cidr("10.1.0.9/32"), .link_index = b, .table = 77})));

  EXPECT_THAT(must(socket->routes({.table = 77})), SizeIs(1));
  EXPECT_THAT(must(socket->routes({.family = Family::kV4, .link_index = b})),
              SizeIs(2));
  EXPECT_THAT(must(socket->routes({.dst = cidr("10.1.0.7/32")})), SizeIs(1));
  EXPECT_THAT(must(socket->routes({.table = 12345})), IsEmpty());
  EXPECT_THAT(must(socket->routes({.link_index = 4711})), IsEmpty());
}

TEST_F(SocketIn, DeletesARouteWhateverItsScope) {
  const Route route{
      .dst = cidr("10.1.0.7/32"), .link_index = a, .scope = Scope::kLink};
  must(socket->run(Batch().add_route(route)));

  must(socket->run(Batch().delete_route({.dst = route.dst})));

  EXPECT_THAT(must(socket->routes({.dst = route.dst})), IsEmpty());
}

TEST_F(SocketIn, ReplacesARoute) {
  must(socket->run(
      Batch().add_route({.dst = cidr("10.1.0.7/32"), .link_index = a})));
  must(socket->run(
      Batch().replace_route({.dst = cidr("10.1.0.7/32"), .link_index = b})));

  const auto found = must(socket->routes({.dst = cidr("10.1.0.7/32")}));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].link_index, b);
}

TEST_F(SocketIn, ReadsBackRulesAndDeletesThemByAddressAlone) {
  const Rule to{.priority = 512, .to = cidr("10.1.0.7/32")};
  const Rule from{.priority = 2048, .from = cidr("10.1.0.7/32"), .table = 1003};
  const Rule from6{.family = Family::kV6,
                   .priority = 2048,
                   .from = cidr("fd00::7/128"),
                   .table = 1003};
  must(socket->run(Batch().add_rule(to).add_rule(from).add_rule(from6)));

  const auto rules = must(socket->rules(Family::kV4));
  EXPECT_THAT(rules, Contains(to));
  EXPECT_THAT(rules, Contains(from));
  EXPECT_THAT(must(socket->rules(Family::kV6)), Contains(from6));

  must(socket->run(
      Batch().delete_rule({.from = cidr("10.1.0.7/32"), .table = 0})));
  EXPECT_THAT(must(socket->rules(Family::kV4)), Contains(to));
  EXPECT_THAT(must(socket->rules(Family::kV4)), testing::Not(Contains(from)));
}

TEST_F(SocketIn, DoesNotDeleteARuleOfAnotherProtocol) {
  sh(*host, "ip rule add from 10.1.0.7 lookup 99 prio 100");

  must(socket->run(Batch().delete_rule(
      {.from = cidr("10.1.0.7/32"), .table = 0}, Missing::kFine)));

  EXPECT_THAT(sh(*host, "ip rule"), HasSubstr("from 10.1.0.7 lookup 99"));
}

TEST_F(SocketIn, ListsPermanentNeighboursOfALink) {
  const Neighbor v4{.link_index = a,
                    .addr = ip("169.254.1.1"),
                    .mac = mac("ee:ee:ee:ee:ee:ee")};
  const Neighbor v6{
      .link_index = a, .addr = ip("fe80::1"), .mac = mac("ee:ee:ee:ee:ee:ee")};
  must(socket->run(Batch().replace_neighbor(v4).replace_neighbor(v6)));

  EXPECT_THAT(must(socket->neighbors(a)),
              testing::UnorderedElementsAre(v4, v6));
  EXPECT_THAT(must(socket->neighbors(b)), IsEmpty());

  must(socket->run(Batch().delete_neighbor(v4)));
  EXPECT_THAT(must(socket->neighbors(a)), testing::ElementsAre(v6));
}

TEST_F(SocketIn, CountsAMissingObjectAsDeletedWhereAsked) {
  const Route route{.dst = cidr("10.7.0.0/16"), .link_index = a};
  const Rule rule{.priority = 9, .from = cidr("10.7.0.1/32"), .table = 5};
  const Address address{.link_index = a, .cidr = cidr("10.7.0.1/32")};
  const Neighbor neighbor{.link_index = a, .addr = ip("10.7.0.2")};

  EXPECT_FALSE(socket->run(Batch().delete_route(route)));
  EXPECT_FALSE(socket->run(Batch().delete_rule(rule)));
  EXPECT_FALSE(socket->run(Batch().delete_address(address)));
  EXPECT_FALSE(socket->run(Batch().delete_neighbor(neighbor)));
  EXPECT_FALSE(socket->run(Batch().delete_link("none")));
  must(socket->run(Batch()
                       .delete_route(route, Missing::kFine)
                       .delete_rule(rule, Missing::kFine)
                       .delete_address(address, Missing::kFine)
                       .delete_neighbor(neighbor, Missing::kFine)
                       .delete_link("none", Missing::kFine)
                       .delete_link(4711, Missing::kFine)
                       .set_link(4711, {.up = false}, Missing::kFine)
                       .delete_group(kDyingGroup)));
}

TEST_F(SocketIn, DeletesTheLinksOfAGroupTogether) {
  must(socket->run(Batch()
                       .add_link({.name = "i1", .kind = "ifb", .group = 77})
                       .add_link({.name = "i2", .kind = "ifb", .group = 77})));

  must(socket->run(Batch().delete_group(77)));

  EXPECT_EQ(must(socket->find_link("i1")), std::nullopt);
  EXPECT_EQ(must(socket->find_link("i2")), std::nullopt);
  EXPECT_NE(must(socket->find_link("a")), std::nullopt);
}

TEST_F(SocketIn, ListsHundredsOfLinksWhole) {
  Batch batch;
  for (int i = 0; i < 300; ++i) {
    batch.add_link({.name = fmt::format("x{}", i), .kind = "ifb"});
  }
  must(socket->run(batch));

  EXPECT_THAT(must(socket->links()), SizeIs(303));
}

TEST_F(SocketIn, StaysInItsNamespace) {
  Socket inside_pod = must(Socket::open_in(*pod));

  EXPECT_EQ(must(inside_pod.find_link("a")), std::nullopt);
  EXPECT_THAT(must(inside_pod.links()), SizeIs(1));
}

}  // namespace
}  // namespace linsey::netlink
