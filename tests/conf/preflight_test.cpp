#include "conf/preflight.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "tests/support/golden.h"

namespace linsey::conf {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

Json example() {
  const Result<std::string> text =
      read_file(tests::source_dir() + "/install/plan.example.json");
  EXPECT_TRUE(text);
  return *parse_json(text.value_or("{}"));
}

std::vector<Check> found(const Json& json, Finding which) {
  const Result<Plan> plan = parse_plan(dump_json(json));
  EXPECT_TRUE(plan) << to_string(plan.error());
  std::vector<Check> out;
  if (!plan) return out;
  std::ranges::copy_if(
      examine(*plan), std::back_inserter(out),
      [&](const Check& check) { return check.finding == which; });
  return out;
}

TEST(Preflight, FindsNothingAgainstTheExample) {
  for (const Check& check : found(example(), Finding::kAgainst)) {
    ADD_FAILURE() << to_string(check.why);
  }
  EXPECT_THAT(found(example(), Finding::kUnknown), IsEmpty());
}

TEST(Preflight, TakesNothingForGoodThatWasNotTold) {
  Json plan = example();
  for (const char* key : {"vpcRoutes", "dcRoutes", "learnedRoutes",
                          "securityGroups", "ramActions", "rbac", "hosts"}) {
    plan.erase(key);
  }

  EXPECT_THAT(found(plan, Finding::kAgainst), IsEmpty());
  EXPECT_GE(found(plan, Finding::kUnknown).size(), 6U);
}

TEST(Preflight, JudgesAnEmptyPlan) {
  EXPECT_THAT(found(Json::object(), Finding::kAgainst), IsEmpty());
}

TEST(PlanFile, NamesTheKeyItDoesNotKnow) {
  const Result<Plan> plan = parse_plan(R"({"vpc":[]})");

  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().msg, HasSubstr("vpc"));
}

/// One planted conflict: a change of the example, and what must be said of it.
struct Planted {
  const char* name;
  std::function<void(Json&)> plant;
  Code code;
  std::vector<std::string> words;  // object names, and the remedy's
};

Json network(const char* name, const char* cidr) {
  return {{"name", name}, {"cidr", cidr}};
}

// A table.
// NOLINTNEXTLINE(readability-function-size)
const std::vector<Planted>& planted() {
  static const std::vector<Planted> kAll = {
      {"VpcWithService",
       [](Json& j) { j["services"].push_back(network("svc2", "10.2.0.0/16")); },
       Code::kCidrOverlap,
       {"vpc-prod", "svc2", "10.2.0.0/16", "disjoint"}},
      {"PodVSwitchWithDataCentre",
       [](Json& j) {
         j["dataCentre"].push_back(network("idc-2", "10.1.32.0/20"));
       },
       Code::kCidrOverlap,
       {"vsw-pod-a", "idc-2", "disjoint"}},
      {"HostVSwitchIsPodVSwitch",
       [](Json& j) {
         j["zones"]["cn-shenzhen-a"]["vSwitches"].push_back("vsw-host-a");
       },
       Code::kVSwitchIsHost,
       {"vsw-host-a", "node c1", "cn-shenzhen-a"}},
      {"HostVSwitchOverlapsPodVSwitch",
       [](Json& j) { j["vSwitches"][0]["cidr"] = "10.1.0.0/24"; },
       Code::kVSwitchIsHost,
       {"vsw-host-a", "vsw-pod-a"}},
      {"PoolWithPool",
       [](Json& j) { j["pools"].push_back(network("late", "10.244.8.0/21")); },
       Code::kPoolOverlap,
       {"\"dc\"", "late", "disjoint"}},
      {"PoolWithNodeNetwork",
       [](Json& j) {
         j["nodeRanges"].push_back(network("rack-9", "10.245.3.0/24"));
       },
       Code::kCidrOverlap,
       {"dc-gpu", "rack-9"}},
      {"PoolWithNodeAddress",
       [](Json& j) { j["nodes"][0]["addresses"].push_back("10.245.0.9"); },
       Code::kCidrOverlap,
       {"dc-gpu", "m1", "10.245.0.9"}},
      {"ServiceWithDataCentre",
       [](Json& j) {
         j["services"].push_back(network("svc3", "172.16.64.0/20"));
       },
       Code::kCidrOverlap,
       {"svc3", "idc-1"}},
      {"BlockOutsidePool",
       [](Json& j) { j["blocks"][1]["cidr"] = "10.240.0.64/26"; },
       Code::kBlockOutsidePool,
       {"4-0af40040-26", "m2", "pool dc"}},
      {"BlockInAnotherPool",
       [](Json& j) { j["blocks"][1]["pool"] = "dc-gpu"; },
       Code::kBlockOutsidePool,
       {"4-0af40040-26", "pool dc-gpu"}},
      {"LearnedRouteInPool",
       [](Json& j) {
         j["learnedRoutes"].push_back({{"destination", "10.244.7.0/24"},
                                       {"via", "172.16.1.1"},
                                       {"node", "m1"}});
       },
       Code::kRouteInsidePool,
       {"10.244.7.0/24", "172.16.1.1", "m1", "\"dc\""}},
      {"WrongZoneVSwitch",
       [](Json& j) {
         j["zones"]["cn-shenzhen-a"]["vSwitches"][0] = "vsw-pod-b";
       },
       Code::kVSwitchWrongZone,
       {"vsw-pod-b", "cn-shenzhen-a", "cn-shenzhen-b"}},
      {"MissingRamAction",
       [](Json& j) { j["ramActions"].erase(1); },
       Code::kCloudForbidden,
       {"ecs:AssignPrivateIpAddresses", "grant"}},
      {"MissingRbacVerb",
       [](Json& j) { j["rbac"].erase(14); },
       Code::kApiForbidden,
       {"patch ipblocks.linsey.dev", "grant"}},
      {"MissingLoopback",
       [](Json& j) { j["hosts"][0]["plugins"].erase(1); },
       Code::kChainPluginMissing,
       {"m1", "loopback", "linsey-install"}},
      {"VpcRouteMissing",
       [](Json& j) { j["vpcRoutes"][1]["destination"] = "10.244.0.0/16"; },
       Code::kVpcRouteMissing,
       {"dc-gpu", "10.245.0.0/16", "route entry"}},
      {"SecurityGroupBlocksIngress",
       [](Json& j) { j["securityGroups"][0]["rules"].erase(1); },
       Code::kSecurityGroupBlocks,
       {"sg-pods", "from pool dc", "10.244.0.0/16"}},
      {"SecurityGroupBlocksEgress",
       [](Json& j) { j["securityGroups"][0]["type"] = "enterprise"; },
       Code::kSecurityGroupBlocks,
       {"sg-pods", "to idc-1", "172.16.0.0/16"}},
      {"SecurityGroupDrops",
       [](Json& j) {
         j["securityGroups"][0]["rules"].push_back(
             {{"policy", "drop"}, {"cidr", "10.244.4.0/24"}});
       },
       Code::kSecurityGroupBlocks,
       {"sg-pods", "from pool dc"}},
      {"DcRouteMissing",
       [](Json& j) {
         j["dcRoutes"] = Json::array();
         j["learnedRoutes"] = Json::array(
             {{{"destination", "10.1.0.0/18"}, {"via", "172.16.1.1"}}});
       },
       Code::kDcRouteMissing,
       {"vsw-pod-b", "10.1.64.0"}},
      {"CapacityBelowMaxPods",
       [](Json& j) { j["nodes"][2]["capacity"] = 12; },
       Code::kCapacityBelowMaxPods,
       {"c1", "60", "12"}},
      {"ZoneNotMapped",
       [](Json& j) { j["nodes"][2]["zone"] = "cn-shenzhen-f"; },
       Code::kZoneNotMapped,
       {"c1", "cn-shenzhen-f", "eni.zones"}},
      {"VSwitchOutsideVpc",
       [](Json& j) {
         j["vSwitches"][2]["cidr"] = "10.16.0.0/18";
         j["dcRoutes"].push_back({{"destination", "10.16.0.0/18"}});
       },
       Code::kVSwitchWrongVpc,
       {"vsw-pod-a", "VPC"}},
      {"NoConfinement",
       [](Json& j) { j["kubernetesVersion"] = "v1.29.4"; },
       Code::kNoConfinement,
       {"v1.29.4"}},
  };
  return kAll;
}

class PlantedConflict : public ::testing::TestWithParam<Planted> {};

TEST_P(PlantedConflict, IsFoundWithObjectsAndRemedy) {
  Json plan = example();
  GetParam().plant(plan);

  const std::vector<Check> against = found(plan, Finding::kAgainst);

  std::string all;
  for (const Check& check : against) {
    all += to_string(check.why) + "\n";
  }
  EXPECT_TRUE(std::ranges::any_of(against, [](const Check& check) {
    return check.why.code == GetParam().code &&
           std::ranges::all_of(GetParam().words, [&](const std::string& word) {
             return check.why.msg.find(word) != std::string::npos;
           });
  })) << all;
}

INSTANTIATE_TEST_SUITE_P(All, PlantedConflict, ::testing::ValuesIn(planted()),
                         [](const auto& row) {
                           return std::string(row.param.name);
                         });

TEST(AddConfig, BringsTheConfigurationsNetworksIntoThePlan) {
  const Result<AgentConfig> config = parse_agent_config(R"({
    "cidrs": {"services": ["10.96.0.0/16"], "vpc": ["10.0.0.0/12"]},
    "pools": [{"name": "dc", "cidr": "10.244.0.0/16"}],
    "blocks": {"assignments": {"m1": ["10.244.0.0/26"]}}})");
  ASSERT_TRUE(config) << to_string(config.error());
  Plan plan;

  add_config(plan, *config);

  EXPECT_EQ(networks_of(plan).size(), 4U);
}

}  // namespace
}  // namespace linsey::conf
