#include "agent/kube_party.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_api.h"
#include "tests/support/fake_clock.h"

namespace linsey::agent {
namespace {

using ::testing::HasSubstr;

const std::string kNode = "/api/v1/nodes/m1";
const std::string kPodsPath = "/api/v1/namespaces/default/pods/";
const std::string kMap = "/api/v1/namespaces/kube-system/configmaps/linsey";
const std::string kBlockPath = "/apis/linsey.dev/v1/ipblocks/";

Json node(const std::string& place) {
  return {{"metadata", {{"name", "m1"}, {"labels", {{"place", place}}}}},
          {"spec", {{"providerID", "x://1"}}},
          {"status", {{"images", {1, 2, 3}}}}};
}

Json pod(const std::string& name, const std::string& on) {
  return {{"metadata", {{"name", name}, {"namespace", "default"}}},
          {"spec", {{"nodeName", on}}}};
}

Json block(const std::string& on) {
  return {{"metadata",
           {{"name", "4-0a400000-26"}, {"labels", {{"linsey.dev/node", on}}}}},
          {"spec",
           {{"cidr", "10.64.0.0/26"},
            {"pool", "v4"},
            {"node", on},
            {"state", "confirmed"}}}};
}

struct KubePartyTest : ::testing::Test {
  KubePartyTest() {
    api.put(kNode, node("dc"));
    api.put("/api/v1/nodes/m2", node("ecs"));
    config.source = "in-cluster";
    config.config_map = "linsey";
  }

  void start() {
    party = std::make_unique<KubeParty>(KubePartyDeps{
        .loop = loop,
        .clock = clock,
        .metrics = metrics,
        .config = config,
        .node_name = "m1",
        .cluster_blocks = true,
        .connect = [this]() -> Result<std::unique_ptr<kube::Transport>> {
          return api.connect();
        },
        .hooks = {
            .node = [this](const std::string& text) { nodes.push_back(text); },
            .config =
                [this](const std::string& text) { configs.push_back(text); },
            .blocks = [this] { ++block_calls; },
            .back = [this] { ++returns; }}});
    party->start();
  }
  void wait_for(const std::function<bool()>& done) {
    EXPECT_TRUE(tests::eventually([&] {
      loop.run_until_idle();
      return done();
    }));
  }

  tests::FakeApi api;
  tests::FakeClock clock;
  Loop loop{clock};
  Metrics metrics;
  conf::Kubernetes config;
  std::vector<std::string> nodes;
  std::vector<std::string> configs;
  int block_calls = 0;
  int returns = 0;
  std::unique_ptr<KubeParty> party;
};

TEST_F(KubePartyTest, ShowsThisNodeCutDownToWhatCounts) {
  start();
  wait_for([&] { return !nodes.empty(); });

  EXPECT_THAT(nodes[0], HasSubstr(R"("place":"dc")"));
  EXPECT_THAT(nodes[0], HasSubstr(R"("providerID":"x://1")"));
  EXPECT_THAT(nodes[0], ::testing::Not(HasSubstr("images")));
  EXPECT_EQ(party->node()->text, nodes[0]);
}

TEST_F(KubePartyTest, TellsAChangedLabelButNoHeartbeat) {
  start();
  wait_for([&] { return !nodes.empty(); });

  Json beating = node("dc");
  beating["status"]["images"] = {4};
  api.put(kNode, beating);
  api.put(kNode, node("ecs"));
  wait_for([&] { return nodes.size() > 1; });

  EXPECT_EQ(nodes.size(), 2U);
  EXPECT_THAT(nodes[1], HasSubstr(R"("place":"ecs")"));
}

TEST_F(KubePartyTest, TellsTheConfigMapsDocument) {
  start();
  wait_for([&] { return party->reachable(); });

  api.put(kMap, {{"metadata", {{"name", "linsey"}}},
                 {"data", {{"agent.json", R"({"mtu":1400})"}}}});
  wait_for([&] { return !configs.empty(); });

  EXPECT_EQ(configs[0], R"({"mtu":1400})");
}

TEST_F(KubePartyTest, ShowsThePodsOfThisNodeAlone) {
  api.put(kPodsPath + "a", pod("a", "m1"));
  api.put(kPodsPath + "b", pod("b", "m2"));
  start();
  wait_for([&] { return party->pods() != nullptr; });
  EXPECT_TRUE(party->pods()->contains("default/a"));
  EXPECT_FALSE(party->pods()->contains("default/b"));

  api.erase(kPodsPath + "a");
  wait_for([&] { return party->pods()->empty(); });
}

TEST_F(KubePartyTest, ShowsThisNodesBlocksAlone) {
  api.put(kBlockPath + "4-0a400000-26", block("m1"));
  start();
  wait_for([&] { return party->blocks_current(); });

  EXPECT_EQ(party->blocks()->at("4-0a400000-26").node, "m1");
  EXPECT_GT(block_calls, 0);
}

TEST_F(KubePartyTest, WhatMayBeOldIsNoWitness) {
  api.put(kPodsPath + "a", pod("a", "m1"));
  start();
  wait_for([&] { return party->pods() != nullptr && party->reachable(); });
  EXPECT_EQ(returns, 1);

  api.set_down(true);
  wait_for([&] { return party->pods() == nullptr && !party->reachable(); });
  EXPECT_NE(party->node(), nullptr);

  api.set_down(false);
  wait_for([&] {
    // A resumed watch is believed at its first word.
    api.put(kPodsPath + "a", pod("a", "m1"));
    api.put(kNode, node("dc"));
    return party->pods() != nullptr && party->reachable();
  });
  EXPECT_EQ(returns, 2);
}

TEST_F(KubePartyTest, TriesAgainWhenCredentialsCannotBeRead) {
  bool broken = true;
  party = std::make_unique<KubeParty>(KubePartyDeps{
      .loop = loop,
      .clock = clock,
      .metrics = metrics,
      .config = config,
      .node_name = "m1",
      .connect = [&]() -> Result<std::unique_ptr<kube::Transport>> {
        if (broken) return make_error(Code::kIo, "no kubeconfig");
        return api.connect();
      },
      .hooks = {.node = [](const std::string&) {},
                .config = [](const std::string&) {},
                .blocks = [] {},
                .back = [this] { ++returns; }}});
  party->start();
  EXPECT_EQ(party->node(), nullptr);

  broken = false;
  clock.advance(std::chrono::seconds(10));
  wait_for([&] { return returns == 1; });
}

}  // namespace
}  // namespace linsey::agent
