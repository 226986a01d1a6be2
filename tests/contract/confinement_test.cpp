// An agent's bound token writes what belongs to its node, and nothing else.
#include <array>
#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "tests/contract/party.h"

namespace linsey::contract {
namespace {

using kube::kIpBlocks;
using kube::kIpPools;
using kube::kNodeNetworks;
using kube::kNodes;

const std::string kA = "c-node-a";
const std::string kB = "c-node-b";

struct Agent {
  explicit Agent(const std::string& token)
      : transport(Party::get().connect_as(token)), client(*transport) {}

  std::unique_ptr<kube::Transport> transport;
  kube::Client client;
};

class Confinement : public Fixture, public testing::Test {
 protected:
  Confinement() { clear(); }
  ~Confinement() override { clear(); }

  void clear() {
    for (unsigned i = 20; i < 24; ++i) {
      forget(kIpBlocks, "", block_name(i));
    }
    forget(kNodeNetworks, "", kA);
    forget(kNodeNetworks, "", kB);
    forget(kIpPools, "", kPool);
  }

  static std::string refusal(const Result<Json>& done) {
    if (done) return "taken";
    return std::string(name(done.error().code)) + ": " + done.error().msg;
  }
  static Json network(const std::string& node) {
    return {{"apiVersion", "linsey.dev/v1"},
            {"kind", "NodeNetwork"},
            {"metadata", {{"name", node}}}};
  }

  Agent a_{Party::get().agent_token(kA)};
  Agent b_{Party::get().agent_token(kB)};
};

testing::AssertionResult says(const std::string& text,
                              const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << text << " does not say " << part;
}

TEST_F(Confinement, AnAgentHandlesTheBlocksOfItsNode) {
  EXPECT_EQ(refusal(a_.client.create(kIpBlocks, "", block(20, kA))), "taken");
  EXPECT_EQ(refusal(a_.client.patch(kIpBlocks, "", block_name(20),
                                    {{"spec", {{"state", "confirmed"}}}})),
            "taken");
  EXPECT_TRUE(a_.client.remove(kIpBlocks, "", block_name(20)));
}

TEST_F(Confinement, AnAgentCannotWriteABlockOfAnotherNode) {
  EXPECT_TRUE(says(refusal(a_.client.create(kIpBlocks, "", block(21, kB))),
                   "not for the agent of node " + kA));
  Json theirs = *b_.client.create(kIpBlocks, "", block(21, kB));

  EXPECT_TRUE(
      says(refusal(a_.client.patch(kIpBlocks, "", block_name(21),
                                   {{"spec", {{"state", "releasing"}}}})),
           "not for the agent of node " + kA));
  theirs["spec"]["state"] = "releasing";
  EXPECT_TRUE(says(refusal(a_.client.update(kIpBlocks, "", theirs)),
                   "not for the agent of node " + kA));
  const Result<void> gone = a_.client.remove(kIpBlocks, "", block_name(21));
  ASSERT_FALSE(gone);
  EXPECT_TRUE(says(gone.error().msg, "not for the agent of node " + kA));
  EXPECT_EQ((*client_.get(kIpBlocks, "", block_name(21)))["spec"]["state"],
            "pending");
}

TEST_F(Confinement, AnAgentCannotGiveItsBlockAway) {
  ASSERT_TRUE(a_.client.create(kIpBlocks, "", block(22, kA)));

  EXPECT_NE(refusal(a_.client.patch(
                kIpBlocks, "", block_name(22),
                {{"spec", {{"node", kB}}},
                 {"metadata", {{"labels", {{"linsey.dev/node", kB}}}}}})),
            "taken");
}

TEST_F(Confinement, AnAgentTellsTheStatusOfItsNodeOnly) {
  EXPECT_EQ(refusal(a_.client.create(kNodeNetworks, "", network(kA))), "taken");
  EXPECT_TRUE(says(refusal(a_.client.create(kNodeNetworks, "", network(kB))),
                   "not for the agent of node " + kA));
  ASSERT_TRUE(b_.client.create(kNodeNetworks, "", network(kB)));
  const Json status = {{"status", {{"mode", "bgp"}}}};

  EXPECT_EQ(refusal(a_.client.patch(kNodeNetworks, "", kA, status, "status")),
            "taken");
  EXPECT_TRUE(
      says(refusal(a_.client.patch(kNodeNetworks, "", kB, status, "status")),
           "not for the agent of node " + kA));
}

TEST_F(Confinement, AnAgentChangesOurKeysOfItsNodeOnly) {
  const auto patch = [&](const std::string& node, const Json& change,
                         const char* sub = "") {
    return refusal(a_.client.patch(kNodes, "", node, change, sub));
  };
  const auto condition = [](const char* type) {
    return Json{{"status",
                 {{"conditions",
                   Json::array({{{"type", type}, {"status", "True"}}})}}}};
  };
  const auto taint = [](const char* key) {
    return Json{{"spec",
                 {{"taints",
                   Json::array({{{"key", key}, {"effect", "NoSchedule"}}})}}}};
  };
  const auto label = [](const char* key) {
    return Json{{"metadata", {{"labels", {{key, "x"}}}}}};
  };

  EXPECT_EQ(patch(kA, label("linsey.dev/mode")), "taken");
  EXPECT_EQ(patch(kA, taint("linsey.dev/no-address")), "taken");
  EXPECT_EQ(patch(kA, condition("LinseyReady"), "status"), "taken");
  EXPECT_TRUE(says(patch(kA, label("kind")), "labels under linsey.dev/"));
  EXPECT_TRUE(says(patch(kA, {{"metadata", {{"labels", {{"kind", nullptr}}}}}}),
                   "labels under linsey.dev/"));
  EXPECT_TRUE(says(patch(kA, taint("foreign")), "taints under linsey.dev/"));
  EXPECT_TRUE(says(patch(kA, {{"spec", {{"unschedulable", true}}}}),
                   "does not cordon"));
  EXPECT_TRUE(says(patch(kA, condition("Ready"), "status"),
                   "conditions NetworkUnavailable and LinseyReady only"));
  EXPECT_TRUE(says(patch(kB, label("linsey.dev/mode")),
                   "not for the agent of node " + kA));
  EXPECT_TRUE(says(patch(kB, condition("LinseyReady"), "status"),
                   "not for the agent of node " + kA));
}

TEST_F(Confinement, ATokenThatNamesNoNodeWritesNothing) {
  Agent nobody(Party::get().unbound_token());

  EXPECT_TRUE(says(refusal(nobody.client.create(kIpBlocks, "", block(23, kA))),
                   "carries no node name"));
}

TEST_F(Confinement, RightsEndWhereTheRolesEnd) {
  const kube::Resource secrets{"", "v1", "secrets"};

  EXPECT_TRUE(says(
      refusal(a_.client.create(kIpPools, "", pool(kPool, "198.18.0.0/15"))),
      "APIForbidden"));
  EXPECT_EQ(a_.client.list(secrets, "").error().code, Code::kApiForbidden);
  EXPECT_EQ(a_.client.list(kube::kConfigMaps, "kube-system").error().code,
            Code::kApiForbidden);
  EXPECT_TRUE(
      a_.client.list(kube::kConfigMaps, "kube-system",
                     {.field_selector = "metadata.name=linsey-config"}));
  EXPECT_TRUE(a_.client.list(kIpPools, ""));
}

TEST_F(Confinement, AnUnknownTokenIsUnauthorized) {
  Agent stranger("no-such-token");

  EXPECT_EQ(stranger.client.get(kNodes, "", kA).error().code,
            Code::kApiUnauthorized);
}

/// LINSEY_CONTRACT_RACES rounds: both ask for one block at the same moment.
TEST_F(Confinement, OfTwoAgentsInARaceOneWins) {
  const char* wanted = std::getenv("LINSEY_CONTRACT_RACES");
  const int rounds = wanted == nullptr ? 1000 : std::atoi(wanted);
  std::array<Agent*, 2> agents{&a_, &b_};
  std::array<std::vector<std::optional<Code>>, 2> outcomes;  // empty: won
  std::barrier together(2);
  const auto run = [&](std::size_t who) {
    const std::string& node = who == 0 ? kA : kB;
    for (int i = 0; i < rounds; ++i) {
      together.arrive_and_wait();
      const Result<Json> made =
          agents.at(who)->client.create(kIpBlocks, "", block(20, node));
      outcomes.at(who).push_back(made ? std::nullopt
                                      : std::optional(made.error().code));
      together.arrive_and_wait();
      if (made)
        (void)agents.at(who)->client.remove(kIpBlocks, "", block_name(20));
    }
  };
  std::jthread other([&] { run(1); });
  run(0);
  other.join();

  std::array<int, 2> won{};
  int wrong = 0;
  for (std::size_t i = 0; i < outcomes[0].size(); ++i) {
    const bool first = !outcomes[0][i];
    const bool second = !outcomes[1][i];
    const auto loser = first ? outcomes[1][i] : outcomes[0][i];
    if (first == second || loser != Code::kApiExists) ++wrong;
    won[0] += first ? 1 : 0;
    won[1] += second ? 1 : 0;
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(won[0] + won[1], rounds);
  std::printf("race: %d rounds, %d won by a, %d by b, %d wrong\n", rounds,
              won[0], won[1], wrong);
}

}  // namespace
}  // namespace linsey::contract
