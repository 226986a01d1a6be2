#include "ctl/ipam_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.h"

namespace linsey::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

IpAddr ip(const std::string& text) {
  return IpAddr::parse(text).value();
}

ipam::Held held(const std::string& id, const std::string& address) {
  ipam::Held one;
  one.attachment.key = {"linsey", id, "eth0"};
  one.attachment.pod = {"default", "pod-" + id, ""};
  one.allocation.addresses = {ip(address)};
  one.allocation.source = "10.244.0.0/26";
  return one;
}

datapath::OurLink link(const std::string& id, const std::string& address) {
  datapath::OurLink one;
  one.index = 7;
  one.name = "cali" + id;
  one.container_id = id;
  one.ifname = "eth0";
  if (!address.empty()) one.addresses = {ip(address)};
  return one;
}

struct IpamCheck : ::testing::Test {
  IpamCheck() {
    agent.held = {held("c1", "10.244.0.1")};
    agent.sources = {{ip("10.244.0.1"), "10.244.0.0/26"}};
    agent.blocks = {
        {.cidr = Cidr::parse("10.244.0.0/26").value(), .announced = true}};
    kernel.traces.links = {link("c1", "10.244.0.1")};
    kernel.blackholes = {Cidr::parse("10.244.0.0/26").value()};
  }
  std::vector<std::string> kinds() const {
    std::vector<std::string> out;
    for (const Difference& one : compare(agent, kernel)) {
      out.push_back(one.kind);
    }
    return out;
  }

  AgentView agent;
  KernelView kernel;
};

TEST_F(IpamCheck, FindsNothingWhereAllAgree) {
  agent.pods = {"default/pod-c1"};

  EXPECT_THAT(kinds(), IsEmpty());
  EXPECT_EQ(plan_hash(compare(agent, kernel)), "");
}

TEST_F(IpamCheck, ALinkOfNobodyIsToBeRemoved) {
  kernel.traces.links.push_back(link("gone", "10.244.0.9"));

  const auto found = compare(agent, kernel);

  ASSERT_THAT(kinds(), ElementsAre("leaked-link"));
  EXPECT_EQ(found[0].between, "ledger/kernel");
  EXPECT_THAT(action_of(found[0]), HasSubstr("remove link caligone"));
}

TEST_F(IpamCheck, ALinkWhoseAddressIsReservedIsLeftAlone) {
  kernel.traces.links.push_back(link("old", "10.244.0.9"));
  agent.reserved = {ip("10.244.0.9")};

  ASSERT_THAT(kinds(), ElementsAre("reserved"));
  EXPECT_EQ(action_of(compare(agent, kernel)[0]), "");
}

TEST_F(IpamCheck, ARowWithoutLinkIsReleasedOnlyWhenThePodIsGone) {
  kernel.traces.links.clear();
  EXPECT_EQ(compare(agent, kernel)[0].mend, Mend::kNone);

  agent.pods = {"default/pod-c1"};
  EXPECT_EQ(compare(agent, kernel)[0].mend, Mend::kNone);

  agent.pods.emplace();
  ASSERT_THAT(kinds(), ElementsAre("missing-link"));
  EXPECT_EQ(compare(agent, kernel)[0].mend, Mend::kRelease);
}

TEST_F(IpamCheck, APodThatTheApiDoesNotKnowAndThatHasALinkIsOnlyTold) {
  agent.pods.emplace();

  ASSERT_THAT(kinds(), ElementsAre("unknown-pod"));
  EXPECT_EQ(compare(agent, kernel)[0].mend, Mend::kNone);
}

TEST_F(IpamCheck, TheHostsSideOfAPodIsToBeRepaired) {
  kernel.differences[agent.held[0].attachment.key] = {"route is missing"};

  const auto found = compare(agent, kernel);

  ASSERT_THAT(kinds(), ElementsAre("host-side"));
  EXPECT_EQ(found[0].between, "ledger/routes");
  EXPECT_EQ(found[0].mend, Mend::kRepairHost);
}

TEST_F(IpamCheck, AnAddressThatIsRoutedToAnothersLinkIsTold) {
  agent.held.push_back(held("c2", "10.244.0.2"));
  kernel.traces.links.push_back(link("c2", "10.244.0.1"));

  EXPECT_THAT(kinds(), ElementsAre("wrong-route"));
}

TEST_F(IpamCheck, RulesOfAnAddressThatNobodyHoldsAreToBeRemovedOnce) {
  netlink::Rule to;
  to.to = Cidr::parse("10.244.0.9/32").value();
  netlink::Rule from;
  from.from = to.to;
  kernel.traces.rules = {to, from};

  ASSERT_THAT(kinds(), ElementsAre("stale-rule"));
  EXPECT_THAT(action_of(compare(agent, kernel)[0]), HasSubstr("10.244.0.9"));
}

TEST_F(IpamCheck, BlocksAreComparedWithRoutesPeersAndApi) {
  kernel.blackholes.clear();
  agent.sessions = true;
  agent.blocks[0].announced = false;
  agent.blocks[0].contested = true;

  EXPECT_THAT(kinds(),
              ElementsAre("contested-block", "no-blackhole", "not-announced"));
}

TEST_F(IpamCheck, AddressesOfEnisAreComparedWithTheCloudBothWays) {
  agent.blocks.clear();
  agent.sources = {{ip("172.16.0.4"), "vsw-1/eni-1"},
                   {ip("172.16.0.5"), "vsw-1/eni-1"}};
  agent.held = {};
  kernel.traces.links.clear();
  agent.enis["eni-1"] = {.addresses = {ip("172.16.0.4"), ip("172.16.0.6")},
                         .table = 1004,
                         .usable = true};
  kernel.tables = {1004};
  EXPECT_THAT(kinds(), ElementsAre("not-in-cloud", "not-in-ledger"));

  kernel.tables.clear();
  EXPECT_THAT(kinds(),
              ElementsAre("not-in-cloud", "no-eni-route", "not-in-ledger"));
}

TEST_F(IpamCheck, WhatOnlyOneLookSawIsNoDifference) {
  KernelView later = kernel;
  kernel.traces.links.push_back(link("adding", ""));
  later.traces.links.push_back(link("leaked", ""));
  const auto first = compare(agent, kernel);
  const auto second = compare(agent, later);

  EXPECT_THAT(both(first, second), IsEmpty());
  EXPECT_EQ(both(second, second).size(), 1U);
}

TEST_F(IpamCheck, ThePlansHashIsOfItsActionsAlone) {
  kernel.traces.links.push_back(link("gone", "10.244.0.9"));
  const std::string one = plan_hash(compare(agent, kernel));
  EXPECT_EQ(one.size(), 12U);

  agent.blocks[0].contested = true;  // told, but nothing is done about it
  EXPECT_EQ(plan_hash(compare(agent, kernel)), one);

  kernel.traces.links.back().index = 8;
  EXPECT_NE(plan_hash(compare(agent, kernel)), one);
}

TEST(AgentView, IsReadFromWhatTheAgentAnswers) {
  const auto view = parse_agent_view(*parse_json(R"({
        "addresses": [
          {"address": "10.244.0.1", "source": "10.244.0.0/26", "state": "held"},
          {"address": "10.244.0.2", "source": "x", "state": "reserved"}],
        "attachments": [],
        "supply": {"blocks": [{"cidr": "10.244.0.0/26", "announced": true}],
                   "sessions": [{}],
                   "enis": [{"id": "eni-1", "ipv4": ["172.16.0.4"],
                             "table": 1004, "usable": true}]}})"),
                                     *parse_json(R"(["default/web"])"));

  ASSERT_TRUE(view) << view.error().msg;
  EXPECT_EQ(view->sources.size(), 2U);
  EXPECT_EQ(view->reserved.size(), 1U);
  EXPECT_TRUE(view->sessions);
  EXPECT_TRUE(view->blocks.at(0).announced);
  EXPECT_EQ(view->enis.at("eni-1").table, 1004U);
  EXPECT_TRUE(view->pods->contains("default/web"));
  EXPECT_FALSE(parse_agent_view(*parse_json("[]"), Json(nullptr)));
}

}  // namespace
}  // namespace linsey::ctl
