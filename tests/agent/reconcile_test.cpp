#include "agent/reconcile.h"

#include <optional>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace linsey::agent {
namespace {

using namespace std::chrono_literals;
using datapath::OurLink;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct ReconcileTest : ::testing::Test {
  static IpAddr ip(const std::string& text) {
    return IpAddr::parse(text).value();
  }
  static ipam::AttachmentKey key(const std::string& container) {
    return {"net", container, "eth0"};
  }
  void supply(const std::vector<std::string>& addresses) {
    std::vector<ipam::Supply> rows;
    rows.reserve(addresses.size());
    for (const std::string& address : addresses) {
      rows.push_back({ip(address), "block", ""});
    }
    ledger.add(rows);
  }
  void hold(const std::string& container) {
    ipam::AssignRequest request;
    request.attachment.key = key(container);
    request.attachment.pod = {"ns", "pod-" + container, "uid"};
    request.families = {Family::kV4};
    ASSERT_TRUE(ledger.assign(request, clock.now()));
  }
  /// A row that was loaded from an earlier boot.
  void hold_stale(const std::string& container, const std::string& address) {
    ipam::AddressRow row;
    row.address = ip(address);
    row.state = ipam::State::kHeld;
    row.holder = key(container);
    ledger.restore(row, true);
    ipam::Held held;
    held.attachment.key = key(container);
    held.allocation.addresses = {ip(address)};
    ledger.restore(held, true, true);
  }
  OurLink& link(const std::string& container,
                const std::vector<std::string>& addresses) {
    OurLink link;
    link.index = 10 + static_cast<int>(traces.links.size());
    link.name = "cali" + container;
    link.container_id = container;
    link.ifname = "eth0";
    for (const std::string& address : addresses) {
      link.addresses.push_back(ip(address));
    }
    traces.links.push_back(link);
    return traces.links.back();
  }
  Actions look() {
    return reconcile({ledger, traces, witness, pods ? &*pods : nullptr},
                     sightings, clock.now());
  }
  /// Does what a pass asks about reservations, as the executor would.
  void apply(const Actions& actions) {
    for (const Reserve& reserve : actions.reserve) {
      ASSERT_TRUE(
          ledger.hold_from_kernel(reserve.address, std::nullopt, reserve.note));
    }
  }

  tests::FakeClock clock;
  ipam::Ledger ledger;
  datapath::Traces traces;
  Sightings sightings;
  bool witness = false;
  std::optional<std::set<std::string>> pods;
};

TEST_F(ReconcileTest, NothingIsDoneWhenBothAgree) {
  supply({"10.0.0.1"});
  hold("c1");
  link("c1", {"10.0.0.1"});

  EXPECT_EQ(look(), Actions{});
}

TEST_F(ReconcileTest, AStaleLinkGoesAfterTwoSightingsAndTheGrace) {
  supply({"10.0.0.1"});
  link("orphan", {});

  EXPECT_THAT(look().remove_links, IsEmpty());
  clock.advance(kReconcileGrace - 1ms);
  EXPECT_THAT(look().remove_links, IsEmpty());
  clock.advance(1ms);
  EXPECT_THAT(look().remove_links, SizeIs(1));
}

TEST_F(ReconcileTest, AStaleLinkThatGotARowMeanwhileStays) {
  supply({"10.0.0.1"});
  link("c1", {"10.0.0.1"});
  (void)look();
  hold("c1");

  clock.advance(kReconcileGrace);

  EXPECT_EQ(look(), Actions{});
}

TEST_F(ReconcileTest, TheAddressOfAStaleLinkIsNotGivenMeanwhile) {
  supply({"10.0.0.1"});
  link("orphan", {"10.0.0.1"});

  const Actions first = look();
  EXPECT_THAT(first.reserve,
              ElementsAre(Reserve{ip("10.0.0.1"), "stale linsey:orphan:eth0"}));
  apply(first);
  clock.advance(kReconcileGrace);
  EXPECT_THAT(look().remove_links, SizeIs(1));

  traces.links.clear();
  EXPECT_THAT(look().unreserve, ElementsAre(ip("10.0.0.1")));
}

TEST_F(ReconcileTest, AfterALostLedgerTheKernelsPodsAreKept) {
  supply({"10.0.0.1"});
  link("c1", {"10.0.0.1"});
  witness = true;

  const Actions first = look();
  EXPECT_THAT(first.reserve,
              ElementsAre(Reserve{ip("10.0.0.1"), "linsey:c1:eth0"}));
  apply(first);

  witness = false;  // the agent was restarted, the database is no news
  clock.advance(kReconcileGrace);
  EXPECT_EQ(look(), Actions{});
  clock.advance(kReconcileGrace);
  EXPECT_EQ(look(), Actions{});
}

TEST_F(ReconcileTest, ARowOfAnEarlierBootIsFreedWithoutALink) {
  hold_stale("c1", "10.0.0.1");

  EXPECT_THAT(look().free, ElementsAre(key("c1")));
}

TEST_F(ReconcileTest, ARowOfAnEarlierBootWithALinkIsConfirmed) {
  hold_stale("c1", "10.0.0.1");
  link("c1", {"10.0.0.1"});

  const Actions actions = look();

  EXPECT_THAT(actions.confirm, ElementsAre(key("c1")));
  EXPECT_THAT(actions.free, IsEmpty());
}

TEST_F(ReconcileTest, ARowWithoutALinkIsOnlyReported) {
  supply({"10.0.0.1"});
  hold("c1");

  EXPECT_THAT(look().missing, IsEmpty());
  clock.advance(kReconcileGrace);
  const Actions second = look();

  EXPECT_THAT(second.missing, ElementsAre(key("c1")));
  EXPECT_THAT(second.free, IsEmpty());
}

TEST_F(ReconcileTest, AHalfMadeLinkIsStaleAlsoWhenItsRowIsHeld) {
  supply({"10.0.0.1"});
  hold("c1");
  link("", {}).half_made = true;

  (void)look();
  clock.advance(kReconcileGrace);

  EXPECT_THAT(look().remove_links, SizeIs(1));
}

TEST_F(ReconcileTest, RulesOfAnAddressNobodyHasAreRemoved) {
  supply({"10.0.0.1", "10.0.0.2"});
  hold("c1");
  for (const char* address : {"10.0.0.1", "10.0.0.2"}) {
    netlink::Rule rule;
    rule.to = Cidr::host(ip(address));
    traces.rules.push_back(rule);
    rule.to.reset();
    rule.from = Cidr::host(ip(address));
    traces.rules.push_back(rule);
  }

  (void)look();
  clock.advance(kReconcileGrace);

  EXPECT_THAT(look().remove_rules, ElementsAre(ip("10.0.0.2")));
}

TEST_F(ReconcileTest, RulesOfWholeNetworksAreNotOurPods) {
  netlink::Rule rule;
  rule.to = Cidr::parse("10.0.0.0/24").value();
  traces.rules.push_back(rule);

  (void)look();
  clock.advance(kReconcileGrace);

  EXPECT_THAT(look().remove_rules, IsEmpty());
}

TEST_F(ReconcileTest, AnAddressOnTheWrongLinkIsAContradiction) {
  supply({"10.0.0.1"});
  hold("c1");
  link("c1", {"10.0.0.1"});
  link("other", {"10.0.0.1"});

  (void)look();
  clock.advance(kReconcileGrace);
  const Actions actions = look();

  EXPECT_THAT(actions.contradictions, SizeIs(1));
  EXPECT_THAT(actions.reserve, IsEmpty());
}

TEST_F(ReconcileTest, GcTakesLinksThatNobodyKeeps) {
  supply({"10.0.0.1"});
  hold("held");
  link("held", {"10.0.0.1"});
  link("kept", {});
  link("gone", {});

  const std::vector<OurLink> stale =
      stale_links({ledger, traces, false}, {{"kept", "eth0"}});

  ASSERT_THAT(stale, SizeIs(1));
  EXPECT_EQ(stale[0].container_id, "gone");
}

TEST_F(ReconcileTest, ARowWithoutLinkOrPodIsFreedAfterTheLongerGrace) {
  supply({"10.0.0.1"});
  hold("c1");
  pods.emplace();

  EXPECT_THAT(look().pod_gone, IsEmpty());
  clock.advance(kPodGrace - 1ms);
  EXPECT_THAT(look().pod_gone, IsEmpty());
  clock.advance(1ms);
  EXPECT_THAT(look().pod_gone, ElementsAre(key("c1")));
}

TEST_F(ReconcileTest, ARowWhosePodLivesOnlyMissesItsLink) {
  supply({"10.0.0.1"});
  hold("c1");
  pods = {"ns/pod-c1"};
  (void)look();

  clock.advance(kPodGrace);
  const Actions actions = look();

  EXPECT_THAT(actions.pod_gone, IsEmpty());
  EXPECT_THAT(actions.missing, ElementsAre(key("c1")));
}

TEST_F(ReconcileTest, NothingIsFreedOnAListThatMayBeOld) {
  supply({"10.0.0.1"});
  hold("c1");
  pods.emplace();
  (void)look();
  clock.advance(kPodGrace / 2);
  pods.reset();  // the API server is away
  (void)look();
  clock.advance(kPodGrace);
  EXPECT_THAT(look().pod_gone, IsEmpty());

  pods.emplace();
  EXPECT_THAT(look().pod_gone, IsEmpty());
  clock.advance(kPodGrace);
  EXPECT_THAT(look().pod_gone, ElementsAre(key("c1")));
}

TEST_F(ReconcileTest, APathThatStandsIsNotTakenDownOnTheApisWord) {
  supply({"10.0.0.1"});
  hold("c1");
  link("c1", {"10.0.0.1"});
  pods.emplace();
  (void)look();

  clock.advance(kPodGrace);

  EXPECT_EQ(look(), Actions{});
}

}  // namespace
}  // namespace linsey::agent
