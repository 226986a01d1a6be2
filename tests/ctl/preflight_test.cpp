#include "ctl/preflight.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "ctl/cli.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace linsey::ctl {
namespace {

using ::testing::HasSubstr;

std::string example() {
  return tests::source_dir() + "/install/plan.example.json";
}

struct PreflightCommand : ::testing::Test {
  std::string write(const std::string& name, const std::string& text,
                    mode_t mode = 0644) const {
    EXPECT_TRUE(write_file_atomic(dir / name, text, {.mode = mode}));
    return dir / name;
  }
  tests::TempDir dir;
};

TEST_F(PreflightCommand, Exits0OnTheExample) {
  const Outcome out = run({"preflight", "--plan", example()});

  EXPECT_EQ(out.exit_code, 0) << out.out << out.err;
  EXPECT_THAT(out.out, HasSubstr(" 0 in conflict, 0 unknown"));
}

TEST_F(PreflightCommand, Exits1OnAConflictAndNamesIt) {
  Json plan = *parse_json(*read_file(example()));
  plan["services"].push_back({{"name", "x"}, {"cidr", "10.2.0.0/16"}});

  const Outcome out =
      run({"preflight", "--plan", write("plan.json", dump_json(plan))});

  EXPECT_EQ(out.exit_code, 1);
  EXPECT_THAT(out.out, HasSubstr("CidrOverlap"));
  EXPECT_THAT(out.out, HasSubstr("vpc-prod"));
}

TEST_F(PreflightCommand, Exits2WithoutAReadablePlan) {
  EXPECT_EQ(run({"preflight", "--plan", dir / "none"}).exit_code, 2);
  EXPECT_EQ(run({"preflight", "--plan", write("x", "{]")}).exit_code, 2);
  EXPECT_EQ(run({"preflight", "--plan", write("y", "{\"a\":1}")}).exit_code, 2);
}

TEST_F(PreflightCommand, GivesEveryPairItsVerdictInJson) {
  const Outcome out = run({"preflight", "--plan", example(), "-o", "json"});

  const Result<Json> json = parse_json(out.out);
  ASSERT_TRUE(json) << out.out;
  EXPECT_TRUE((*json)["ok"].get<bool>());
  // 2 pools, 1 service, 1 DC, 1 rack, 1 VPC, 4 vSwitches, 2 blocks, 4 nodes,
  // 3 routes: 19 networks.
  EXPECT_EQ((*json)["pairs"].size(), 19U * 18U / 2U);
}

TEST_F(PreflightCommand, ListsThePairsWithAll) {
  const Outcome out = run({"preflight", "--plan", example(), "--all"});

  EXPECT_THAT(out.out, HasSubstr("nested"));
  EXPECT_THAT(out.out, HasSubstr("podVSwitch vsw-pod-a 10.1.0.0/18"));
}

TEST_F(PreflightCommand, JoinsTheAgentsConfigurationToThePlan) {
  const std::string config = write(
      "agent.json", R"({"pools":[{"name":"mine","cidr":"10.1.0.0/20"}]})");

  const Outcome out =
      run({"preflight", "--plan", example(), "--config", config});

  EXPECT_EQ(out.exit_code, 1);
  EXPECT_THAT(out.out, HasSubstr("mine"));
}

TEST_F(PreflightCommand, SaysThatANodeLacksLoopback) {
  const Outcome out = run({"preflight", "--root", dir.path()});

  EXPECT_EQ(out.exit_code, 1);
  EXPECT_THAT(out.out, HasSubstr("loopback is missing; run linsey-install"));
}

TEST_F(PreflightCommand, SaysThatAForeignConfigurationGoesFirst) {
  EXPECT_TRUE(make_directories(dir / "etc/cni/net.d"));
  write("etc/cni/net.d/05-x.conflist", R"({"name":"x","plugins":[]})");

  EXPECT_THAT(run({"preflight", "--root", dir.path()}).out,
              HasSubstr("ForeignConflist"));
}

TEST_F(PreflightCommand, TriesTheReflectors) {
  // Not by a file: a peer on the loopback is refused there.
  conf::AgentConfig config;
  config.bgp.peers.push_back(
      {.name = "rr1", .address = *IpAddr::parse("127.0.0.1"), .port = 1});

  const auto checks = examine_node(dir.path(), config);

  EXPECT_TRUE(std::ranges::any_of(checks, [](const conf::Check& check) {
    return check.why.code == Code::kPeerDown &&
           check.why.msg.starts_with("BGP peer rr1 at 127.0.0.1 port 1");
  }));
}

}  // namespace
}  // namespace linsey::ctl
