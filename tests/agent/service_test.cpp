#include "agent/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/fake_node.h"

namespace linsey::agent {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct ServiceTest : ::testing::Test, FakeNode {};

Code code_of(const std::shared_ptr<Heard<rpc::Lease>>& heard) {
  if (!heard->answer || *heard->answer) return Code{0};
  return heard->answer->error().code;
}

TEST_F(ServiceTest, AnAddGetsTheCompletedAllocation) {
  supply({"10.0.0.1"});

  const auto heard = add("c1");

  ASSERT_TRUE(heard->answer.has_value());
  const rpc::Lease lease = heard->answer->value();
  EXPECT_TRUE(lease.is_new);
  EXPECT_THAT(lease.allocation.addresses, ElementsAre(ip("10.0.0.1")));
  EXPECT_EQ(lease.allocation.mtu, 1450U);
  EXPECT_THAT(supplier.assigned, ElementsAre(ip("10.0.0.1")));
}

TEST_F(ServiceTest, NothingIsAnsweredBeforeItIsSaved) {
  supply({"10.0.0.1"});

  const auto heard = begin_add("c1");
  EXPECT_FALSE(heard->answer.has_value());
  EXPECT_THAT(saved_keys, IsEmpty());

  turn();
  EXPECT_TRUE(heard->answer.has_value());
  EXPECT_THAT(saved_keys, ElementsAre(key("c1")));
}

TEST_F(ServiceTest, ManyRequestsOfOneTurnShareOneSave) {
  supply({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  const int before = saves;

  const auto first = begin_add("c1");
  const auto second = begin_add("c2");
  const auto third = begin_add("c3");
  turn();

  EXPECT_EQ(saves, before + 1);
  EXPECT_TRUE(first->answer && second->answer && third->answer);
}

TEST_F(ServiceTest, ARepeatedAddGetsTheSameAndIsNotNew) {
  supply({"10.0.0.1", "10.0.0.2"});
  const auto first = add("c1");

  const auto second = add("c1");

  EXPECT_FALSE((*second->answer)->is_new);
  EXPECT_EQ((*second->answer)->allocation, (*first->answer)->allocation);
}

TEST_F(ServiceTest, AFullDiskTakesNewAddressesBackAndSaysSo) {
  supply({"10.0.0.1"});
  disk_error = make_error(Code::kDiskFull, "no space");

  const auto heard = add("c1");

  EXPECT_EQ(code_of(heard), Code::kDiskFull);
  EXPECT_EQ(ledger.find(key("c1")), nullptr);
  EXPECT_FALSE(service.status().ready);
  EXPECT_EQ(service.status().why.code, Code::kDiskFull);
}

TEST_F(ServiceTest, AFullDiskDoesNotStopADelete) {
  supply({"10.0.0.1"});
  (void)add("c1");
  disk_error = make_error(Code::kDiskFull, "no space");

  const auto heard = del("c1");
  EXPECT_TRUE(heard->answer.value().has_value());
  EXPECT_THAT(saved_keys, ElementsAre(key("c1")));

  disk_error.reset();
  wait(1s);
  EXPECT_THAT(saved_keys, IsEmpty());
  EXPECT_TRUE(service.status().ready);
}

TEST_F(ServiceTest, AClientThatIsGoneLosesItsNewAddress) {
  supply({"10.0.0.1"});
  const auto heard = begin_add("c1");
  heard->alive = false;

  turn();

  EXPECT_EQ(ledger.find(key("c1")), nullptr);
  EXPECT_THAT(saved_keys, IsEmpty());
}

TEST_F(ServiceTest, AClientThatIsGoneKeepsAnAddressItHeldBefore) {
  supply({"10.0.0.1"});
  (void)add("c1");

  const auto again = begin_add("c1");
  again->alive = false;
  turn();

  EXPECT_NE(ledger.find(key("c1")), nullptr);
}

TEST_F(ServiceTest, AnAddWaitsForTheSupplierFirstComeFirstServed) {
  const auto first = add("c1");
  const auto second = add("c2");
  EXPECT_FALSE(first->answer || second->answer);
  EXPECT_EQ(supplier.needed, 2U);

  supply({"10.0.0.1"});

  EXPECT_TRUE(first->answer.value().has_value());
  EXPECT_FALSE(second->answer.has_value());
}

TEST_F(ServiceTest, AtItsDeadlineAnAddHearsTheSuppliersReason) {
  supplier.current = {.ready = false,
                      .why = make_error(Code::kVSwitchExhausted, "vsw-1"),
                      .zone = {}};
  const auto heard = add("c1");

  wait(config.ipam.wait);

  EXPECT_EQ(code_of(heard), Code::kVSwitchExhausted);
  EXPECT_EQ(service.waiting(), 0U);
}

TEST_F(ServiceTest, AnImpatientClientIsAnsweredBeforeItGivesUp) {
  const auto heard = add("c1", 3s);

  wait(2s);
  EXPECT_FALSE(heard->answer.has_value());
  wait(500ms);

  EXPECT_EQ(code_of(heard), Code::kAddressesExhausted);
}

TEST_F(ServiceTest, ARefusalOfTheSupplierAnswersAtOnce) {
  supplier.refuse_with = make_error(Code::kZoneNotMapped, "zone cn-x-f");

  const auto heard = add("c1");

  EXPECT_EQ(code_of(heard), Code::kZoneNotMapped);
}

TEST_F(ServiceTest, ARefusalLeavesThoseForWhomAnAddressCools) {
  supply({"10.0.0.1"});
  (void)add("c1");
  (void)del("c1");
  supplier.refuse_with = make_error(Code::kBlockExhausted, "block is full");

  const auto first = add("c2");
  const auto second = add("c3");
  EXPECT_FALSE(first->answer.has_value());
  EXPECT_EQ(code_of(second), Code::kBlockExhausted);

  wait(config.ipam.cool_down_min);
  EXPECT_TRUE(first->answer.value().has_value());
}

TEST_F(ServiceTest, AWaitingClientThatHangsUpIsForgotten) {
  (void)add("c1");
  service.hung_up(tickets);

  supply({"10.0.0.1"});

  EXPECT_EQ(service.waiting(), 0U);
  EXPECT_THAT(ledger.held(), IsEmpty());
}

TEST_F(ServiceTest, AnAddOvertakenByItsDeleteIsRefused) {
  const auto waiting = add("c1");
  (void)del("c1");
  supply({"10.0.0.1"});
  const auto late = add("c1");

  EXPECT_EQ(code_of(waiting), Code::kOvertaken);
  EXPECT_EQ(code_of(late), Code::kOvertaken);
}

TEST_F(ServiceTest, AnAddDuringItsDeleteIsRefused) {
  supply({"10.0.0.1"});
  (void)add("c1");
  links_go_at_once = false;
  (void)del("c1");

  EXPECT_EQ(code_of(add("c1")), Code::kOvertaken);
}

TEST_F(ServiceTest, AnAddressIsFreedOnlyWhenItsLinkIsGone) {
  supply({"10.0.0.1"});
  (void)add("c1");
  links_go_at_once = false;

  const auto heard = del("c1");
  EXPECT_FALSE(heard->answer.has_value());
  EXPECT_NE(ledger.find(key("c1")), nullptr);

  links_gone();
  turn();
  EXPECT_TRUE(heard->answer.value().has_value());
  EXPECT_EQ(ledger.find(key("c1")), nullptr);
  EXPECT_THAT(supplier.released, ElementsAre(ip("10.0.0.1")));
}

TEST_F(ServiceTest, AFailedTeardownKeepsTheAddressAndTellsWhy) {
  supply({"10.0.0.1"});
  (void)add("c1");
  take_down_error = make_error(Code::kKernel, "busy");

  const auto heard = del("c1");

  EXPECT_EQ(heard->answer.value().error().code, Code::kKernel);
  EXPECT_NE(ledger.find(key("c1")), nullptr);
}

TEST_F(ServiceTest, ADeleteOfAnUnknownKeySucceedsAndStillLooksAtTheKernel) {
  const auto heard = del("stranger");

  EXPECT_TRUE(heard->answer.value().has_value());
  ASSERT_EQ(teardowns.size(), 1U);
  EXPECT_EQ(teardowns[0].key, key("stranger"));
}

TEST_F(ServiceTest, ADeleteFreesAnAddressThatOnlyTheKernelKnew) {
  ASSERT_TRUE(
      ledger.hold_from_kernel(ip("10.0.0.9"), std::nullopt, "linsey:c9:eth0"));
  supply({"10.0.0.9"});
  seen_on_routes = {ip("10.0.0.9")};

  (void)del("c9");

  EXPECT_EQ(ledger.row(ip("10.0.0.9"), clock.now())->state,
            ipam::State::kCooling);
}

TEST_F(ServiceTest, AnAddressThatCannotBeCompletedIsTakenBack) {
  supply({"10.0.0.1"});
  supplier.broken = make_error(Code::kEniNotReady, "eni-1");

  const auto heard = add("c1");

  EXPECT_EQ(code_of(heard), Code::kEniNotReady);
  EXPECT_THAT(ledger.held(), IsEmpty());
}

TEST_F(ServiceTest, PortsAreOpenExactlyAsLongAsTheAddressIsHeld) {
  supply({"10.0.0.1"});
  (void)add("c1");
  EXPECT_THAT(open_ports, ElementsAre(key("c1")));

  (void)del("c1");

  EXPECT_THAT(open_ports, IsEmpty());
  EXPECT_THAT(forgotten, ElementsAre(ip("10.0.0.1")));
}

TEST_F(ServiceTest, CheckReadsWithoutAskingWhatIsHeldAndAnswered) {
  supply({"10.0.0.1"});
  (void)add("c1");
  EXPECT_THAT(told, ElementsAre(key("c1")));

  (void)del("c1");

  EXPECT_THAT(told, IsEmpty());
}

TEST_F(ServiceTest, CheckReadsNothingOfAnAddThatCouldNotBeSaved) {
  supply({"10.0.0.1"});
  disk_error = make_error(Code::kDiskFull, "no space");

  (void)add("c1");

  EXPECT_THAT(told, IsEmpty());
}

TEST_F(ServiceTest, AnAddWhosePortIsTakenHoldsNothing) {
  supply({"10.0.0.1"});
  port_error = make_error(Code::kHostPortTaken, "8080");

  EXPECT_EQ(code_of(add("c1")), Code::kHostPortTaken);
  EXPECT_THAT(ledger.held(), IsEmpty());
}

TEST_F(ServiceTest, ADeleteWhosePortCannotBeClosedKeepsTheAddress) {
  supply({"10.0.0.1"});
  (void)add("c1");
  port_error = make_error(Code::kKernel, "nftables");

  EXPECT_EQ(del("c1")->answer.value().error().code, Code::kKernel);
  EXPECT_NE(ledger.find(key("c1")), nullptr);
}

TEST_F(ServiceTest, AFullDiskClosesThePortsAgain) {
  supply({"10.0.0.1"});
  disk_error = make_error(Code::kDiskFull, "no space");

  (void)add("c1");

  EXPECT_THAT(open_ports, IsEmpty());
}

TEST_F(ServiceTest, QuarantineRefusesWaitersAndNewcomersWithItsReason) {
  const auto waiting = add("c1");
  service.set_standing({.mode = "",
                        .why = "",
                        .quarantine = make_error(Code::kModeConflict, "dmi")});

  EXPECT_EQ(code_of(waiting), Code::kModeConflict);
  EXPECT_EQ(code_of(add("c2")), Code::kModeConflict);
  EXPECT_EQ(service.status().why.code, Code::kModeConflict);
}

TEST_F(ServiceTest, ADeleteWorksInQuarantine) {
  supply({"10.0.0.1"});
  (void)add("c1");
  service.set_standing({.mode = "",
                        .why = "",
                        .quarantine = make_error(Code::kModeUnknown, "")});

  EXPECT_TRUE(del("c1")->answer.value().has_value());
}

TEST_F(ServiceTest, DelEndsTheReservationsOfALostLedgerThatThePluginSaw) {
  supply({"10.0.0.1"});
  ASSERT_TRUE(
      ledger.hold_from_kernel(ip("10.0.0.1"), std::nullopt, "linsey:c1:eth0"));
  ASSERT_EQ(service.status().free, 0U);

  service.release(
      {.key = key("c1"), .path_down = true, .addresses = {ip("10.0.0.1")}},
      [](const Result<void>&) {});
  turn();

  EXPECT_EQ(service.status().cooling, 1U);
}

TEST_F(ServiceTest, GcReleasesWhatTheRuntimeDoesNotList) {
  supply({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  (void)add("c1");
  (void)add("c2");
  (void)add("c3");
  std::optional<Result<rpc::GcReply>> heard;

  service.gc({.network = "net", .keep = {{"c2", "eth0"}}},
             [&](const Result<rpc::GcReply>& reply) { heard = reply; });
  turn();

  EXPECT_THAT((*heard)->released, ElementsAre(key("c1"), key("c3")));
  EXPECT_NE(ledger.find(key("c2")), nullptr);
  EXPECT_THAT(*swept_keeping, ElementsAre(std::pair("c2", "eth0")));
}

TEST_F(ServiceTest, FreeingTellsWhetherItIsSaved) {
  supply({"10.0.0.1"});
  (void)add("c1");
  std::optional<Result<void>> heard;
  const auto free = [&] {
    service.free_now(key("c1"), {},
                     [&](const Result<void>& done) { heard = done; });
    turn();
  };

  disk_error = make_error(Code::kDiskFull, "no space");
  free();
  EXPECT_EQ(heard->error().code, Code::kDiskFull);
  disk_error.reset();
  free();

  EXPECT_TRUE(heard->has_value());
  EXPECT_THAT(saved_keys, IsEmpty());
}

TEST_F(ServiceTest, GcLeavesOtherNetworksAlone) {
  supply({"10.0.0.1"});
  (void)add("c1");
  std::optional<Result<rpc::GcReply>> heard;

  service.gc({.network = "other", .keep = {}},
             [&](const Result<rpc::GcReply>& reply) { heard = reply; });
  turn();

  EXPECT_THAT((*heard)->released, IsEmpty());
  EXPECT_NE(ledger.find(key("c1")), nullptr);
}

TEST_F(ServiceTest, CheckKnowsOnlyWhatIsHeld) {
  supply({"10.0.0.1"});
  (void)add("c1");

  EXPECT_EQ(service.check(key("c1"))->attachment.pod.name, "pod-c1");
  EXPECT_EQ(service.check(key("c2")).error().code, Code::kUnknownAttachment);
}

TEST_F(ServiceTest, StopAnswersWaitersAndRefusesNewcomers) {
  const auto waiting = add("c1");

  service.stop();

  EXPECT_EQ(code_of(waiting), Code::kAgentStarting);
  EXPECT_EQ(code_of(add("c2")), Code::kAgentStarting);
  EXPECT_EQ(cni_number(Code::kAgentStarting), 11U);
}

TEST_F(ServiceTest, StatusCountsTheLedger) {
  supply({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  (void)add("c1");
  (void)add("c2");
  (void)del("c2");

  const rpc::Status status = service.status();

  EXPECT_TRUE(status.ready);
  EXPECT_EQ(status.free, 1U);
  EXPECT_EQ(status.held, 1U);
  EXPECT_EQ(status.cooling, 1U);
}

TEST_F(ServiceTest, ARefusedAddIsToldToItsPod) {
  service.set_standing({.mode = "",
                        .why = "",
                        .quarantine = make_error(Code::kModeUnknown, "")});

  add("c1");

  EXPECT_THAT(refused, ElementsAre(std::pair(std::string("pod-c1"),
                                             Code::kModeUnknown)));
}

}  // namespace
}  // namespace linsey::agent
