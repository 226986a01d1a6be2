#include "conf/node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linsey::conf {
namespace {

using ::testing::HasSubstr;

TEST(Node, ReadsWhatIsUsedAndIgnoresTheRest) {
  const Result<Node> node = parse_node(R"({
    "apiVersion": "v1", "kind": "Node",
    "metadata": {"name": "m1", "uid": "u-1", "annotations": {"a": "b"},
                 "labels": {"linsey.dev/mode": "bgp"}},
    "spec": {"providerID": "cn-x.i-1", "podCIDR": "10.0.0.0/24",
             "unschedulable": true},
    "status": {"addresses": [
      {"type": "Hostname", "address": "m1"},
      {"type": "InternalIP", "address": "10.0.1.11"},
      {"type": "ExternalIP", "address": "192.0.2.1"},
      {"type": "InternalIP", "address": "fd00::11"}]}})");

  ASSERT_TRUE(node) << node.error().msg;
  EXPECT_EQ(node->name, "m1");
  EXPECT_EQ(node->uid, "u-1");
  EXPECT_EQ(node->labels, (Labels{{"linsey.dev/mode", "bgp"}}));
  EXPECT_EQ(node->provider_id, "cn-x.i-1");
  EXPECT_TRUE(node->unschedulable);
  EXPECT_EQ(node->addresses, (std::vector{*IpAddr::parse("10.0.1.11"),
                                          *IpAddr::parse("fd00::11")}));
}

TEST(Node, NeedsNothingButAName) {
  const Result<Node> node =
      parse_node(R"({"metadata": {"name": "m1", "labels": null}})");

  ASSERT_TRUE(node) << node.error().msg;
  EXPECT_TRUE(node->labels.empty());
  EXPECT_TRUE(node->addresses.empty());
  EXPECT_FALSE(node->unschedulable);
}

struct NodeErrorCase {
  const char* text;
  Code code;
  const char* says;
};

class NodeError : public ::testing::TestWithParam<NodeErrorCase> {};

TEST_P(NodeError, NamesThePointer) {
  const Result<Node> node = parse_node(GetParam().text);

  ASSERT_FALSE(node);
  EXPECT_EQ(node.error().code, GetParam().code);
  EXPECT_THAT(node.error().msg, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Table, NodeError,
    ::testing::Values(
        NodeErrorCase{"{", Code::kDecode, "node object"},
        NodeErrorCase{"[]", Code::kInvalidConfig, "must be an object"},
        NodeErrorCase{"null", Code::kInvalidConfig, "must be an object"},
        NodeErrorCase{"{}", Code::kInvalidConfig, "/metadata/name"},
        NodeErrorCase{R"({"metadata": 5})", Code::kInvalidConfig, "/metadata:"},
        NodeErrorCase{R"({"metadata": {"name": "m", "labels": {"a/b": 1}}})",
                      Code::kInvalidConfig, "/metadata/labels/a~1b"},
        NodeErrorCase{R"({"metadata": {"name": "m"}, "status": {"addresses":
                          [{"type": "InternalIP", "address": "10.0.0"}]}})",
                      Code::kInvalidConfig, "/status/addresses/0/address"}));

}  // namespace
}  // namespace linsey::conf
