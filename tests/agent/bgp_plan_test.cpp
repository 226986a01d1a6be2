#include "agent/bgp_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linsey::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

IpAddr ip(std::string_view text) {
  return *IpAddr::parse(text);
}
Cidr cidr(std::string_view text) {
  return *Cidr::parse(text);
}

conf::AgentConfig config() {
  return *conf::parse_agent_config(R"({
    "version": 1,
    "pools": [
      {"name": "rack1", "cidr": "10.244.0.0/16",
       "nodeSelector": "rack=1"},
      {"name": "six", "cidr": "fd00:244::/112"}],
    "blocks": {"assignments": {
      "m1": ["10.244.1.0/26", "fd00:244::40/122"],
      "m2": ["10.244.2.0/26"]}},
    "bgp": {
      "asNumber": 64512,
      "asNumbers": [{"nodeSelector": "rack=1", "asNumber": 65001}],
      "peers": [
        {"name": "tor1", "nodeSelector": "rack=1", "address": "10.0.1.1",
         "asNumber": 65100, "passwordFile": "/etc/linsey/tor1"},
        {"name": "rr", "address": "10.0.0.5", "multihop": 4},
        {"name": "tor2", "nodeSelector": "rack=2", "address": "10.0.2.1"}]}})");
}

conf::Node node(const std::string& name = "m1") {
  conf::Node node;
  node.name = name;
  node.labels = {{"rack", "1"}};
  node.addresses = {ip("10.0.1.11"), ip("10.9.9.9"), ip("fd00:1::11")};
  return node;
}

TEST(PlanBlocks, OursAndOthersComeFromTheAssignments) {
  const BlockPlan plan = plan_blocks(config(), node());

  EXPECT_THAT(plan.ours,
              ElementsAre(cidr("10.244.1.0/26"), cidr("fd00:244::40/122")));
  EXPECT_THAT(plan.others, ElementsAre(cidr("10.244.2.0/26")));
  EXPECT_THAT(plan.refused, IsEmpty());
}

TEST(PlanBlocks, ABlockWhosePoolDoesNotSelectTheNodeIsRefused) {
  conf::Node other = node();
  other.labels = {};

  const BlockPlan plan = plan_blocks(config(), other);

  EXPECT_THAT(plan.ours, ElementsAre(cidr("fd00:244::40/122")));
  ASSERT_EQ(plan.refused.size(), 1);
  EXPECT_THAT(plan.refused[0].msg, HasSubstr("\"rack=1\" does not select"));
}

TEST(PlanBlocks, ABlockOfADisabledPoolIsRefused) {
  conf::AgentConfig disabled = config();
  disabled.pools[0].disabled = true;

  const BlockPlan plan = plan_blocks(disabled, node());

  EXPECT_THAT(plan.ours, ElementsAre(cidr("fd00:244::40/122")));
  EXPECT_EQ(plan.refused.size(), 1);
}

TEST(PlanSpeaker, PeersAndAsNumberFollowTheNodesLabels) {
  const auto plan = plan_speaker(config(), node(), {cidr("10.244.1.0/26")});

  ASSERT_TRUE(plan.has_value());
  const bgp::Speaker& speaker = plan->speaker;
  EXPECT_EQ(speaker.as_number, 65001);
  EXPECT_EQ(speaker.router_id, ip("10.0.1.11"));
  EXPECT_THAT(speaker.node_addresses,
              ElementsAre(ip("10.0.1.11"), ip("fd00:1::11")));
  EXPECT_THAT(speaker.blocks, ElementsAre(cidr("10.244.1.0/26")));
  ASSERT_EQ(speaker.peers.size(), 2);
  EXPECT_EQ(speaker.peers[0].as_number, 65100);
  EXPECT_EQ(speaker.peers[1].name, "rr");
  EXPECT_EQ(speaker.peers[1].as_number, 65001);
  EXPECT_EQ(speaker.peers[1].multihop, 4);
  EXPECT_THAT(plan->password_files,
              ElementsAre(Pair("tor1", "/etc/linsey/tor1")));
}

TEST(PlanSpeaker, ImportsAreThePoolsUnlessListed) {
  conf::AgentConfig listed = config();
  listed.bgp.import = {*conf::ImportRule::parse("0.0.0.0/0")};

  EXPECT_THAT(plan_speaker(config(), node(), {})->speaker.imports,
              ElementsAre(bgp::import_of(cidr("10.244.0.0/16")),
                          bgp::import_of(cidr("fd00:244::/112"))));
  EXPECT_THAT(plan_speaker(listed, node(), {})->speaker.imports,
              ElementsAre(bgp::Import{cidr("0.0.0.0/0"), 0, 0}));
}

TEST(PlanSpeaker, ANodeWithoutIPv4NeedsARouterId) {
  conf::Node six = node();
  six.addresses = {ip("fd00:1::11")};
  conf::AgentConfig with_id = config();
  with_id.bgp.router_id = ip("192.0.2.1");

  EXPECT_EQ(plan_speaker(config(), six, {}).error().code, Code::kInvalidConfig);
  EXPECT_EQ(plan_speaker(with_id, six, {})->speaker.router_id, ip("192.0.2.1"));
  six.addresses = {};
  EXPECT_EQ(plan_speaker(config(), six, {}).error().code, Code::kNodeUnknown);
}

TEST(PlanSpeaker, ServicesVpcAndNodesAreNeverAnnounced) {
  conf::AgentConfig planned = config();
  planned.cidrs.services = {cidr("10.96.0.0/16")};
  planned.cidrs.vpc = {cidr("172.16.0.0/12")};
  planned.cidrs.nodes = {cidr("10.0.1.0/24")};

  const auto plan = plan_speaker(planned, node(), {cidr("10.96.1.0/26")});

  EXPECT_THAT(plan->speaker.never_announced,
              ElementsAre(cidr("10.96.0.0/16"), cidr("172.16.0.0/12"),
                          cidr("10.0.1.0/24")));
  EXPECT_THAT(plan->speaker.never_imported, ElementsAre(cidr("10.96.0.0/16")));
  EXPECT_THAT(bgp::announceable(plan->speaker), IsEmpty());
}

TEST(PlanSpeaker, APeersKeysReachBird) {
  conf::AgentConfig planned = config();
  conf::BgpPeer& peer = planned.bgp.peers[0];
  peer.bfd = {"graceful", std::chrono::milliseconds(50), 5};
  peer.communities = {{64512, 1, {}}, {1, 2, 3}};
  peer.max_prefixes = 7;
  peer.max_prefix_action = "disable";
  peer.import.emplace();

  const bgp::Peer got = plan_speaker(planned, node(), {})->speaker.peers[0];

  EXPECT_EQ(got.bfd, (bgp::Bfd{bgp::BfdMode::kGraceful,
                               std::chrono::milliseconds(50), 5}));
  EXPECT_EQ(got.announcement.communities,
            (std::vector<bgp::Community>{{64512, 1, {}}, {1, 2, 3}}));
  EXPECT_EQ(got.max_prefixes, 7U);
  EXPECT_EQ(got.max_prefix_action, bgp::LimitAction::kDisable);
  ASSERT_TRUE(got.imports.has_value());
  EXPECT_THAT(*got.imports, IsEmpty());
}

}  // namespace
}  // namespace linsey::agent
