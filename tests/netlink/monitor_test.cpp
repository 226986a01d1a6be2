#include "netlink/monitor.h"

#include <sys/socket.h>

#include <algorithm>

#include "netlink/socket.h"
#include "tests/support/netns.h"

namespace linsey::netlink {
namespace {

using tests::must;

class MonitorOf : public tests::NetnsTest {
 protected:
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    socket.emplace(must(Socket::open_in(*host)));
  }
  Monitor listen(const std::vector<Topic>& topics) {
    std::optional<Monitor> monitor;
    in_host([&] {
      monitor = must(Monitor::open(
          topics, [this](const Event& event) { events.push_back(event); }));
    });
    return *std::move(monitor);
  }
  template <typename T>
  std::vector<T> seen(bool removed) const {
    std::vector<T> found;
    for (const Event& event : events) {
      const T* what = std::get_if<T>(&event.what);
      if (what != nullptr && event.removed == removed) found.push_back(*what);
    }
    return found;
  }

  std::optional<Socket> socket;
  std::vector<Event> events;
};

TEST_F(MonitorOf, TellsOfLinksThatComeAndGo) {
  Monitor monitor = listen({Topic::kLinks});

  must(socket->run(Batch().add_link({.name = "i", .kind = "ifb"})));
  must(socket->run(Batch().delete_link("i")));
  must(monitor.drain());

  ASSERT_FALSE(seen<Link>(false).empty());
  EXPECT_EQ(seen<Link>(false).front().name, "i");
  ASSERT_EQ(seen<Link>(true).size(), 1U);
  EXPECT_EQ(seen<Link>(true).front().name, "i");
}

TEST_F(MonitorOf, TellsOfAddressesRoutesAndRulesInBothFamilies) {
  must(socket->run(Batch().add_link({.name = "i", .kind = "ifb", .up = true})));
  const int i = must(socket->find_link("i")).value().index;
  Monitor monitor = listen({Topic::kAddresses, Topic::kRoutes, Topic::kRules});

  const Rule rule{.priority = 512, .to = must(Cidr::parse("10.0.0.1/32"))};
  const Route route{
      .dst = must(Cidr::parse("fd00::/64")), .link_index = i, .priority = 3};
  const Address address{.link_index = i,
                        .cidr = must(Cidr::parse("10.0.0.9/32")),
                        .no_prefix_route = true};
  must(socket->run(
      Batch().add_address(address).add_route(route).add_rule(rule).delete_rule(
          rule)));
  must(monitor.drain());

  EXPECT_EQ(seen<Rule>(false), std::vector{rule});
  EXPECT_EQ(seen<Rule>(true), std::vector{rule});
  EXPECT_EQ(std::ranges::count(seen<Route>(false), route), 1);
  EXPECT_EQ(std::ranges::count(seen<Address>(false), address), 1);
}

TEST_F(MonitorOf, SaysResyncWhenItWasTooSlow) {
  Monitor monitor = listen({Topic::kRoutes});
  const int small = 1;
  ASSERT_EQ(
      ::setsockopt(monitor.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small),
      0);

  Batch batch;
  for (std::uint32_t n = 0; n < 200; ++n) {
    batch.add_route({.dst = Cidr::host(IpAddr::v4(0x0a000000 + n)),
                     .type = RouteType::kBlackhole});
  }
  must(socket->run(batch));
  must(monitor.drain());

  const auto is_resync = [](const Event& event) {
    return std::holds_alternative<Resync>(event.what);
  };
  EXPECT_TRUE(std::ranges::any_of(events, is_resync));
}

TEST_F(MonitorOf, DrainsWithoutWaiting) {
  Monitor monitor = listen({Topic::kLinks});

  must(monitor.drain());

  EXPECT_TRUE(events.empty());
}

}  // namespace
}  // namespace linsey::netlink
