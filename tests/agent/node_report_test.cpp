#include "agent/node_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.h"

namespace linsey::agent {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

rpc::Status ready() {
  rpc::Status status;
  status.ready = true;
  status.mode = "bgp";
  return status;
}

rpc::Status not_ready(Code code) {
  rpc::Status status;
  status.why = make_error(code, "because");
  return status;
}

TEST(NodeReport, AReadyNodeHasANetwork) {
  const auto conditions = node_conditions(ready());

  EXPECT_EQ(kube::find_condition(conditions, "NetworkUnavailable")->status,
            "False");
  EXPECT_EQ(kube::find_condition(conditions, "LinseyReady")->status, "True");
}

TEST(NodeReport, AReadyNodeSaysWhatIsWrongAllTheSame) {
  rpc::Status status = ready();
  status.why = make_error(Code::kPrefixNotPropagated, "10.0.0.0/27");
  const auto troubled = node_conditions(status);
  status.why = make_error(Code::kEniNotReady, "one is on its way");
  const auto passing = node_conditions(status);

  const auto* told = kube::find_condition(troubled, "LinseyReady");
  EXPECT_EQ(told->status, "True");
  EXPECT_EQ(told->reason, "PrefixNotPropagated");
  EXPECT_THAT(told->message, HasSubstr("look at the router's filters"));
  EXPECT_EQ(kube::find_condition(passing, "LinseyReady")->reason, "LinseyIsUp");
}

TEST(NodeReport, AQuarantinedNodeHasNoneAndSaysWhy) {
  const auto conditions = node_conditions(not_ready(Code::kModeConflict));

  EXPECT_EQ(kube::find_condition(conditions, "NetworkUnavailable")->status,
            "True");
  EXPECT_EQ(kube::find_condition(conditions, "LinseyReady")->reason,
            "ModeConflict");
}

TEST(NodeReport, AnExhaustedNodeStillHasANetwork) {
  const rpc::Status status = not_ready(Code::kBlockExhausted);
  const auto conditions = node_conditions(status);

  EXPECT_EQ(kube::find_condition(conditions, "NetworkUnavailable")->status,
            "False");
  EXPECT_EQ(kube::find_condition(conditions, "LinseyReady")->status, "False");
  EXPECT_EQ(without_address(status), true);
}

TEST(NodeReport, AStartingAgentSaysNothing) {
  EXPECT_TRUE(node_conditions(not_ready(Code::kAgentStarting)).empty());
  EXPECT_EQ(without_address(not_ready(Code::kAgentStarting)), std::nullopt);
}

TEST(NodeReport, OnlyChangedConditionsOfOursAreWritten) {
  const std::string shown =
      R"([{"type":"Ready","status":"True","reason":"KubeletReady"},
          {"type":"LinseyReady","status":"True","reason":"LinseyIsUp"},
          {"type":"NetworkUnavailable","status":"True","reason":"NoRoute"}])";

  const auto patch = conditions_patch(node_conditions(ready()), shown, "T");

  ASSERT_TRUE(patch);
  const Json& conditions = (*patch)["status"]["conditions"];
  ASSERT_EQ(conditions.size(), 1U);
  EXPECT_EQ(conditions[0]["type"], "NetworkUnavailable");
  EXPECT_EQ(conditions[0]["lastTransitionTime"], "T");
}

TEST(NodeReport, AnotherReasonKeepsTheTimeOfTransition) {
  const std::string shown =
      R"([{"type":"LinseyReady","status":"False","reason":"NoBlock",
           "lastTransitionTime":"earlier"},
          {"type":"NetworkUnavailable","status":"True",
           "reason":"ModeConflict"}])";

  const auto patch = conditions_patch(
      node_conditions(not_ready(Code::kModeConflict)), shown, "T");

  ASSERT_TRUE(patch);
  EXPECT_EQ((*patch)["status"]["conditions"][0]["lastTransitionTime"],
            "earlier");
}

TEST(NodeReport, TheStartupTaintGoesWhenReady) {
  const std::string taints =
      R"([{"key":"a","effect":"NoExecute"},
          {"key":"linsey.dev/not-ready","effect":"NoSchedule"}])";

  EXPECT_FALSE(wanted_taints(taints, {.ready = false}));
  EXPECT_EQ(dump_json(*wanted_taints(taints, {.ready = true})),
            R"([{"effect":"NoExecute","key":"a"}])");
}

TEST(NodeReport, TheNoAddressTaintComesAndGoes) {
  const auto with = wanted_taints("[]", {.no_address = true});
  ASSERT_TRUE(with);
  EXPECT_EQ(dump_json(*with),
            R"([{"effect":"NoSchedule","key":"linsey.dev/no-address"}])");

  EXPECT_FALSE(wanted_taints(dump_json(*with), {.no_address = true}));
  EXPECT_EQ(dump_json(*wanted_taints(dump_json(*with), {.ready = true})), "[]");
}

TEST(Hysteresis, FlipsOnlyAfterTheOppositeWasSeenForAWhile) {
  const Hysteresis::Waits waits{.on = seconds(10), .off = seconds(30)};
  Hysteresis state(false);

  EXPECT_FALSE(state.update(true, seconds(0), waits));
  EXPECT_FALSE(state.update(true, seconds(9), waits));
  EXPECT_FALSE(state.update(false, seconds(10), waits));
  EXPECT_FALSE(state.update(true, seconds(11), waits));
  EXPECT_TRUE(state.update(true, seconds(21), waits));

  EXPECT_TRUE(state.update(false, seconds(22), waits));
  EXPECT_TRUE(state.update(std::nullopt, seconds(51), waits));
  EXPECT_TRUE(state.update(false, seconds(52), waits));
  EXPECT_FALSE(state.update(false, seconds(82), waits));
}

TEST(NodeReport, TheNodesNetworkTellsBlocksSessionsAndTroubles) {
  rpc::Status status = ready();
  status.held = 3;
  status.why = make_error(Code::kPeerDown, "tor-a is Connect");

  const kube::NodeNetwork network = node_network(
      {.node = "m1",
       .status = status,
       .supply = R"({"blocks":[{"cidr":"10.64.0.0/26","state":"usable"}],
                     "sessions":[{"state":"Established"},
                                 {"state":"Connect"}]})",
       .config_refused = make_error(Code::kInvalidConfig, "/mtoo"),
       .observed_config = "abc",
       .agent_version = "1"});

  EXPECT_EQ(network.meta.name, "m1");
  EXPECT_EQ(network.held, 3U);
  EXPECT_THAT(network.blocks, ElementsAre(*Cidr::parse("10.64.0.0/26")));
  EXPECT_EQ(network.sessions_up, 1U);
  EXPECT_EQ(network.sessions_total, 2U);
  ASSERT_EQ(network.conditions.size(), 3U);
  EXPECT_EQ(network.conditions[0].type, "Ready");
  EXPECT_EQ(network.conditions[1].type, "PeerDown");
  EXPECT_EQ(network.conditions[2].reason, "InvalidConfig");
}

TEST(NodeReport, EachReasonOfASessionIsAConditionWithItsRemedy) {
  rpc::Status status = ready();
  status.why = make_error(Code::kPeerAsMismatch, "all in one");

  const kube::NodeNetwork network =
      node_network({.node = "m1", .status = status, .supply = R"({"sessions":[
         {"reason":"PeerPasswordMismatch","why":"tor-a: digest"},
         {"reason":"PeerAsMismatch","why":"tor-b: AS"},
         {"reason":"PeerAsMismatch","why":"tor-c: AS"},
         {"reason":"","why":""}]})"});

  ASSERT_EQ(network.conditions.size(), 3U);
  EXPECT_EQ(network.conditions[1].type, "PeerAsMismatch");
  EXPECT_THAT(network.conditions[1].message,
              AllOf(HasSubstr("tor-b"), HasSubstr("; PeerAsMismatch: tor-c")));
  EXPECT_EQ(network.conditions[2].reason, "PeerPasswordMismatch");
  EXPECT_THAT(network.conditions[2].message,
              StartsWith(network.conditions[2].reason + ": tor-a"));
}

TEST(NodeReport, ANodeThatIsNotReadyTellsWhatElseIsWrong) {
  const auto told = [](const char* supply) {
    return node_network({.node = "m1",
                         .status = not_ready(Code::kBlockExhausted),
                         .supply = supply})
        .conditions;
  };

  const auto other = told(R"({"trouble":"PrefixNotPropagated: no route"})");
  const auto same = told(R"({"trouble":"BlockExhausted: because"})");

  ASSERT_EQ(other.size(), 2U);
  EXPECT_EQ(other[0].reason, "BlockExhausted");
  EXPECT_EQ(other[1].type, "PrefixNotPropagated");
  EXPECT_EQ(same.size(), 1U);
}

TEST(NodeReport, TheNodesNetworkTellsEnis) {
  const kube::NodeNetwork network = node_network(
      {.node = "c1",
       .status = ready(),
       .supply = R"({"enis":[{"id":"eni-1","vSwitch":"vsw-1","retiring":true,
                              "ipv4":["10.0.0.1","10.0.0.2"],"ipv6":[]}]})"});

  ASSERT_EQ(network.enis.size(), 1U);
  EXPECT_EQ(network.enis[0].addresses, 2U);
  EXPECT_TRUE(network.enis[0].draining);
}

}  // namespace
}  // namespace linsey::agent
