// Random histories of many nodes on one small pool: crashes, lost replies, an
// API server that goes away. A failure prints its seed.
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "tests/ipam/claim_world.h"

namespace linsey::ipam {
namespace {

using std::chrono_literals::operator""s;  // NOLINT(misc-unused-using-decls)
using tests::ApiBlocks;
using tests::cidr;
using tests::ClaimNode;
using tests::kStart;

class ClaimsProperty : public testing::TestWithParam<unsigned> {};

void expect_no_block_twice(const std::vector<ClaimNode>& nodes,
                           const ApiBlocks& api) {
  std::map<Cidr, std::string> owner;
  for (const ClaimNode& node : nodes) {
    for (const auto& [block, row] : node.ledger) {
      const auto [it, is_new] = owner.emplace(block, node.name);
      ASSERT_TRUE(is_new) << block.to_string() << ": " << node.name << " and "
                          << it->second;
      ASSERT_TRUE(api.objects.contains(block)) << block.to_string();
      ASSERT_EQ(api.objects.at(block).node, node.name) << block.to_string();
    }
  }
}

void stir(ClaimNode& node, ApiBlocks& api, std::mt19937& random) {
  switch (random() % 12) {
    case 0:
      node.crash();
      break;
    case 1:
      node.give_back_all();
      break;
    case 2:
      node.take(static_cast<unsigned>(random() % 40));
      break;
    case 3:
      api.lose_reply = !api.down;
      break;
    case 4:
      api.down = random() % 4 == 0;
      break;
    default:
      break;
  }
}

TEST_P(ClaimsProperty, NoBlockEverHasTwoOwners) {
  std::mt19937 random(GetParam());
  ApiBlocks api;
  const std::vector<ClaimPool> pools{
      {.name = "p", .cidr = cidr("10.0.0.0/22"), .block_size = 27}};
  const ClaimOptions options{.slack = 8, .spare_grace = 20s, .full_retry = 60s};
  std::vector<ClaimNode> nodes;
  nodes.reserve(12);
  for (int i = 0; i < 12; ++i) {
    nodes.emplace_back(api, "m" + std::to_string(i), pools, options);
  }

  Instant now = kStart;
  for (int i = 0; i < 20000 && !HasFatalFailure(); ++i) {
    ClaimNode& node = nodes[random() % nodes.size()];
    stir(node, api, random);
    node.step(now);
    now += 1s * (random() % 3);
    expect_no_block_twice(nodes, api);
  }

  // Once all is quiet every object is confirmed and in its owner's ledger.
  api.down = false;
  for (int i = 0; i < 40; ++i) {
    now += 200s;
    for (ClaimNode& node : nodes) {
      node.give_back_all();
      node.settle(now);
    }
  }
  expect_no_block_twice(nodes, api);
  EXPECT_EQ(api.objects.size(), nodes.size());
  for (const auto& [block, object] : api.objects) {
    EXPECT_EQ(object.phase, BlockPhase::kConfirmed) << block.to_string();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ClaimsProperty, testing::Range(1U, 9U));

}  // namespace
}  // namespace linsey::ipam
