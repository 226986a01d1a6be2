#include "ipam/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ipam/make.h"

namespace linsey::ipam {
namespace {

using namespace std::chrono_literals;  // durations read as "30s"
using ::testing::ElementsAre;
using tests::ip;
using tests::key;
using tests::kStart;
using tests::request;
using tests::supply;

std::vector<IpAddr> given(const Result<Assigned>& assigned) {
  return assigned.value().held.allocation.addresses;
}

TEST(Ledger, AssignTakesTheFirstAddressOfAFreshSupply) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 4));

  const auto assigned = ledger.assign(request("a"), kStart);

  EXPECT_THAT(given(assigned), ElementsAre(ip("10.0.0.0")));
  EXPECT_TRUE(assigned->is_new);
  EXPECT_EQ(assigned->held.allocation.source, "block");
  EXPECT_TRUE(ledger.check_invariants().has_value());
}

TEST(Ledger, AssignIsIdempotentForTheSameKey) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 4));
  const auto first = ledger.assign(request("a"), kStart);

  const auto again = ledger.assign(request("a"), kStart + 1h);

  EXPECT_EQ(again->held, first->held);
  EXPECT_FALSE(again->is_new);
}

TEST(Ledger, InterfacesOfOneContainerHoldDifferentAddresses) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 4));
  auto second = request("a");
  second.attachment.key.ifname = "eth1";

  const auto eth0 = ledger.assign(request("a"), kStart);
  const auto eth1 = ledger.assign(second, kStart);
  (void)ledger.release(key("a"), kStart);

  EXPECT_NE(given(eth0), given(eth1));
  EXPECT_NE(ledger.find(second.attachment.key), nullptr);
}

TEST(Ledger, AReleasedAddressIsGivenLastAndOnlyAfterItsCoolDown) {
  Ledger ledger({.cool_down = 30s, .cool_down_min = 30s});
  ledger.add(supply("10.0.0.0", 2));
  ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());
  EXPECT_THAT(ledger.release(key("a"), kStart).addresses,
              ElementsAre(ip("10.0.0.0")));

  EXPECT_THAT(given(ledger.assign(request("b"), kStart + 1s)),
              ElementsAre(ip("10.0.0.1")));
  EXPECT_EQ(ledger.assign(request("c"), kStart + 29s).error().code,
            Code::kAddressesExhausted);
  EXPECT_THAT(given(ledger.assign(request("c"), kStart + 30s)),
              ElementsAre(ip("10.0.0.0")));
}

TEST(Ledger, OfTwoReleasedAddressesTheLongerFreeOneIsGiven) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 2));
  ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());
  ASSERT_TRUE(ledger.assign(request("b"), kStart).has_value());
  (void)ledger.release(key("b"), kStart + 1s);
  (void)ledger.release(key("a"), kStart + 2s);

  EXPECT_THAT(given(ledger.assign(request("c"), kStart + 1min)),
              ElementsAre(ip("10.0.0.1")));
}

TEST(Ledger, ExhaustionShrinksTheCoolDownToItsMinimumAndCountsIt) {
  Ledger ledger({.cool_down = 30s, .cool_down_min = 5s});
  ledger.add(supply("10.0.0.0", 1));
  ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());
  (void)ledger.release(key("a"), kStart);

  EXPECT_FALSE(ledger.assign(request("b"), kStart + 4s).has_value());
  EXPECT_EQ(ledger.next_cooled(Family::kV4, kStart + 4s), kStart + 5s);
  EXPECT_TRUE(ledger.assign(request("b"), kStart + 5s).has_value());
  EXPECT_EQ(ledger.shortened_cool_downs(), 1);
}

TEST(Ledger, ExhaustionNamesTheCountsOfTheFamily) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 1));
  ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());

  const auto refused = ledger.assign(request("b"), kStart);

  EXPECT_EQ(refused.error().code, Code::kAddressesExhausted);
  EXPECT_THAT(refused.error().msg, ::testing::HasSubstr("IPv4: 1 held"));
}

TEST(Ledger, DualStackGivesOneOfEachFamilyIPv4First) {
  Ledger ledger;
  ledger.add(supply("fd00::", 2));
  ledger.add(supply("10.0.0.0", 2));

  const auto assigned =
      ledger.assign(request("a", {Family::kV6, Family::kV4}), kStart);

  EXPECT_THAT(given(assigned), ElementsAre(ip("10.0.0.0"), ip("fd00::")));
}

TEST(Ledger, DualStackIsAllOrNothing) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 2));
  ledger.add(supply("fd00::", 1));
  ASSERT_TRUE(ledger.assign(request("a", {Family::kV4, Family::kV6}), kStart)
                  .has_value());

  EXPECT_FALSE(ledger.assign(request("b", {Family::kV4, Family::kV6}), kStart)
                   .has_value());

  EXPECT_EQ(ledger.counts(kStart).free, 1);
  EXPECT_EQ(ledger.find(key("b")), nullptr);
}

TEST(Ledger, DualStackOfOneEniSharesTheGroup) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 2, "vsw-1/eni-1", "eni-1"));
  ledger.add(supply("10.0.1.0", 2, "vsw-1/eni-2", "eni-2"));
  ledger.add(supply("fd00::", 2, "vsw-1/eni-2", "eni-2"));

  const auto assigned =
      ledger.assign(request("a", {Family::kV4, Family::kV6}), kStart);

  EXPECT_THAT(given(assigned), ElementsAre(ip("10.0.1.0"), ip("fd00::")));
}

TEST(Ledger, AWantedAddressIsHonouredWhenOursAndFree) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 4));
  auto wish = request("a");
  wish.attachment.wanted_ips = {ip("10.0.0.3")};

  EXPECT_THAT(given(ledger.assign(wish, kStart)), ElementsAre(ip("10.0.0.3")));
}

TEST(Ledger, AWantedAddressIsCompletedByTheOtherFamilyOfItsGroup) {
  Ledger ledger;
  for (const std::string eni : {"1", "2"}) {
    ledger.add(supply("10.0." + eni + ".0", 2, "vsw/eni-" + eni, eni));
    ledger.add(supply("fd00:" + eni + "::", 2, "vsw/eni-" + eni, eni));
  }
  auto wish = request("a", {Family::kV4, Family::kV6});
  wish.attachment.wanted_ips = {ip("10.0.2.1")};

  EXPECT_THAT(given(ledger.assign(wish, kStart)),
              ElementsAre(ip("10.0.2.1"), ip("fd00:2::")));
}

TEST(Ledger, AWantedAddressThatIsNotOursIsRefused) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 4));
  auto wish = request("a");
  wish.attachment.wanted_ips = {ip("192.0.2.1")};

  EXPECT_EQ(ledger.assign(wish, kStart).error().code, Code::kAddressNotOurs);
}

TEST(Ledger, AWantedAddressThatIsHeldOrCoolsIsRefusedAndNothingKept) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 1));
  ledger.add(supply("fd00::", 1));
  ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());
  auto wish = request("b", {Family::kV4, Family::kV6});
  wish.attachment.wanted_ips = {ip("10.0.0.0")};

  EXPECT_EQ(ledger.assign(wish, kStart).error().code, Code::kAddressTaken);
  (void)ledger.release(key("a"), kStart);
  EXPECT_EQ(ledger.assign(wish, kStart).error().code, Code::kAddressTaken);
  EXPECT_EQ(ledger.counts(kStart).held, 0);
}

TEST(Ledger, TwoWantedAddressesOfOneFamilyAreRefused) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 4));
  auto wish = request("a");
  wish.attachment.wanted_ips = {ip("10.0.0.1"), ip("10.0.0.2")};

  EXPECT_EQ(ledger.assign(wish, kStart).error().code, Code::kAddressNotOurs);
}

TEST(Ledger, ReleaseIsIdempotentAndFineForUnknownKeys) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 1));
  ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());

  EXPECT_EQ(ledger.release(key("a"), kStart).addresses.size(), 1);
  EXPECT_TRUE(ledger.release(key("a"), kStart + 1s).addresses.empty());
  EXPECT_TRUE(ledger.release(key("zz"), kStart).addresses.empty());
  EXPECT_EQ(ledger.row(ip("10.0.0.0"), kStart)->since, kStart);
}

TEST(Ledger, AnAddOvertakenByItsDelIsRefused) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 1));
  (void)ledger.release(key("a"), kStart);

  EXPECT_EQ(ledger.assign(request("a"), kStart + 1s).error().code,
            Code::kOvertaken);
  EXPECT_TRUE(ledger.assign(request("a"), kStart + 61s).has_value());
}

TEST(Ledger, AnAddThatBeganAfterTheDelIsServedAtOnce) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 1));
  (void)ledger.release(key("a"), kStart);
  auto late = request("a");
  late.asked_at = kStart + 1ms;
  auto early = request("a");
  early.asked_at = kStart - 1ms;

  EXPECT_EQ(ledger.assign(early, kStart + 1s).error().code, Code::kOvertaken);
  EXPECT_TRUE(ledger.assign(late, kStart + 1s).has_value());
}

TEST(Tombstones, AreBoundedInNumberAndTime) {
  Tombstones tombstones(60s, 100);
  for (int i = 0; i < 1000; ++i) {
    tombstones.add(key(std::to_string(i)), kStart);
    tombstones.add(key("again"), kStart);
  }
  EXPECT_EQ(tombstones.size(), 100);

  tombstones.add(key("late"), kStart + 61s);

  EXPECT_EQ(tombstones.size(), 1);
}

TEST(Ledger, UnassignLeavesTheAddressAsItWasWithoutCoolDown) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 1));
  ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());

  ledger.unassign(key("a"));

  EXPECT_EQ(ledger.counts(kStart).free, 1);
  EXPECT_TRUE(ledger.assign(request("a"), kStart).has_value());
  EXPECT_TRUE(ledger.check_invariants().has_value());
}

TEST(Ledger, CompleteKeepsTheAddressesAndStoresTheRest) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 2));
  Allocation full = ledger.assign(request("a"), kStart)->held.allocation;
  full.mtu = 1400;

  EXPECT_TRUE(ledger.complete(key("a"), full).has_value());
  EXPECT_EQ(ledger.find(key("a"))->allocation.mtu, 1400);
  full.addresses = {ip("10.0.0.1")};
  EXPECT_EQ(ledger.complete(key("a"), full).error().code, Code::kInternal);
  EXPECT_EQ(ledger.complete(key("b"), full).error().code,
            Code::kUnknownAttachment);
}

TEST(Ledger, DrainedAddressesAreGivenNoMoreAndHoldersKeepTheirs) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 2));
  ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());

  ledger.drain_source("block");

  EXPECT_NE(ledger.find(key("a")), nullptr);
  EXPECT_EQ(ledger.assign(request("b"), kStart).error().code,
            Code::kAddressesExhausted);
  EXPECT_EQ(ledger.counts(kStart),
            (Counts{.held = 1, .reserved = 0, .draining = 1}));
  ledger.add(supply("10.0.0.0", 2));
  EXPECT_TRUE(ledger.assign(request("b"), kStart).has_value());
}

TEST(Ledger, OnlyUnheldAddressesCanBeRemoved) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 2));
  ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());
  const std::vector<IpAddr> both{ip("10.0.0.0"), ip("10.0.0.1")};

  EXPECT_EQ(ledger.remove(both).error().code, Code::kStateMismatch);
  EXPECT_EQ(ledger.rows(kStart).size(), 2);
  (void)ledger.release(key("a"), kStart);
  EXPECT_TRUE(ledger.remove(both).has_value());
  EXPECT_TRUE(ledger.rows(kStart).empty());
}

TEST(Ledger, GcReleasesAllButTheKeptOfOneNetwork) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 4));
  auto other = request("a");
  other.attachment.key.network = "net2";
  ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());
  ASSERT_TRUE(ledger.assign(request("b"), kStart).has_value());
  ASSERT_TRUE(ledger.assign(other, kStart).has_value());

  EXPECT_THAT(ledger.keys_not_in("net1", {key("b")}), ElementsAre(key("a")));
  const auto released = ledger.release_all_but("net1", {key("b")}, kStart);

  ASSERT_EQ(released.size(), 1);
  EXPECT_EQ(released[0].key, key("a"));
  EXPECT_NE(ledger.find(key("b")), nullptr);
  EXPECT_NE(ledger.find(other.attachment.key), nullptr);
}

TEST(Ledger, KernelEvidenceWithAKeyHoldsBothFamiliesForIt) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 2));

  ASSERT_TRUE(ledger.hold_from_kernel(ip("fd00::1"), key("a"), "linsey:a:eth0")
                  .has_value());
  ASSERT_TRUE(ledger.hold_from_kernel(ip("10.0.0.0"), key("a"), "linsey:a:eth0")
                  .has_value());

  EXPECT_THAT(ledger.find(key("a"))->allocation.addresses,
              ElementsAre(ip("10.0.0.0"), ip("fd00::1")));
  EXPECT_THAT(given(ledger.assign(request("b"), kStart)),
              ElementsAre(ip("10.0.0.1")));
  EXPECT_TRUE(ledger.check_invariants().has_value());
}

TEST(Ledger, KernelEvidenceWithoutAKeyReservesUntilItIsReleased) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 1));
  ASSERT_TRUE(
      ledger.hold_from_kernel(ip("10.0.0.0"), {}, "cali123").has_value());

  EXPECT_FALSE(ledger.assign(request("a"), kStart).has_value());
  EXPECT_EQ(ledger.row(ip("10.0.0.0"), kStart)->note, "cali123");
  ledger.release_reserved(ip("10.0.0.0"), kStart);
  EXPECT_EQ(ledger.counts(kStart).cooling, 1);
}

TEST(Ledger, KernelEvidenceAgainstAHolderIsAConflict) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 1));
  ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());

  EXPECT_TRUE(
      ledger.hold_from_kernel(ip("10.0.0.0"), key("a"), "x").has_value());
  EXPECT_EQ(ledger.hold_from_kernel(ip("10.0.0.0"), key("b"), "x").error().code,
            Code::kStateMismatch);
}

TEST(Ledger, CountsAreBySourceAndFamily) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 3, "10.0.0.0/30"));
  ledger.add(supply("fd00::", 2, "fd00::/127"));
  ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());
  ASSERT_TRUE(ledger.assign(request("b"), kStart).has_value());
  (void)ledger.release(key("b"), kStart);

  const auto counts = ledger.counts_by_source(kStart);

  EXPECT_EQ(counts.at({"10.0.0.0/30", Family::kV4}),
            (Counts{.free = 1, .cooling = 1, .held = 1}));
  EXPECT_EQ(counts.at({"fd00::/127", Family::kV6}), (Counts{.free = 2}));
  EXPECT_THAT(ledger.families(), ElementsAre(Family::kV4, Family::kV6));
}

TEST(Ledger, ChangesHoldOnlyWhatWasTouchedSinceTheLastSave) {
  Ledger ledger;
  ledger.add(supply("10.0.0.0", 3));
  EXPECT_EQ(ledger.changes().addresses.size(), 3);
  ledger.mark_saved();

  ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());

  const Changes changes = ledger.changes();
  ASSERT_EQ(changes.addresses.size(), 1);
  EXPECT_EQ(changes.addresses[0].address, ip("10.0.0.0"));
  ASSERT_EQ(changes.attachments.size(), 1);
  EXPECT_EQ(changes.attachments[0].held, ledger.find(key("a")));
  ledger.mark_saved();
  EXPECT_TRUE(ledger.changes().empty());
}

}  // namespace
}  // namespace linsey::ipam
