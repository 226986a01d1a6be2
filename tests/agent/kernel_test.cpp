// HostLinks and Reconciler against the real kernel: pods are wired by datapath
// in fresh namespaces, time is moved by hand.
#include <sys/epoll.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/blackholes.h"
#include "agent/host_links.h"
#include "agent/reconciler.h"
#include "agent/service.h"
#include "datapath/plan.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_clock.h"
#include "tests/support/netns.h"

namespace linsey::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using tests::must;

/// The parts of an agent that touch the kernel. Lives on a thread inside the
/// host's namespace.
struct Parts {
  Parts() : links(must(HostLinks::start(loop))) {
    loop.set_after_turn([this] { service.commit(); });
    ledger.add({{{must(IpAddr::parse("10.64.0.7")), "block", ""},
                 {must(IpAddr::parse("10.64.0.8")), "block", ""}}});
  }

  /// Handles events until `done`; the kernel's come when they come.
  bool until(const std::function<bool()>& done) {
    return tests::eventually([&] {
      loop.run_until_idle();
      return done();
    });
  }
  void look_after(Duration time) {
    clock.advance(time);
    loop.run_until_idle();
  }

  tests::FakeClock clock;
  Loop loop{clock};
  Worker worker{loop, "kernel", Worker::Kind::kInline};
  ipam::Ledger ledger;
  Metrics metrics;
  conf::AgentConfig config;
  std::unique_ptr<HostLinks> links;
  Service service{
      {.loop = loop,
       .clock = clock,
       .ledger = ledger,
       .metrics = metrics,
       .config = config,
       .save = [this]() -> Result<void> {
         ledger.mark_saved();
         return {};
       },
       .take_down =
           [this](const Teardown& teardown, TeardownDone done) {
             links->take_down(teardown, std::move(done));
           },
       .sweep = [this](const auto& keep,
                       auto done) { reconciler.sweep(keep, std::move(done)); },
       .ports = {.open = [](const auto&) { return Result<void>(); },
                 .close = [](const auto&) { return Result<void>(); }},
       .forget = [](const auto&) {}}};
  Reconciler reconciler{{.loop = loop,
                         .worker = worker,
                         .clock = clock,
                         .ledger = ledger,
                         .service = service,
                         .links = *links,
                         .metrics = metrics}};
};

struct KernelTest : tests::NetnsTest {
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    sh(*host,
       "ip link add up0 type veth peer name up1; ip link set up0 up;"
       "ip link set up1 up; ip addr add 10.0.1.11/24 dev up0");
  }

  static ipam::Attachment attachment(const std::string& container) {
    ipam::Attachment attachment;
    attachment.key = {"net", container, "eth0"};
    attachment.pod = {"ns", container, "uid"};
    return attachment;
  }
  static ipam::Allocation allocation(const std::string& address) {
    ipam::Allocation allocation;
    allocation.addresses = {must(IpAddr::parse(address))};
    allocation.node_addresses = {must(IpAddr::parse("10.0.1.11"))};
    return allocation;
  }
  /// Wires a pod of its own namespace; on the host's thread.
  static netlink::NetNs wire(const std::string& container,
                             const std::string& address) {
    netlink::NetNs ns = must(netlink::NetNs::create());
    Rollback undo;
    (void)must(datapath::wire(
        must(datapath::make_plan(attachment(container), allocation(address))),
        ns, undo));
    undo.commit();
    return ns;
  }
  static void hold(Parts& parts, const std::string& container,
                   const std::string& address) {
    ipam::AssignRequest request;
    request.attachment = attachment(container);
    request.attachment.wanted_ips = {must(IpAddr::parse(address))};
    (void)must(parts.ledger.assign(request, parts.clock.now()));
    must(parts.ledger.complete(request.attachment.key, allocation(address)));
  }
  /// A pod c1, held, whose traffic leaves by the table of an interface, and
  /// which has been looked at once.
  static std::pair<netlink::NetNs, datapath::Plan> pod_on_eni(Parts& parts) {
    ipam::Allocation on_eni = allocation("10.64.0.7");
    on_eni.eni = ipam::EniPath{.eni_id = "eni-1", .table = 1007};
    datapath::Plan plan = must(datapath::make_plan(attachment("c1"), on_eni));
    netlink::NetNs ns = must(netlink::NetNs::create());
    Rollback undo;
    (void)must(datapath::wire(plan, ns, undo));
    undo.commit();
    ipam::AssignRequest request;
    request.attachment = attachment("c1");
    request.attachment.wanted_ips = on_eni.addresses;
    (void)must(parts.ledger.assign(request, parts.clock.now()));
    must(parts.ledger.complete(request.attachment.key, on_eni));
    parts.reconciler.start();
    parts.look_after(std::chrono::seconds(2));
    must(datapath::remove_rules(on_eni.addresses.front()));
    return {std::move(ns), std::move(plan)};
  }
  static std::vector<datapath::OurLink> links() {
    return must(datapath::find_ours()).links;
  }
};

TEST_F(KernelTest, ATeardownEndsWhenTheLinkIsGoneFromView) {
  in_host([] {
    Parts parts;
    const netlink::NetNs ns = wire("c1", "10.64.0.7");
    std::optional<Result<std::vector<IpAddr>>> heard;

    parts.links->take_down(
        Teardown{attachment("c1").key, attachment("c1").pod, 0, {}},
        [&](const auto& seen) { heard = seen; });
    ASSERT_TRUE(parts.until([&] { return heard.has_value(); }));

    EXPECT_THAT(heard->value(), ElementsAre(must(IpAddr::parse("10.64.0.7"))));
    EXPECT_THAT(links(), IsEmpty());
  });
}

TEST_F(KernelTest, ManyTeardownsOfOneTurnAllEnd) {
  in_host([] {
    Parts parts;
    std::vector<netlink::NetNs> namespaces;
    std::size_t ended = 0;
    constexpr std::size_t kPods = 20;
    for (std::size_t i = 0; i < kPods; ++i) {
      namespaces.push_back(
          wire("c" + std::to_string(i), "10.64.0." + std::to_string(i + 1)));
    }

    for (std::size_t i = 0; i < kPods; ++i) {
      const ipam::Attachment one = attachment("c" + std::to_string(i));
      parts.links->take_down(Teardown{one.key, one.pod, 0, {}},
                             [&](const auto& seen) {
                               EXPECT_TRUE(seen);
                               ++ended;
                             });
    }

    EXPECT_TRUE(parts.until([&] { return ended == kPods; }));
    EXPECT_THAT(links(), IsEmpty());
  });
}

TEST_F(KernelTest, APluginsHalfIsTrustedWhenTheKernelConfirmsIt) {
  in_host([] {
    Parts parts;
    const netlink::NetNs ns = wire("c1", "10.64.0.7");
    hold(parts, "c1", "10.64.0.7");
    const datapath::TakenDown down =
        must(datapath::take_down(attachment("c1").key, attachment("c1").pod));
    bool released = false;

    parts.service.release(
        {.key = attachment("c1").key, .pod = {}, .link_index = down.link_index},
        [&](const Result<void>& done) { released = done.has_value(); });

    EXPECT_TRUE(parts.until([&] { return released; }));
    EXPECT_THAT(links(), IsEmpty());
    EXPECT_THAT(parts.ledger.held(), IsEmpty());
  });
}

TEST_F(KernelTest, TheShaperOfAPodWhoseNamespaceIsGoneGoesToo) {
  in_host([] {
    Parts parts;
    ipam::Attachment shaped = attachment("c1");
    shaped.bandwidth.egress_rate = 1'000'000;
    shaped.bandwidth.egress_burst = 1'000'000;
    const netlink::NetNs ns = must(netlink::NetNs::create());
    Rollback undo;
    (void)must(datapath::wire(
        must(datapath::make_plan(shaped, allocation("10.64.0.7"))), ns, undo));
    undo.commit();
    netlink::Socket socket = must(netlink::Socket::open());
    must(socket.run(netlink::Batch().delete_link(links()[0].index)));
    const std::string ifb = datapath::ifb_name(shaped.key);
    ASSERT_TRUE(must(socket.find_link(ifb)));
    bool ended = false;

    parts.links->take_down(Teardown{shaped.key, shaped.pod, 0, {}},
                           [&](const auto& seen) {
                             EXPECT_TRUE(seen);
                             ended = true;
                           });

    EXPECT_TRUE(parts.until([&] { return ended; }));
    EXPECT_FALSE(must(socket.find_link(ifb)));
  });
}

TEST_F(KernelTest, ABlockOfOneAddressLeavesRoomForItsPod) {
  in_host([] {
    netlink::Socket socket = must(netlink::Socket::open());
    const std::vector<Cidr> block{must(Cidr::parse("10.64.0.7/32"))};
    must(set_blackholes(socket, block));

    const netlink::NetNs ns = wire("c1", "10.64.0.7");
    must(set_blackholes(socket, block));

    ASSERT_THAT(links(), SizeIs(1));
    EXPECT_THAT(links()[0].addresses,
                ElementsAre(must(IpAddr::parse("10.64.0.7"))));
  });
}

TEST_F(KernelTest, AStaleLinkIsRemovedAndItsAddressCools) {
  in_host([] {
    Parts parts;
    const netlink::NetNs ns = wire("orphan", "10.64.0.7");
    parts.ledger.mark_saved();
    must(parts.reconciler.at_start(false));
    const IpAddr address = must(IpAddr::parse("10.64.0.7"));
    EXPECT_EQ(parts.ledger.row(address, parts.clock.now())->state,
              ipam::State::kReserved);
    parts.reconciler.start();

    parts.look_after(std::chrono::seconds(2));
    EXPECT_THAT(links(), SizeIs(1));
    parts.look_after(kReconcileGrace);

    EXPECT_TRUE(parts.until([] { return links().empty(); }));
    EXPECT_TRUE(parts.until([&] {
      return parts.ledger.row(address, parts.clock.now())->state ==
             ipam::State::kCooling;
    }));
  });
}

TEST_F(KernelTest, AHostRouteThatSomebodyDeletedIsPutBack) {
  in_host([] {
    Parts parts;
    const netlink::NetNs ns = wire("c1", "10.64.0.7");
    hold(parts, "c1", "10.64.0.7");
    const datapath::Plan plan =
        must(datapath::make_plan(attachment("c1"), allocation("10.64.0.7")));
    parts.reconciler.start();
    parts.look_after(std::chrono::seconds(2));
    netlink::Socket socket = must(netlink::Socket::open());
    netlink::Batch batch;
    for (netlink::Route route : plan.host.routes) {
      route.link_index = must(socket.find_link(plan.host.name))->index;
      batch.delete_route(route);
    }
    must(socket.run(batch));
    EXPECT_THAT(must(datapath::verify_host(plan)), SizeIs(1));

    parts.look_after(std::chrono::seconds(60));
    EXPECT_THAT(must(datapath::verify_host(plan)), SizeIs(1));
    parts.look_after(kReconcileGrace);

    EXPECT_THAT(must(datapath::verify_host(plan)), IsEmpty());
  });
}

TEST_F(KernelTest, RulesThatSomebodyDeletedArePutBackWithinTwoSeconds) {
  in_host([] {
    Parts parts;
    const auto [ns, plan] = pod_on_eni(parts);
    EXPECT_FALSE(must(datapath::verify_host(plan)).empty());

    parts.look_after(std::chrono::seconds(0));  // the kernel's events
    parts.look_after(std::chrono::seconds(1));
    parts.look_after(std::chrono::seconds(1));

    EXPECT_THAT(must(datapath::verify_host(plan)), IsEmpty());
    EXPECT_THAT(parts.metrics.text(),
                HasSubstr("linsey_drift_repairs_total{kind=\"host-side\"} 1"));
  });
}

TEST_F(KernelTest, RulesThatADelTookAwayAreNotPutBack) {
  in_host([] {
    Parts parts;
    const auto [ns, plan] = pod_on_eni(parts);
    parts.look_after(std::chrono::seconds(0));

    (void)parts.ledger.release(attachment("c1").key, parts.clock.now());
    parts.look_after(std::chrono::seconds(1));
    parts.look_after(std::chrono::seconds(1));

    EXPECT_FALSE(must(datapath::verify_host(plan)).empty());
  });
}

TEST_F(KernelTest, GcRemovesLinksThatNobodyKeeps) {
  in_host([] {
    Parts parts;
    const netlink::NetNs kept = wire("kept", "10.64.0.7");
    const netlink::NetNs gone = wire("gone", "10.64.0.8");
    hold(parts, "kept", "10.64.0.7");
    std::optional<Result<rpc::GcReply>> heard;

    parts.service.gc({.network = "net", .keep = {{"kept", "eth0"}}},
                     [&](const auto& reply) { heard = reply; });

    ASSERT_TRUE(parts.until([&] { return heard.has_value(); }));
    EXPECT_TRUE(heard->has_value());
    ASSERT_THAT(links(), SizeIs(1));
    EXPECT_EQ(links()[0].container_id, "kept");
  });
}

TEST_F(KernelTest, AfterALostLedgerARunningPodIsLeftAlone) {
  in_host([] {
    Parts parts;
    const netlink::NetNs ns = wire("c1", "10.64.0.7");
    must(parts.reconciler.at_start(true));
    parts.reconciler.start();

    for (int i = 0; i < 5; ++i) {
      parts.look_after(kReconcileGrace * 7);
    }

    EXPECT_THAT(links(), SizeIs(1));
    EXPECT_EQ(
        parts.ledger.row(must(IpAddr::parse("10.64.0.7")), parts.clock.now())
            ->state,
        ipam::State::kReserved);
  });
}

}  // namespace
}  // namespace linsey::agent
