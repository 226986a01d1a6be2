#include "kube/objects.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace linsey::kube {
namespace {

Cidr cidr(std::string_view text) {
  return *Cidr::parse(text);
}

TEST(BlockName, GoesBothWays) {
  EXPECT_EQ(block_name(cidr("10.244.3.64/26")), "4-0af40340-26");
  EXPECT_EQ(block_name(cidr("fd00::40/122")),
            "6-fd000000000000000000000000000040-122");
  for (const auto* text : {"10.244.3.64/26", "fd00::40/122", "0.0.0.0/0"}) {
    EXPECT_EQ(block_from_name(block_name(cidr(text))).value(), cidr(text));
  }
}

TEST(BlockName, ThatNoBlockHasIsRefused) {
  for (const auto* name :
       {"", "4-", "4-0af40340", "4-0af40340-", "4-0af40340-33", "4-0AF40340-26",
        "4-0af40341-26", "4-0af40340-026", "4-0af4034g-26", "6-0af40340-26",
        "5-0af40340-26", "4-0af40340-26x"}) {
    EXPECT_EQ(block_from_name(name).error().code, Code::kDecode) << name;
  }
}

TEST(IpBlock, IsReadAsItWasWritten) {
  IpBlock block{.cidr = cidr("10.244.3.64/26"),
                .pool = "p4",
                .node = "m1",
                .node_uid = "u-1",
                .state = BlockState::kConfirmed};

  const Json json = to_json(block);
  const Result<IpBlock> read = read_block(json);

  ASSERT_TRUE(read) << read.error().msg;
  EXPECT_EQ(json["metadata"]["name"], "4-0af40340-26");
  EXPECT_EQ(json["metadata"]["labels"]["linsey.dev/node"], "m1");
  EXPECT_EQ(json["metadata"]["labels"]["linsey.dev/pool"], "p4");
  block.meta = read->meta;
  EXPECT_EQ(*read, block);
}

TEST(IpBlock, WhoseNameIsNotItsCidrIsRefused) {
  Json json = to_json(IpBlock{.cidr = cidr("10.0.0.0/26"), .node = "m1"});
  json["spec"]["cidr"] = "10.0.0.64/26";

  EXPECT_EQ(read_block(json).error().code, Code::kApiBadReply);
}

TEST(IpBlock, OfAnUnknownStateIsRefused) {
  Json json = to_json(IpBlock{.cidr = cidr("10.0.0.0/26"), .node = "m1"});
  json["spec"]["state"] = "lent";

  EXPECT_NE(read_block(json).error().msg.find("/spec/state"),
            std::string::npos);
}

TEST(IpBlock, StatePatchIsGuardedByTheResourceVersion) {
  IpBlock block{.cidr = cidr("10.0.0.0/26"), .node = "m1"};
  block.meta.resource_version = "17";

  const Json patch = state_patch(block, BlockState::kReleasing);

  EXPECT_EQ(patch, Json::parse(R"({"metadata":{"resourceVersion":"17"},
                                   "spec":{"state":"releasing"}})"));
}

TEST(IpPool, HasTheDefaultsOfItsFamily) {
  const auto read = [](const char* text) {
    return read_pool(Json::parse(text)).value();
  };

  const IpPool v4 = read(R"({"metadata":{"name":"a"},
                             "spec":{"cidr":"10.244.0.0/16","new":1}})");
  const IpPool v6 = read(R"({"metadata":{"name":"b","deletionTimestamp":"t"},
                             "spec":{"cidr":"fd00::/64","disabled":true}})");

  EXPECT_EQ(v4.block_size, 26U);
  EXPECT_FALSE(v4.valid());
  EXPECT_FALSE(v4.meta.deleting);
  EXPECT_EQ(v6.block_size, 122U);
  EXPECT_TRUE(v6.meta.deleting);
  EXPECT_TRUE(v6.disabled);
}

TEST(IpPool, IsReadAsItWasWritten) {
  IpPool pool{.cidr = cidr("10.244.0.0/16"),
              .block_size = 24,
              .node_selector = "zone in (a,b)",
              .disabled = true,
              .conditions = {{"Valid", "True", "NoOverlap", "fine", "t"}},
              .blocks_total = 256,
              .blocks_used = 3};
  pool.meta = {.name = "p4",
               .uid = "u",
               .resource_version = "9",
               .finalizers = {std::string(kBlocksFinalizer)}};

  Json json = to_json(pool);
  json["status"] = status_json(pool);
  const Result<IpPool> read = read_pool(json);

  ASSERT_TRUE(read) << read.error().msg;
  EXPECT_EQ(*read, pool);
  EXPECT_TRUE(read->valid());
}

TEST(NodeNetwork, StatusIsReadAsItWasWritten) {
  NodeNetwork node{.mode = "bgp",
                   .why = "rule dc",
                   .zone = "z",
                   .free = 1,
                   .held = 2,
                   .cooling = 3,
                   .blocks = {cidr("10.0.0.0/26"), cidr("fd00::/122")},
                   .enis = {{"eni-1", "vsw-1", 7, true}},
                   .sessions_up = 1,
                   .sessions_total = 2,
                   .conditions = {{"Ready", "False", "PeerDown", "m", "t"}},
                   .observed_config = "ab12",
                   .agent_version = "0.1.0"};
  node.meta.name = "m1";

  Json json = to_json(node);
  json["status"] = status_json(node);
  const Result<NodeNetwork> read = read_node_network(json);

  ASSERT_TRUE(read) << read.error().msg;
  EXPECT_EQ(*read, node);
}

TEST(NodeName, ThatIsNoLabelValueIsRefused) {
  EXPECT_TRUE(check_node_name(std::string(63, 'a')));
  EXPECT_EQ(check_node_name(std::string(64, 'a')).error().code,
            Code::kInvalidConfig);
}

}  // namespace
}  // namespace linsey::kube
