// The API server away: everything goes on from what the node has, and when it
// is back everything is caught up at the set pace. tests/show/3.3 prints the
// figures.
#include <cstdio>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "tests/e2e/apicut/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/golden.h"

namespace linsey {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using tests::Cluster;
using tests::eventually;
using tests::must;

struct ApiCut : tests::NetnsTest {
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    sh(*host, "ip link set lo up");
    begin({});
  }
  void begin(const tests::ClusterOptions& options) {
    cluster.reset();
    cluster = std::make_unique<Cluster>(*host, options);
    cluster->agent().start();
  }
  bool tainted() {
    return dump_json(cluster->api().at(tests::kNodePath)["spec"])
               .find("linsey.dev/no-address") != std::string::npos;
  }
  /// Everything that a node tells stands in the API server.
  bool told() {
    const Json taints = cluster->api().at(tests::kNodePath)["spec"].value(
        "taints", Json::array());
    return taints.empty() &&
           cluster->node_condition("LinseyReady").value("status", "") ==
               "True" &&
           cluster->api().at(tests::kNetworkPath).contains("status");
  }
  std::size_t held() { return must(cluster->agent().client().status()).held; }
  static int pods() {
    const char* text = std::getenv("LINSEY_CUT_PODS");
    return text == nullptr ? 8 : std::atoi(text);
  }
  void starts_and_ends_pods(int from, int to);
  void cut(const std::function<void(bool)>& set);

  std::unique_ptr<Cluster> cluster;
  int started = 0;
  int ended = 0;
};

TEST_F(ApiCut, ANodeClaimsItsBlockAndTellsWhatItIs) {
  EXPECT_THAT(cluster->add("p1"), StartsWith("10.64."));

  EXPECT_TRUE(eventually([&] { return told(); })) << cluster->agent().log();
  EXPECT_EQ(cluster->node_condition("NetworkUnavailable")["status"], "False");
  EXPECT_EQ(cluster->node_condition("Ready")["status"], "True");
  const auto blocks = cluster->objects(kube::kIpBlocks);
  ASSERT_FALSE(blocks.empty());
  EXPECT_EQ(blocks[0]["spec"]["node"], "m1");
  EXPECT_EQ(blocks[0]["spec"]["state"], "confirmed");
  EXPECT_EQ(cluster->api().at(tests::kNetworkPath)["status"]["mode"], "bgp");
}

TEST_F(ApiCut, AChangedLabelIsAQuarantineAndItsEndNeedsNoRestart) {
  Json node = cluster->api().at(tests::kNodePath);
  node["metadata"]["labels"] = Json::object();
  cluster->api().put(tests::kNodePath, node);
  EXPECT_THAT(cluster->agent().wait_for("/v1/status", "ModeUnknown"),
              HasSubstr("ModeUnknown"));
  EXPECT_THAT(cluster->add("p1"), HasSubstr("ModeUnknown"));
  EXPECT_TRUE(eventually([&] {
    return cluster->node_condition("NetworkUnavailable").value("status", "") ==
           "True";
  }));

  node = cluster->api().at(tests::kNodePath);
  node["metadata"]["labels"] = {{"place", "dc"}};
  cluster->api().put(tests::kNodePath, node);

  EXPECT_THAT(cluster->agent().wait_for("/v1/status", "\"ready\":true"),
              HasSubstr("\"ready\":true"));
  EXPECT_THAT(cluster->add("p1"), StartsWith("10.64."));
}

TEST_F(ApiCut, TheNextBlockIsClaimedBeforeTheLastIsUsedUp) {
  begin({.pool = "10.64.0.0/24", .block_size = 29});

  for (int i = 0; i < 12; ++i) {
    EXPECT_THAT(cluster->add("p" + std::to_string(i)), StartsWith("10.64."));
  }

  EXPECT_GE(cluster->objects(kube::kIpBlocks).size(), 2U);
}

struct ClaimCrash : ApiCut, ::testing::WithParamInterface<const char*> {};

TEST_P(ClaimCrash, AKilledAgentFindsItsClaimAgain) {
  cluster.reset();
  cluster = std::make_unique<Cluster>(*host);
  ASSERT_TRUE(
      cluster->agent().start_to_crash({{"LINSEY_CRASH_AT", GetParam()}}));

  cluster->agent().start();

  EXPECT_THAT(cluster->add("p1"), StartsWith("10.64."));
  const auto blocks = cluster->objects(kube::kIpBlocks);
  ASSERT_EQ(blocks.size(), 1U);
  EXPECT_EQ(blocks[0]["spec"]["state"], "confirmed");
}

// Looked, created, confirmed.
INSTANTIATE_TEST_SUITE_P(AtEachAnswer, ClaimCrash,
                         ::testing::Values("block.answered", "block.answered:2",
                                           "block.answered:3"));

TEST_F(ApiCut, AnExhaustedNodeSaysSoAndIsTaintedUntilThereIsRoom) {
  begin({.pool = "10.64.0.0/30", .block_size = 30});
  int given = 0;
  std::string refused;
  while (given < 8 && refused.empty()) {
    const std::string said = cluster->add("p" + std::to_string(given));
    if (said.starts_with("10.64.")) {
      ++given;
    } else {
      refused = said;
    }
  }
  EXPECT_GT(given, 0);
  EXPECT_THAT(refused, HasSubstr("BlockExhausted"));
  EXPECT_TRUE(eventually([&] { return tainted(); }));
  EXPECT_TRUE(eventually([&] {
    return dump_json(cluster->objects(kube::kEvents, "default"))
               .find("BlockExhausted") != std::string::npos;
  }));

  EXPECT_EQ(cluster->call("DEL", "p0").exit_code, 0);
  EXPECT_TRUE(eventually([&] { return !tainted(); }));
  EXPECT_THAT(cluster->add("again"), StartsWith("10.64."));
}

void ApiCut::starts_and_ends_pods(int from, int to) {
  for (int i = from; i < to; ++i) {
    const std::string name = "cut-" + std::to_string(i);
    ASSERT_THAT(cluster->add(name), StartsWith("10.64."));
    ++started;
    EXPECT_EQ(cluster->call("CHECK", name).exit_code, 0);
    EXPECT_EQ(cluster->call("STATUS", name).exit_code, 0);
    if (i % 2 == 0) continue;
    EXPECT_EQ(cluster->call("DEL", name).exit_code, 0);
    ++ended;
  }
}

void ApiCut::cut(const std::function<void(bool)>& set) {
  ASSERT_THAT(cluster->add("before"), StartsWith("10.64."));
  ASSERT_TRUE(eventually([&] { return told(); }));

  set(true);
  starts_and_ends_pods(0, pods() / 2);
  cluster->agent().kill_now();
  cluster->agent().start();
  starts_and_ends_pods(pods() / 2, pods());
  for (int i = 0; i < 20; ++i) {
    cluster->ask_in_vain("vain-" + std::to_string(i));
  }
  const std::size_t alive = static_cast<std::size_t>(1 + started - ended);
  EXPECT_EQ(held(), alive);

  const std::size_t before = cluster->writes();
  const auto began = std::chrono::steady_clock::now();
  set(false);
  const std::size_t busiest = cluster->busiest_second([&] {
    const Json network = cluster->api().at(tests::kNetworkPath);
    return cluster->objects(kube::kEvents, "default").size() >= 20 &&
           network["status"]["addresses"]["held"] == alive;
  });
  const double took =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began)
          .count();

  EXPECT_GE(cluster->objects(kube::kEvents, "default").size(), 20U);
  EXPECT_EQ(
      cluster->api().at(tests::kNetworkPath)["status"]["addresses"]["held"],
      alive);
  EXPECT_LE(busiest, tests::kWritesPerSecond);
  EXPECT_EQ(held(), alive);
  EXPECT_EQ(cluster->metrics().find("kind=\"pod-gone\""), std::string::npos);
  std::printf(
      "while the API server was away: %d pods started, %d ended, 1 restart of "
      "the agent\n"
      "after its return: %zu writes in %.1f s, %zu in the busiest second "
      "(set: %u)\nfreed meanwhile: %zu\nwatch bytes since the restart: %s\n",
      started, ended, cluster->writes() - before, took, busiest,
      tests::kWritesPerSecond, alive - held(),
      cluster->metric("linsey_api_watch_bytes_last_hour").c_str());
}

TEST_F(ApiCut, PodsStartAndEndWhileTheApiServerIsDown) {
  cut([&](bool down) { cluster->api().set_down(down); });
}

TEST_F(ApiCut, PodsStartAndEndWhileTheApiServerIsSilent) {
  cut([&](bool silent) { cluster->api().set_silent(silent); });
}

}  // namespace
}  // namespace linsey
