// The way back of what came in by the primary interface: a pod on an interface
// of its own, a neighbour that takes each address from its own link alone, as
// the VPC does, and the node's address turned into the pod's, as kube-proxy
// does for a NodePort.
#include "agent/return_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "datapath/wire.h"
#include "tests/support/fake_clock.h"
#include "tests/support/netns.h"
#include "tests/support/temp_dir.h"

namespace linsey::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using tests::must;

constexpr std::uint32_t kTable = 1007;

struct ReturnPathTest : tests::NetnsTest {
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    client = must(netlink::NetNs::create());
    for (const std::string n : {"0", "1"}) {
      must(must(netlink::Socket::open_in(*host))
               .run(netlink::Batch().add_link(
                   {.name = "eth" + n,
                    .kind = "veth",
                    .peer = netlink::PeerSpec{.name = "net" + n,
                                              .mac = {},
                                              .netns_fd = client->fd()}})));
    }
    sh(*client,
       "sysctl -qw net.ipv4.conf.all.rp_filter=1;"
       "ip addr add 10.0.1.1/24 dev net0; ip addr add 10.0.2.1/24 dev net1;"
       "ip link set net0 up; ip link set net1 up;"
       "ip route add 10.64.0.7 via 10.0.2.2 dev net1 onlink");
    sh(*host,
       "sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=0 "
       "net.ipv4.conf.eth1.forwarding=1 net.ipv4.conf.eth0.rp_filter=1 "
       "net.ipv4.conf.eth1.rp_filter=2;"
       "ip addr add 10.0.1.11/24 dev eth0; ip link set eth0 up;"
       "ip link set eth1 up;"
       "ip route add 10.0.2.1 dev eth1 table 1007;"
       "ip route add default via 10.0.2.1 dev eth1 onlink table 1007;"
       "ip addr add 10.0.2.2/32 dev eth1;"
       "nft 'table ip kubes_part { chain in { type nat hook prerouting "
       "priority dstnat; ip daddr 10.0.1.11 dnat to 10.64.0.7; }; }'");
    in_host([this] { wire_pod(); });
  }

  void wire_pod() {
    ipam::Attachment attachment;
    attachment.key = {"net", "c1", "eth0"};
    attachment.pod = {"ns", "c1", "uid"};
    ipam::Allocation allocation;
    allocation.addresses = {must(IpAddr::parse("10.64.0.7"))};
    allocation.node_addresses = {must(IpAddr::parse("10.0.1.11"))};
    allocation.eni = ipam::EniPath{.eni_id = "eni-1", .table = kTable};
    Rollback undo;
    (void)must(datapath::wire(must(datapath::make_plan(attachment, allocation)),
                              *pod, undo));
    undo.commit();
  }
  ReturnWay way() const {
    return {.primary = "eth0",
            .mark = 0x80,
            .priority = 1024,
            .record_file = directory / "sysctls.json"};
  }
  bool answers() const {
    return succeeds(*client, "ping -q -c1 -W1 -I 10.0.1.1 10.0.1.11");
  }
  /// With the way back kept; `then` runs beside it.
  void keeping(const std::function<void(ReturnPath&)>& then) {
    in_host([&] {
      const auto path = must(ReturnPath::start(loop, [this] { ++repairs; }));
      must(path->set(way()));
      then(*path);
    });
  }
  void settle() {
    loop.run_until_idle();
    clock.advance(std::chrono::seconds(1));
    loop.run_until_idle();
  }

  tests::TempDir directory;
  std::optional<netlink::NetNs> client;
  tests::FakeClock clock;
  Loop loop{clock};
  int repairs = 0;
};

TEST_F(ReturnPathTest, ACallOfTheNodesAddressIsAnswered) {
  keeping([&](ReturnPath&) { EXPECT_TRUE(answers()); });
}

TEST_F(ReturnPathTest, WithoutItTheSameCallIsNotAnswered) {
  sh(*host,
     "sysctl -qw net.ipv4.conf.eth0.rp_filter=2 "
     "net.ipv4.conf.eth0.forwarding=1");

  EXPECT_FALSE(answers());
}

TEST_F(ReturnPathTest, AMarkOfZeroTakesItAllAway) {
  keeping([&](ReturnPath& path) {
    ReturnWay off = way();
    off.mark = 0;
    must(path.set(off));

    EXPECT_FALSE(answers());
    EXPECT_FALSE(succeeds(*host, "nft list table inet linsey_return"));
    EXPECT_THAT(sh(*host, "ip rule"), Not(HasSubstr("fwmark")));
  });
}

TEST_F(ReturnPathTest, APodsOwnCallsLeaveByItsInterface) {
  keeping([&](ReturnPath&) {
    EXPECT_TRUE(succeeds(*pod, "ping -q -c1 -W1 10.0.2.1"));
  });
}

TEST_F(ReturnPathTest, ATableThatSomebodyDeletedIsPutBack) {
  keeping([&](ReturnPath&) {
    sh(*host, "nft delete table inet linsey_return");
    settle();

    EXPECT_TRUE(answers());
    EXPECT_EQ(repairs, 1);
  });
}

TEST_F(ReturnPathTest, AChainThatSomebodyFlushedIsFilledAgain) {
  keeping([&](ReturnPath&) {
    sh(*host, "nft flush table inet linsey_return");
    settle();

    EXPECT_TRUE(answers());
    EXPECT_EQ(repairs, 1);
  });
}

TEST_F(ReturnPathTest, ARuleThatSomebodyDeletedIsPutBack) {
  keeping([&](ReturnPath&) {
    sh(*host, "ip rule del pref 1024; ip -6 rule del pref 1024");
    settle();

    EXPECT_TRUE(answers());
    EXPECT_THAT(sh(*host, "ip -6 rule"), HasSubstr("fwmark 0x80/0x80"));
    EXPECT_EQ(repairs, 1);
  });
}

TEST_F(ReturnPathTest, ItsOwnChangesAndThoseOfOthersAreNoDrift) {
  keeping([&](ReturnPath&) {
    sh(*host, "nft add table ip some_other");
    settle();
    settle();

    EXPECT_EQ(repairs, 0);
  });
}

}  // namespace
}  // namespace linsey::agent
