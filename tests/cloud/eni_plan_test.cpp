#include "cloud/eni_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linsey::cloud {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

VSwitch v_switch(const std::string& id, std::uint64_t free = 200) {
  return {.id = id,
          .vpc = "vpc-1",
          .zone = "cn-x-f",
          .cidr = *Cidr::parse("10.2.0.0/24"),
          .cidr6 = std::nullopt,
          .free = free};
}

/// An interface in use whose addresses are all supplied and none of them held.
PlanEni in_use(const std::string& id, unsigned ipv4, unsigned held = 0) {
  PlanEni eni{.id = id,
              .v_switch = "vsw-1",
              .status = EniStatus::kInUse,
              .usable = true,
              .ipv4 = ipv4,
              .supplied = ipv4,
              .in_use = held};
  for (unsigned i = held + 1; i < ipv4; ++i) {
    eni.spare.push_back(IpAddr::v4(0x0a020000U + i));
  }
  return eni;
}

PlanEni with_status(const std::string& id, EniStatus status) {
  return {.id = id, .v_switch = "vsw-1", .status = status, .ipv4 = 3};
}

/// ecs.g7.large: two interfaces of six addresses each for pods.
PlanInput input() {
  return {.enis = {},
          .limits = {.id = "ecs.g7.large",
                     .enis = 3,
                     .ipv4_per_eni = 6,
                     .ipv6_per_eni = 6},
          .v_switches = {v_switch("vsw-1"), v_switch("vsw-2", 250)},
          .suspended = {}};
}

std::vector<std::string> actions(const PlanInput& in) {
  std::vector<std::string> texts;
  for (const EniAction& action : plan_enis(in).actions) {
    texts.push_back(to_string(action));
  }
  return texts;
}

Code shortage(const PlanInput& in) {
  const EniPlan plan = plan_enis(in);
  return plan.shortage ? plan.shortage->code : Code::kInternal;
}

TEST(EniPlan, RestsWhenNobodyWaitsAndThePoolIsWarm) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 6)};
  in.free = 6;
  in.min_idle = 2;

  EXPECT_THAT(actions(in), IsEmpty());
  EXPECT_FALSE(plan_enis(in).shortage);
}

TEST(EniPlan, CreatesTheFirstInterfaceForTheWarmPool) {
  PlanInput in = input();
  in.min_idle = 2;

  EXPECT_THAT(actions(in), ElementsAre("create 2 in vsw-1"));
}

TEST(EniPlan, AddsWaitersAndWarmPoolUp) {
  PlanInput in = input();
  in.waiting = 3;
  in.min_idle = 2;

  EXPECT_THAT(actions(in), ElementsAre("create 5 in vsw-1"));
}

TEST(EniPlan, FillsWhatIsThereBeforeItCreates) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 4, 4)};
  in.waiting = 5;

  EXPECT_THAT(actions(in),
              ElementsAre("assign 2 IPv4 on eni-1", "create 3 in vsw-1"));
}

TEST(EniPlan, FillsTheFullestFirst) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 2, 2), in_use("eni-2", 5, 5)};
  in.waiting = 2;

  EXPECT_THAT(actions(in),
              ElementsAre("assign 1 IPv4 on eni-2", "assign 1 IPv4 on eni-1"));
}

TEST(EniPlan, AssignsTenAtMostInOneCall) {
  PlanInput in = input();
  in.limits.ipv4_per_eni = 30;
  in.enis = {in_use("eni-1", 5, 5)};
  in.waiting = 23;

  EXPECT_THAT(actions(in),
              ElementsAre("assign 10 IPv4 on eni-1", "assign 10 IPv4 on eni-1",
                          "assign 3 IPv4 on eni-1"));
}

TEST(EniPlan, FillsThePoolUpOnceItRunsLow) {
  PlanInput in = input();
  in.limits.ipv4_per_eni = 30;
  in.enis = {in_use("eni-1", 5, 4)};
  in.min_idle = 2;
  in.max_idle = 8;
  in.free = 2;
  EXPECT_THAT(actions(in), IsEmpty());

  in.free = 1;
  EXPECT_THAT(actions(in), ElementsAre("assign 7 IPv4 on eni-1"));
}

TEST(EniPlan, MakesNoInterfaceMoreOnlyToFillThePoolUp) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 4, 4)};
  in.min_idle = 2;
  in.max_idle = 8;

  EXPECT_THAT(actions(in), ElementsAre("assign 2 IPv4 on eni-1"));
}

TEST(EniPlan, CreatesUpToTheQuotaOfAnInterface) {
  PlanInput in = input();
  in.limits = {.id = "big", .enis = 8, .ipv4_per_eni = 30, .ipv6_per_eni = 30};
  in.waiting = 70;

  EXPECT_THAT(actions(in),
              ElementsAre("create 30 in vsw-1", "create 30 in vsw-1",
                          "create 10 in vsw-1"));
}

TEST(EniPlan, CountsWhatIsOnItsWay) {
  PlanInput in = input();
  PlanEni attaching = with_status("eni-1", EniStatus::kAttaching);
  in.enis = {attaching};
  in.waiting = 3;

  EXPECT_THAT(actions(in), IsEmpty());
}

TEST(EniPlan, DoesNotCountOnAnAttachThatTakesTooLong) {
  PlanInput in = input();
  PlanEni stuck = with_status("eni-1", EniStatus::kAttaching);
  stuck.overdue = true;
  in.enis = {stuck, in_use("eni-2", 3, 3)};
  in.waiting = 2;

  EXPECT_THAT(actions(in), ElementsAre("assign 2 IPv4 on eni-2"));
}

TEST(EniPlan, NamesTheAttachThatTakesTooLongWhenNothingElseIsLeft) {
  PlanInput in = input();
  PlanEni stuck = with_status("eni-1", EniStatus::kAttaching);
  stuck.overdue = true;
  in.enis = {stuck, in_use("eni-2", 6, 6)};
  in.waiting = 1;

  EXPECT_EQ(shortage(in), Code::kEniNotReady);
}

TEST(EniPlan, AsksAgainForWhatGotStuckOnItsWayOut) {
  PlanInput in = input();
  PlanEni detaching = with_status("eni-1", EniStatus::kDetaching);
  PlanEni deleting = with_status("eni-2", EniStatus::kDeleting);
  detaching.retiring = deleting.retiring = true;
  in.enis = {detaching, deleting};

  EXPECT_THAT(actions(in), ElementsAre("detach eni-1", "delete eni-2"));

  in.enis[0].busy = in.enis[1].busy = true;
  EXPECT_THAT(actions(in), IsEmpty());
}

TEST(EniPlan, LetsCoolingAddressesFillThePoolButNotServeWaiters) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 4, 4)};
  in.cooling = 2;
  in.min_idle = 2;
  EXPECT_THAT(actions(in), IsEmpty());

  in.waiting = 1;
  EXPECT_THAT(actions(in), ElementsAre("assign 1 IPv4 on eni-1"));
}

TEST(EniPlan, AttachesAnInterfaceThatWasLeftAvailable) {
  PlanInput in = input();
  in.enis = {with_status("eni-1", EniStatus::kAvailable)};

  EXPECT_THAT(actions(in), ElementsAre("attach eni-1"));
}

TEST(EniPlan, DeletesAnInterfaceThatFitsNoMore) {
  PlanInput in = input();
  in.other_enis = 3;
  in.enis = {with_status("eni-1", EniStatus::kAvailable)};

  EXPECT_THAT(actions(in), ElementsAre("delete eni-1"));
}

TEST(EniPlan, DeletesAnInterfaceThatCouldNotBeAttached) {
  PlanInput in = input();
  PlanEni broken = with_status("eni-1", EniStatus::kAvailable);
  broken.broken = true;
  broken.retiring = true;
  in.enis = {broken};

  EXPECT_THAT(actions(in), ElementsAre("delete eni-1"));
}

TEST(EniPlan, DrainsAnInterfaceOutsideTheZonesVSwitches) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 4, 2)};
  in.enis[0].v_switch = "vsw-old";

  EXPECT_THAT(actions(in), ElementsAre("drain eni-1"));
}

TEST(EniPlan, GivesNoMoreAddressesToADrainingInterface) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 2, 2)};
  in.enis[0].v_switch = "vsw-old";
  in.enis[0].retiring = true;
  in.waiting = 1;

  EXPECT_THAT(actions(in), ElementsAre("create 1 in vsw-1"));
}

TEST(EniPlan, TakesADrainedInterfaceOffWhenItIsEmpty) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 2)};
  in.enis[0].retiring = true;
  EXPECT_THAT(actions(in), ElementsAre("detach eni-1"));

  in.enis[0].status = EniStatus::kDetaching;
  in.enis[0].busy = true;
  EXPECT_THAT(actions(in), IsEmpty());

  in.enis[0].status = EniStatus::kAvailable;
  in.enis[0].busy = false;
  EXPECT_THAT(actions(in), ElementsAre("delete eni-1"));
}

TEST(EniPlan, CountsALeavingInterfaceAgainstTheLimit) {
  PlanInput in = input();
  in.limits.enis = 2;
  in.enis = {with_status("eni-1", EniStatus::kDetaching)};
  in.enis[0].retiring = in.enis[0].busy = true;
  in.waiting = 1;

  EXPECT_THAT(actions(in), IsEmpty());
  EXPECT_EQ(shortage(in), Code::kEniLimit);
}

TEST(EniPlan, NamesTheExhaustedVSwitches) {
  PlanInput in = input();
  in.v_switches = {v_switch("vsw-1", 0), v_switch("vsw-2", 0)};
  in.waiting = 1;

  const EniPlan plan = plan_enis(in);

  EXPECT_THAT(plan.actions, IsEmpty());
  ASSERT_TRUE(plan.shortage);
  EXPECT_EQ(plan.shortage->code, Code::kVSwitchExhausted);
  EXPECT_NE(plan.shortage->msg.find("vsw-1, vsw-2"), std::string::npos);
  EXPECT_EQ(plan.waiters_short, 1U);
}

TEST(EniPlan, GoesToTheNextVSwitchWhenOneIsExhausted) {
  PlanInput in = input();
  in.v_switches[0].free = 2;
  in.waiting = 5;

  EXPECT_THAT(actions(in),
              ElementsAre("create 2 in vsw-1", "create 3 in vsw-2"));
}

TEST(EniPlan, AsksNothingOfASuspendedVSwitch) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 2, 2)};
  in.suspended["vsw-1"] = make_error(Code::kVSwitchExhausted, "none left");
  in.waiting = 1;

  EXPECT_THAT(actions(in), ElementsAre("create 1 in vsw-2"));
}

TEST(EniPlan, GivesTheReasonOfASuspendedCreation) {
  PlanInput in = input();
  in.suspended[""] = make_error(Code::kSecurityGroupFull, "sg-1 is full");
  in.waiting = 1;

  EXPECT_THAT(actions(in), IsEmpty());
  EXPECT_EQ(shortage(in), Code::kSecurityGroupFull);
}

TEST(EniPlan, NeverUsesAnythingButTheListedVSwitches) {
  PlanInput in = input();
  in.v_switches.clear();
  in.waiting = 5;

  EXPECT_THAT(actions(in), IsEmpty());
  EXPECT_EQ(shortage(in), Code::kVSwitchExhausted);
}

TEST(EniPlan, SaysWhenAllInterfacesAreFull) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 6, 6), in_use("eni-2", 6, 6)};
  in.waiting = 4;

  const EniPlan plan = plan_enis(in);

  EXPECT_THAT(plan.actions, IsEmpty());
  ASSERT_TRUE(plan.shortage);
  EXPECT_EQ(plan.shortage->code, Code::kIpPerEniLimit);
  EXPECT_EQ(plan.shortage->msg,
            "all 2 pod interfaces of instance type ecs.g7.large hold their 6 "
            "addresses");
  EXPECT_EQ(plan.waiters_short, 4U);
}

TEST(EniPlan, SaysWhenOthersTakeTheInterfaces) {
  PlanInput in = input();
  in.other_enis = 3;
  in.waiting = 1;

  EXPECT_EQ(shortage(in), Code::kEniLimit);
}

TEST(EniPlan, SaysWhenTheTypeHasNoSecondaryInterface) {
  PlanInput in = input();
  in.limits.enis = 1;
  in.waiting = 1;

  EXPECT_EQ(shortage(in), Code::kEniLimit);
}

TEST(EniPlan, DoesWhatItCanBeforeItTellsAShortage) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 6, 6), in_use("eni-2", 4, 4)};
  in.waiting = 5;
  in.min_idle = 2;

  const EniPlan plan = plan_enis(in);

  EXPECT_THAT(actions(in), ElementsAre("assign 2 IPv4 on eni-2"));
  EXPECT_EQ(plan.waiters_short, 3U);
}

TEST(EniPlan, ConcernsNoWaiterWhenOnlyTheWarmPoolIsShort) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 6, 6), in_use("eni-2", 6, 6)};
  in.min_idle = 2;

  const EniPlan plan = plan_enis(in);

  EXPECT_TRUE(plan.shortage);
  EXPECT_EQ(plan.waiters_short, 0U);
}

TEST(EniPlan, ChoosesByTheConfiguredSelection) {
  PlanInput in = input();
  in.waiting = 1;

  in.selection = Selection::kMostFree;
  EXPECT_THAT(actions(in), ElementsAre("create 1 in vsw-2"));

  in.selection = Selection::kRandom;
  in.seed = 3;
  EXPECT_THAT(actions(in), ElementsAre("create 1 in vsw-2"));
  in.seed = 4;
  EXPECT_THAT(actions(in), ElementsAre("create 1 in vsw-1"));
}

TEST(EniPlan, GivesASurplusBackOnlyAfterItLasted) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 6, 1)};
  in.free = 5;
  in.max_idle = 3;
  EXPECT_THAT(actions(in), IsEmpty());

  in.may_reclaim = true;
  EXPECT_THAT(actions(in), ElementsAre("unassign 2 of eni-1"));
}

TEST(EniPlan, GivesAWholeEmptyInterfaceBackFirst) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 6, 3), in_use("eni-2", 4)};
  in.free = 7;
  in.max_idle = 3;
  in.may_reclaim = true;

  EXPECT_THAT(actions(in), ElementsAre("drain eni-2"));
}

TEST(EniPlan, KeepsAnEmptyInterfaceThatIsThePool) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 4)};
  in.free = 4;
  in.max_idle = 2;
  in.may_reclaim = true;

  EXPECT_THAT(actions(in), ElementsAre("unassign 2 of eni-1"));
}

TEST(EniPlan, NeverTakesAPrimaryAddressOff) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 4)};
  in.free = 4;
  in.max_idle = 0;
  in.cooling = 1;
  in.enis[0].in_use = 1;  // something of it is cooling
  in.may_reclaim = true;

  for (const EniAction& action : plan_enis(in).actions) {
    EXPECT_EQ(action.addresses.size(), 3U);
  }
}

TEST(EniPlan, ReclaimsNothingWhileSomebodyWaits) {
  PlanInput in = input();
  in.enis = {in_use("eni-1", 6)};
  in.free = 6;
  in.waiting = 1;
  in.max_idle = 2;
  in.may_reclaim = true;

  EXPECT_THAT(actions(in), IsEmpty());
}

TEST(EniPlan, PutsAnIpv6AddressBesideEachIpv4One) {
  PlanInput in = input();
  in.dual_stack = true;
  in.enis = {in_use("eni-1", 4, 4)};
  in.enis[0].ipv6 = 2;
  in.free = 1;
  in.waiting = 1;

  EXPECT_THAT(actions(in), ElementsAre("assign 2 IPv6 on eni-1"));
}

TEST(EniPlan, LimitsDualStackByTheSmallerQuota) {
  PlanInput in = input();
  in.dual_stack = true;
  in.limits.ipv6_per_eni = 1;
  in.waiting = 4;

  EXPECT_THAT(actions(in),
              ElementsAre("create 1 in vsw-1", "create 1 in vsw-1"));
  EXPECT_EQ(shortage(in), Code::kIpPerEniLimit);
}

}  // namespace
}  // namespace linsey::cloud
