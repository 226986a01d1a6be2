// The supplier of bgp mode in a namespace of its own, with a real BIRD beside
// it and a real router, the namespace `pod`, at the other end of a veth pair.
#include "agent/block_supplier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/process.h"
#include "ipam/block.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_clock.h"
#include "tests/support/netns.h"
#include "tests/support/temp_dir.h"

namespace linsey::agent {
namespace {

using std::chrono_literals::operator""s;   // NOLINT(misc-unused-using-decls)
using std::chrono_literals::operator""ms;  // NOLINT(misc-unused-using-decls)
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using tests::eventually;

IpAddr ip(std::string_view text) {
  return *IpAddr::parse(text);
}
Cidr cidr(std::string_view text) {
  return *Cidr::parse(text);
}

class BlockSupplierTest : public tests::NetnsTest {
 protected:
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    sh(*host,
       "ip link set lo up; ip link add eth0 type veth peer name eth0 "
       "netns " +
           pod->path());
    sh(*host, "ip addr add 10.0.1.11/24 dev eth0; ip link set eth0 up");
    sh(*pod,
       "ip link set lo up; ip addr add 10.0.1.1/24 dev eth0; "
       "ip link set eth0 up");
    config_.pools.resize(1);
    config_.pools[0].name = "all";
    config_.pools[0].cidr = cidr("10.244.0.0/16");
    config_.blocks.assignments["m1"] = {cidr("10.244.1.0/30")};
    config_.bgp.bird.config_file = dir_ / "bird/bird.conf";
    config_.bgp.bird.control_socket = dir_ / "bird/bird.ctl";
    config_.state_dir = dir_ / "";
    node_.name = "m1";
    node_.addresses = {ip("10.0.1.11")};
  }

  void add_peer() {
    conf::BgpPeer peer;
    peer.name = "tor";
    peer.address = ip("10.0.1.1");
    peer.as_number = 65100;
    config_.bgp.peers = {peer};
  }

  Child start_bird(const netlink::NetNs& ns, const std::string& directory) {
    return Child::start({.argv = {"bird", "-f", "-c", directory + "/bird.conf",
                                  "-s", directory + "/bird.ctl", "-P",
                                  directory + "/bird.pid"},
                         .netns_fd = ns.fd(),
                         .output_file = dir_ / "bird.log"})
        .value();
  }

  void start_router() {
    bgp::Speaker router;
    router.router_id = ip("10.0.1.1");
    router.as_number = 65100;
    router.node_addresses = {ip("10.0.1.1")};
    router.imports = {bgp::import_of(cidr("10.244.0.0/16"))};
    bgp::Peer peer;
    peer.name = "m1";
    peer.address = ip("10.0.1.11");
    peer.as_number = config_.bgp.as_number;
    router.peers = {peer};
    ASSERT_TRUE(make_directories(dir_ / "router").has_value());
    ASSERT_TRUE(bgp::apply(router, {dir_ / "router/bird.conf",
                                    dir_ / "router/bird.ctl", "bird"})
                    .has_value());
    router_ = start_bird(*pod, dir_ / "router");
  }

  std::string router_routes() { return sh(*pod, "ip route show"); }
  std::string host_routes() { return sh(*host, "ip route show"); }
  std::string config_text() {
    return read_file(config_.bgp.bird.config_file).value_or(std::string());
  }

  BlockSupplier make() {
    return BlockSupplier(
        {.loop = loop_,
         .clock = clock_,
         .ledger = ledger_,
         .config = config_,
         .node = node_,
         .worker = worker_,
         .metrics = metrics_,
         .hooks = {.supply_changed = [this] { ++changes_; },
                   .refuse = [this](const Error& why) { refused_ = why; }}});
  }

  /// Turns of the loop, with the clock moving, until `condition` holds.
  bool turn_until(const std::function<bool()>& condition) {
    return eventually([&] {
      clock_.advance(100ms);
      loop_.run_until_idle();
      return condition();
    });
  }

  ipam::Counts counts() { return ledger_.counts(clock_.now()); }
  Result<ipam::Assigned> assign(const std::string& id) {
    ipam::AssignRequest request;
    request.attachment.key = {"net", id, "eth0"};
    request.families = {Family::kV4};
    request.asked_at = clock_.now();
    return ledger_.assign(request, clock_.now());
  }

  tests::TempDir dir_;
  tests::FakeClock clock_;
  Loop loop_{clock_};
  Worker worker_{loop_, "bird", Worker::Kind::kInline};
  Metrics metrics_;
  ipam::Ledger ledger_;
  conf::AgentConfig config_;
  conf::Node node_;
  Child router_;
  int changes_ = 0;
  std::optional<Error> refused_;
};

TEST_F(BlockSupplierTest, WithoutPeersBlocksAreUsedAtOnce) {
  in_host([&] {
    BlockSupplier supplier = make();
    supplier.start();
    loop_.run_until_idle();

    EXPECT_EQ(counts().free, 4);
    EXPECT_TRUE(supplier.health().ready);
    EXPECT_GT(changes_, 0);
    EXPECT_THAT(host_routes(), HasSubstr("blackhole 10.244.1.0/30 proto 80"));
    EXPECT_THAT(config_text(), HasSubstr("route 10.244.1.0/30 blackhole"));
    const auto allocation = supplier.complete({ip("10.244.1.2")});
    ASSERT_TRUE(allocation.has_value());
    EXPECT_EQ(allocation->source, "10.244.1.0/30");
    EXPECT_EQ(allocation->mtu, 1500);
    EXPECT_THAT(allocation->node_addresses, ElementsAre(ip("10.0.1.11")));
  });
}

TEST_F(BlockSupplierTest, ABlockIsUsedOnceItsPeerHasBeenTold) {
  add_peer();
  start_router();
  in_host([&] {
    BlockSupplier supplier = make();
    supplier.start();
    loop_.run_until_idle();
    EXPECT_EQ(counts().free, 0);
    EXPECT_FALSE(supplier.health().ready);
    EXPECT_EQ(supplier.health().why.code, Code::kBirdDown);
    supplier.need(1);
    EXPECT_FALSE(refused_.has_value());

    const Child bird = start_bird(*host, dir_ / "bird");
    clock_.advance(500ms);
    loop_.run_until_idle();
    // The clock stands still, so nothing but an announcement opens the block.
    EXPECT_TRUE(eventually([&] {
      supplier.config_changed();
      loop_.run_until_idle();
      return counts().free == 4;
    }));
    EXPECT_TRUE(supplier.health().ready);
    EXPECT_TRUE(eventually([&] {
      return router_routes().find("10.244.1.0/30 via 10.0.1.11") !=
             std::string::npos;
    }));
    EXPECT_THAT(supplier.describe(), HasSubstr("\"announced\":true"));
    EXPECT_THAT(metrics_.text(),
                HasSubstr("linsey_bgp_session_up{peer=\"peer_tor\"} "
                          "1"));
  });
}

TEST_F(BlockSupplierTest, ABirdThatStaysDownStopsPodsForTenSecondsOnly) {
  add_peer();
  in_host([&] {
    BlockSupplier supplier = make();
    supplier.start();
    loop_.run_until_idle();
    clock_.advance(9s);
    loop_.run_until_idle();
    EXPECT_EQ(counts().free, 0);

    clock_.advance(1s);
    loop_.run_until_idle();

    EXPECT_EQ(counts().free, 4);
    EXPECT_TRUE(supplier.health().ready);
    EXPECT_EQ(supplier.health().why.code, Code::kBirdDown);
  });
}

TEST_F(BlockSupplierTest, BlocksTheLedgerKnewAreUsedAtOnceAfterARestart) {
  add_peer();
  ipam::AddressRow row;
  row.address = ip("10.244.1.1");
  row.source = "10.244.1.0/30";
  ledger_.restore(row, true);
  in_host([&] {
    BlockSupplier supplier = make();
    supplier.start();

    EXPECT_EQ(counts().free, 4);
  });
}

TEST_F(BlockSupplierTest, NoBlockIsToldWithTheKeyToMend) {
  config_.blocks.assignments.clear();
  in_host([&] {
    BlockSupplier supplier = make();
    supplier.start();
    loop_.run_until_idle();
    supplier.need(1);

    EXPECT_EQ(supplier.health().why.code, Code::kNoBlock);
    ASSERT_TRUE(refused_.has_value());
    EXPECT_THAT(refused_->msg, HasSubstr("blocks.assignments"));
    EXPECT_THAT(host_routes(), Not(HasSubstr("blackhole")));
  });
}

TEST_F(BlockSupplierTest, AFullBlockIsToldUnlessSomethingCools) {
  in_host([&] {
    BlockSupplier supplier = make();
    supplier.start();
    loop_.run_until_idle();
    for (const char* id : {"a", "b", "c", "d"}) {
      ASSERT_TRUE(assign(id).has_value());
    }
    EXPECT_EQ(supplier.health().why.code, Code::kBlockExhausted);
    supplier.need(1);
    EXPECT_EQ(refused_->code, Code::kBlockExhausted);

    refused_.reset();
    (void)ledger_.release({"net", "a", "eth0"}, clock_.now());
    supplier.need(1);
    EXPECT_FALSE(refused_.has_value());
    EXPECT_TRUE(supplier.health().ready);
  });
}

TEST_F(BlockSupplierTest, AnUnassignedBlockDrainsAndIsWithdrawnWhenEmpty) {
  add_peer();
  start_router();
  in_host([&] {
    BlockSupplier supplier = make();
    supplier.start();
    loop_.run_until_idle();
    const Child bird = start_bird(*host, dir_ / "bird");
    ASSERT_TRUE(turn_until([&] {
      return router_routes().find("10.244.1.0/30") != std::string::npos;
    }));
    ASSERT_TRUE(turn_until([&] { return supplier.health().ready; }));
    ASSERT_TRUE(assign("a").has_value());

    config_.blocks.assignments["m1"] = {cidr("10.244.7.0/30")};
    supplier.config_changed();
    ASSERT_TRUE(turn_until([&] {
      return router_routes().find("10.244.7.0/30") != std::string::npos;
    }));
    EXPECT_THAT(router_routes(), HasSubstr("10.244.1.0/30"));
    EXPECT_EQ(assign("b")->held.allocation.addresses[0], ip("10.244.7.0"));

    (void)ledger_.release({"net", "a", "eth0"}, clock_.now());
    supplier.on_released(ip("10.244.1.0"));
    ASSERT_TRUE(turn_until([&] {
      return router_routes().find("10.244.1.0/30") == std::string::npos;
    }));
    EXPECT_TRUE(turn_until([&] {
      return host_routes().find("10.244.1.0/30") == std::string::npos &&
             ledger_.rows(clock_.now()).size() == 4;
    }));
  });
}

TEST_F(BlockSupplierTest, ABlockGivenToAnotherNodeIsWithdrawnAtOnce) {
  in_host([&] {
    BlockSupplier supplier = make();
    supplier.start();
    loop_.run_until_idle();
    ASSERT_TRUE(assign("a").has_value());

    config_.blocks.assignments["m2"] = config_.blocks.assignments["m1"];
    config_.blocks.assignments.erase("m1");
    supplier.config_changed();
    loop_.run_until_idle();

    EXPECT_THAT(config_text(), Not(HasSubstr("10.244.1.0/30")));
    EXPECT_THAT(host_routes(), Not(HasSubstr("blackhole")));
    EXPECT_FALSE(assign("b").has_value());
    EXPECT_NE(ledger_.find({"net", "a", "eth0"}), nullptr);
  });
}

TEST_F(BlockSupplierTest, ACordonDrainsItsRoutesWhereThatIsAskedFor) {
  in_host([&] {
    config_.run_dir = dir_ / "";
    node_.unschedulable = true;
    BlockSupplier supplier = make();
    supplier.start();
    loop_.run_until_idle();
    EXPECT_TRUE(supplier.health().ready);

    config_.bgp.drain_on_cordon = true;
    supplier.config_changed();
    loop_.run_until_idle();
    EXPECT_EQ(supplier.health().why.code, Code::kRoutesDrained);
    EXPECT_THAT(supplier.health().why.msg, HasSubstr("kubectl uncordon"));

    node_.unschedulable = false;
    supplier.config_changed();
    loop_.run_until_idle();
    EXPECT_TRUE(supplier.health().ready);
  });
}

TEST_F(BlockSupplierTest, NewPodsGetTheUplinksMtuAsItIsNow) {
  in_host([&] {
    BlockSupplier supplier = make();
    supplier.start();
    loop_.run_until_idle();
    ASSERT_EQ(supplier.complete({ip("10.244.1.1")})->mtu, 1500U);

    sh(*host, "ip link set eth0 mtu 1400");

    EXPECT_TRUE(turn_until(
        [&] { return supplier.complete({ip("10.244.1.1")})->mtu == 1400; }));
  });
}

TEST_F(BlockSupplierTest, OnlyTheUplinkForwardsToPods) {
  sh(*host,
     "ip link add other0 type bridge; "
     "ip addr add 192.0.2.1/24 dev other0; "
     "ip addr add fd00:1::11/64 dev eth0 nodad");
  node_.addresses.push_back(ip("fd00:1::11"));
  in_host([&] {
    BlockSupplier supplier = make();
    supplier.start();
    loop_.run_until_idle();

    EXPECT_EQ(netlink::get_sysctl("net/ipv4/conf/eth0/forwarding").value(),
              "1");
    EXPECT_EQ(netlink::get_sysctl("net/ipv4/conf/other0/forwarding").value(),
              "0");
    EXPECT_EQ(netlink::get_sysctl("net/ipv4/conf/all/forwarding").value(), "0");
    EXPECT_TRUE(supplier.health().ready);
    const auto forced =
        netlink::get_sysctl("net/ipv6/conf/eth0/force_forwarding");
    if (forced) {
      EXPECT_EQ(*forced, "1");
    } else {
      EXPECT_EQ(supplier.health().why.code, Code::kKernelFeatureMissing);
    }
  });
}

TEST_F(BlockSupplierTest, ABlackholeThatIsTakenAwayComesBack) {
  in_host([&] {
    BlockSupplier supplier = make();
    supplier.start();
    loop_.run_until_idle();
    sh(*host,
       "ip route del blackhole 10.244.1.0/30 proto 80 metric 10000; "
       "ip route add blackhole 10.99.0.0/24 proto static");

    clock_.advance(11s);
    loop_.run_until_idle();

    EXPECT_THAT(host_routes(), HasSubstr("blackhole 10.244.1.0/30 proto 80"));
    EXPECT_THAT(host_routes(), HasSubstr("blackhole 10.99.0.0/24"));
  });
}

TEST_F(BlockSupplierTest, AChangedPasswordFileReachesBird) {
  add_peer();
  config_.bgp.peers[0].password_file = dir_ / "password";
  ASSERT_TRUE(write_file_atomic(dir_ / "password", "first\n").has_value());
  in_host([&] {
    BlockSupplier supplier = make();
    supplier.start();
    loop_.run_until_idle();
    EXPECT_THAT(config_text(), HasSubstr("password \"first\""));

    ASSERT_TRUE(write_file_atomic(dir_ / "password", "second\n").has_value());
    clock_.advance(11s);
    loop_.run_until_idle();
    EXPECT_THAT(config_text(), HasSubstr("password \"second\""));

    ASSERT_TRUE(write_file_atomic(dir_ / "password", "x\"\n").has_value());
    clock_.advance(11s);
    loop_.run_until_idle();
    EXPECT_THAT(config_text(), HasSubstr("password \"second\""));
    EXPECT_EQ(supplier.health().why.code, Code::kInvalidConfig);
  });
}

TEST_F(BlockSupplierTest, StopLeavesKernelAndConfigurationAsTheyAre) {
  in_host([&] {
    {
      BlockSupplier supplier = make();
      supplier.start();
      loop_.run_until_idle();
      supplier.stop();
    }
    clock_.advance(60s);
    loop_.run_until_idle();

    EXPECT_THAT(host_routes(), HasSubstr("blackhole 10.244.1.0/30"));
    EXPECT_THAT(config_text(), HasSubstr("10.244.1.0/30"));
  });
}

}  // namespace
}  // namespace linsey::agent
