#include "line/kernel.h"

#include <gmock/gmock.h>

#include "tests/support/netns.h"

namespace linsey::line {
namespace {

using conf::LineClass;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using tests::must;

IpAddr ip(const char* text) {
  return *IpAddr::parse(text);
}

/// A node with two NICs, eth0 and eth1.
class LineKernel : public tests::NetnsTest {
 protected:
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    socket.emplace(must(netlink::Socket::open_in(*host)));
    sh(*host,
       "ip link add eth0 type veth peer name p0; "
       "ip link add eth1 type veth peer name p1; "
       "for i in eth0 eth1 p0 p1; do ip link set $i up; done");
    line.mode = "on";
    line.down = 90'000'000;
    line.up = 45'000'000;
    line.links = {"eth*"};
    line.exemptions = {{"api", *Cidr::parse("10.0.0.10/32"), 6443, "tcp"},
                       {"dns", *Cidr::parse("fd00:10::53/128"), 53, "udp"}};
    pods = {{"web",
             "a",
             {ip("172.16.1.5"), ip("fd00:20::5")},
             LineClass::kGuaranteed},
            {"train", "b", {ip("172.16.1.6")}, LineClass::kBestEffort}};
  }

  Report guard() {
    numbers.update(pods);
    const std::string queue = must(leaf_queue(*socket));
    return must(
        apply(*socket, line, make_plan(line, far, pods, numbers, queue)));
  }
  /// Everything of traffic control but counters.
  std::string state() {
    return sh(*host,
              "for d in eth0 eth1; do tc -j qdisc show dev $d; "
              "tc -j class show dev $d; tc -j filter show dev $d; "
              "tc -j filter show dev $d ingress; "
              "tc -j filter show dev $d egress; done; ip -br link | grep -c .");
  }
  std::size_t leaves() {
    std::size_t count = 0;
    const auto classes = must(read_classes(*socket));
    for (const netlink::HtbClass& cls : classes.front()) {
      count += (cls.handle & 0xffff) >= kFirstPodMinor ? 1 : 0;
    }
    return count;
  }

  std::optional<netlink::Socket> socket;
  conf::Line line;
  std::vector<Cidr> far = {*Cidr::parse("10.0.0.0/14"),
                           *Cidr::parse("fd00:10::/44")};
  std::vector<Pod> pods;
  Numbers numbers;
};

TEST_F(LineKernel, MakesItsTreesAndThenChangesNothing) {
  const Report first = guard();
  const Report second = guard();

  EXPECT_THAT(first.nics, ElementsAre("eth0", "eth1"));
  EXPECT_THAT(first.conflicts, IsEmpty());
  EXPECT_GT(first.changes, 0U);
  EXPECT_EQ(second.changes, 0U);
  EXPECT_EQ(leaves(), 2U);
}

TEST_F(LineKernel, IsOffWithoutATrace) {
  const std::string before = state();
  guard();
  EXPECT_NE(state(), before);

  must(remove_all(*socket));

  EXPECT_EQ(state(), before);
  must(remove_all(*socket));
}

TEST_F(LineKernel, FollowsPodsAndNicsByDifference) {
  guard();
  pods.push_back({"web", "c", {ip("172.16.1.7")}, LineClass::kBurstable});
  // A class, a queue and a filter in each direction.
  EXPECT_EQ(guard().changes, 6U);
  pods.erase(pods.begin());
  // Two filters and a class in each direction.
  EXPECT_EQ(guard().changes, 6U);
  EXPECT_EQ(leaves(), 2U);

  sh(*host, "ip link add eth2 type veth peer name p2");
  EXPECT_THAT(guard().nics, SizeIs(3));
  sh(*host, "ip link del eth2");
  EXPECT_THAT(guard().nics, SizeIs(2));
  EXPECT_EQ(guard().changes, 0U);
}

TEST_F(LineKernel, ChangesRatesInPlace) {
  guard();
  line.down = 50'000'000;

  guard();

  EXPECT_THAT(sh(*host, "tc class show dev linsey-down"),
              HasSubstr("rate 50Mbit ceil 50Mbit"));
  EXPECT_EQ(guard().changes, 0U);
}

TEST_F(LineKernel, MovesAPodToAnotherClass) {
  guard();
  pods[1].cls = LineClass::kGuaranteed;

  guard();

  EXPECT_EQ(guard().changes, 0U);
  EXPECT_EQ(leaves(), 2U);
}

TEST_F(LineKernel, MovesToOtherPreferences) {
  const std::string before = state();
  guard();
  line.preference = 40000;
  line.exemptions.clear();

  guard();

  EXPECT_EQ(guard().changes, 0U);
  const std::string filters = sh(*host, "tc filter show dev eth0 ingress");
  EXPECT_THAT(filters, HasSubstr("pref 40002"));
  EXPECT_THAT(filters, Not(HasSubstr("pref 5000")));
  must(remove_all(*socket));
  EXPECT_EQ(state(), before);
}

TEST_F(LineKernel, TakesUpWhatAnEarlierAgentMade) {
  guard();
  numbers = must(recover_numbers(*socket));

  EXPECT_EQ(guard().changes, 0U);
}

TEST_F(LineKernel, LeavesLinksThatAreNoNicsAnyMore) {
  const std::string before = sh(*host, "tc -j qdisc show dev eth1");
  guard();
  line.links = {"eth0"};

  EXPECT_THAT(guard().nics, ElementsAre("eth0"));

  EXPECT_EQ(sh(*host, "tc -j qdisc show dev eth1"), before);
}

TEST_F(LineKernel, JoinsAClsactBehindItsFilters) {
  sh(*host,
     "tc qdisc add dev eth0 clsact; ip link add other type ifb; "
     "tc filter add dev eth0 egress pref 7 protocol ip u32 match ip dst "
     "10.1.2.3/32 action mirred egress mirror dev other; "
     "tc filter add dev eth0 ingress protocol ip u32 match ip src "
     "10.9.0.0/16 flowid 1:7");
  const std::string before = state();

  EXPECT_THAT(guard().conflicts, IsEmpty());

  EXPECT_THAT(sh(*host, "tc filter show dev eth0 egress"),
              HasSubstr("Redirect to device linsey-up"));
  EXPECT_EQ(guard().changes, 0U);
  must(remove_all(*socket));
  // Links made meanwhile are gone too.
  EXPECT_EQ(state(), before);
}

TEST_F(LineKernel, RefusesADirectionWhereOthersWouldComeBehind) {
  sh(*host,
     "tc qdisc add dev eth0 clsact; "
     "tc filter add dev eth0 egress pref 60000 protocol ip u32 match ip dst "
     "10.1.2.3/32 flowid 1:7");
  const std::string before = state();

  for (int round = 0; round < 2; ++round) {
    const Report report = guard();
    ASSERT_THAT(report.conflicts, SizeIs(1));
    EXPECT_EQ(report.conflicts[0].code, Code::kLineQdiscConflict);
    EXPECT_THAT(report.conflicts[0].msg, HasSubstr("eth0: up is not limited"));
  }

  must(remove_all(*socket));
  EXPECT_EQ(state(), before);
}

TEST_F(LineKernel, RefusesBothDirectionsWhereAPreferenceOfOursIsTaken) {
  guard();
  sh(*host,
     "tc filter add dev eth0 egress pref 50002 protocol ip u32 match ip dst "
     "10.1.2.3/32 flowid 1:7");

  EXPECT_THAT(guard().conflicts, SizeIs(2));
  EXPECT_THAT(guard().conflicts, SizeIs(2));

  EXPECT_THAT(sh(*host, "tc filter show dev eth0 egress"),
              HasSubstr("match 0a010203"));
  EXPECT_THAT(sh(*host, "tc filter show dev eth0 egress"),
              Not(HasSubstr("linsey")));
}

TEST_F(LineKernel, JoinsAnIngressQdiscForDownAndNamesUp) {
  sh(*host,
     "tc qdisc add dev eth0 ingress; "
     "tc filter add dev eth0 ingress pref 3 protocol ip u32 match ip src "
     "10.1.2.3/32 flowid 1:7");
  const std::string before = state();

  const Report report = guard();

  ASSERT_THAT(report.conflicts, SizeIs(1));
  EXPECT_THAT(report.conflicts[0].msg, HasSubstr("eth0: up is not limited"));
  EXPECT_THAT(sh(*host, "tc filter show dev eth0 ingress"),
              HasSubstr("Redirect to device linsey-down"));
  EXPECT_EQ(guard().changes, 0U);
  must(remove_all(*socket));
  EXPECT_EQ(state(), before);
}

TEST_F(LineKernel, JoinsAClassfulRootForUp) {
  sh(*host,
     "tc qdisc add dev eth0 ingress; "
     "tc qdisc add dev eth0 root handle 8: htb default 1; "
     "tc class add dev eth0 parent 8: classid 8:1 htb rate 1gbit; "
     "tc filter add dev eth0 parent 8: pref 3 protocol ip u32 match ip dst "
     "10.1.2.3/32 flowid 8:1");
  const std::string before = state();

  EXPECT_THAT(guard().conflicts, IsEmpty());

  EXPECT_THAT(sh(*host, "tc filter show dev eth0"),
              HasSubstr("Redirect to device linsey-up"));
  EXPECT_EQ(guard().changes, 0U);
  must(remove_all(*socket));
  EXPECT_EQ(state(), before);
}

TEST_F(LineKernel, LeavesAClsactThatOthersHaveJoined) {
  guard();
  sh(*host,
     "tc filter add dev eth0 egress pref 7 protocol ip u32 match ip dst "
     "10.1.2.3/32 flowid 1:7");

  must(remove_all(*socket));

  EXPECT_THAT(sh(*host, "tc filter show dev eth0 egress"), HasSubstr("pref 7"));
  EXPECT_THAT(sh(*host, "tc qdisc show dev eth1"), Not(HasSubstr("clsact")));
}

TEST_F(LineKernel, CountsWhatAPodsAddressSends) {
  guard();
  sh(*host,
     "ip addr add 172.16.1.6/24 dev eth0; ip route add 10.1.0.0/16 dev eth0 "
     "src 172.16.1.6; ip neigh add 10.1.0.9 lladdr 02:00:00:00:00:01 dev eth0; "
     "ping -c 3 -i 0.01 -W 0.01 10.1.0.9 || true; "
     "ping -c 3 -i 0.01 -W 0.01 172.16.1.77 || true");

  const auto classes = must(read_classes(*socket));
  std::uint64_t packets = 0;
  for (const netlink::HtbClass& cls :
       classes.at(static_cast<std::size_t>(Direction::kUp))) {
    if (cls.handle == (0x10000 | numbers.of(pods[1]))) {
      packets = cls.counters.packets;
    }
  }
  EXPECT_EQ(packets, 3U);
}

}  // namespace
}  // namespace linsey::line
