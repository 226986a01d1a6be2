#include "ctl/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "tests/ctl/fake_agent.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace linsey::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const char* const kReady =
    R"({"ready": true, "node": "m1", "mode": "bgp", "modeWhy": "", "zone": "",
        "free": 5, "held": 1, "cooling": 0})";
const char* const kNotReady =
    R"({"ready": false, "node": "m1", "mode": "", "modeWhy": "", "zone": "",
        "free": 0, "held": 0, "cooling": 0,
        "why": {"code": "ModeUnknown", "msg": "no rule selects m1",
                "details": ""}})";

class Linseyctl : public ::testing::Test {
 protected:
  Outcome with_agent(std::map<std::string, rpc::Response> answers,
                     std::vector<std::string> args) {
    const tests::FakeAgent agent(dir_ / "s", std::move(answers));
    args.insert(args.end(), {"--socket", dir_ / "s"});
    return run(args);
  }

  tests::TempDir dir_;
};

TEST_F(Linseyctl, StatusOfAReadyNodeExitsWith0) {
  const Outcome outcome =
      with_agent({{"/v1/status", rpc::ok(kReady)}}, {"status"});

  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("ready:       yes"));
}

TEST_F(Linseyctl, StatusOfANodeThatIsNotReadyExitsWith1) {
  const Outcome outcome =
      with_agent({{"/v1/status", rpc::ok(kNotReady)}}, {"status"});

  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("ModeUnknown: no rule selects m1"));
}

TEST_F(Linseyctl, StatusAsJsonIsWhatTheAgentSaid) {
  const Outcome outcome = with_agent({{"/v1/status", rpc::ok(kNotReady)}},
                                     {"status", "-o", "json"});

  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(*parse_json(outcome.out), *parse_json(kNotReady));
}

TEST_F(Linseyctl, NoAgentExitsWith2AndSaysWhatToDo) {
  const Outcome outcome =
      run({"status", "--socket", dir_ / "s", "--timeout", "0.05"});

  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("AgentDown"));
  EXPECT_THAT(outcome.err, HasSubstr(dir_ / "s"));
}

TEST_F(Linseyctl, NoAgentAsJsonIsADocumentToo) {
  const Outcome outcome = run(
      {"-o", "json", "--socket", dir_ / "s", "--timeout", "0.05", "status"});

  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ((*parse_json(outcome.out))["code"], "AgentDown");
}

TEST_F(Linseyctl, AnAnswerThatIsNoJsonExitsWith2) {
  const Outcome outcome =
      with_agent({{"/v1/ipam", rpc::ok("{")}}, {"ipam", "show"});

  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("/v1/ipam"));
}

TEST_F(Linseyctl, IpamShowPrintsTheLedger) {
  const Outcome outcome =
      with_agent({{"/v1/ipam", rpc::ok(R"({"counts": {"free": 2},
         "addresses": [{"address": "10.0.0.1", "state": "free"}]})")}},
                 {"ipam", "show", "--all"});

  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("2 free"));
  EXPECT_THAT(outcome.out, HasSubstr("10.0.0.1"));
}

TEST_F(Linseyctl, NodeStatusJoinsTheNodeAndItsSupply) {
  const std::map<std::string, rpc::Response> answers = {
      {"/v1/node", rpc::ok(R"({"node": "m1", "mode": "bgp"})")},
      {"/v1/ipam",
       rpc::ok(R"({"supply": {"blocks": [{"cidr": "10.244.0.0/26"}]}})")}};

  const Outcome text = with_agent(answers, {"node", "status"});
  tests::TempDir other;
  const tests::FakeAgent agent(other / "s", answers);
  const Outcome json =
      run({"node", "status", "-o", "json", "--socket", other / "s"});

  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("10.244.0.0/26"));
  EXPECT_EQ((*parse_json(json.out))["supply"]["blocks"][0]["cidr"],
            "10.244.0.0/26");
}

TEST_F(Linseyctl, BgpCheckNamesWhatNoRouteLeadsTo) {
  const auto checked = [](const char* propagation) {
    const tests::TempDir dir;
    const tests::FakeAgent agent(
        dir / "s", {{"/v1/bgp-check", rpc::ok(R"({"number": 2})")},
                    {"/v1/ipam", rpc::ok(fmt::format(
                                     R"({{"supply": {{"propagation": {}}}}})",
                                     propagation))}});
    return run({"bgp", "check", "--socket", dir / "s"});
  };

  const Outcome missing = checked(
      R"({"number": 2, "lookedFor": 3, "missing": ["10.244.0.64/27"]})");
  const Outcome fine =
      checked(R"({"number": 3, "lookedFor": 3, "missing": []})");
  const Outcome down = checked(
      R"({"number": 2, "lookedFor": 3, "missing": [], "failed": "BirdDown"})");

  EXPECT_EQ(missing.exit_code, 1) << missing.err;
  EXPECT_THAT(missing.out, HasSubstr("2 of 3"));
  EXPECT_THAT(missing.out, HasSubstr("10.244.0.64/27: PrefixNotPropagated"));
  EXPECT_EQ(fine.exit_code, 0) << fine.err;
  EXPECT_EQ(down.exit_code, 2);
  EXPECT_THAT(down.err, HasSubstr("BirdDown"));
}

TEST_F(Linseyctl, ConfigCheckAcceptsTheShippedFile) {
  const Outcome outcome =
      run({"config", "check", tests::source_dir() + "/conf/agent.json"});

  EXPECT_EQ(outcome.exit_code, 0) << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("valid"));
}

TEST_F(Linseyctl, ConfigCheckExitsWith1OnAFinding) {
  ASSERT_TRUE(write_file_atomic(dir_ / "c", R"({"pool": []})"));

  const Outcome outcome = run({"config", "check", dir_ / "c"});

  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("InvalidConfig: /pool: unknown key"));
}

TEST_F(Linseyctl, ConfigCheckAsJsonCarriesTheError) {
  ASSERT_TRUE(write_file_atomic(dir_ / "c", R"({"mtu": 1})"));

  const Outcome outcome = run({"config", "check", dir_ / "c", "-o", "json"});

  EXPECT_EQ(outcome.exit_code, 1);
  const Json json = *parse_json(outcome.out);
  EXPECT_EQ(json["valid"], false);
  EXPECT_EQ(json["error"]["code"], "InvalidConfig");
}

TEST_F(Linseyctl, ConfigCheckExitsWith2WhenTheFileCannotBeRead) {
  const Outcome outcome = run({"config", "check", dir_ / "absent"});

  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("absent"));
}

TEST_F(Linseyctl, VersionNeedsNoAgent) {
  EXPECT_THAT(run({"version"}).out, HasSubstr("linseyctl "));
  EXPECT_EQ((*parse_json(run({"version", "-o", "json"}).out))["protocol"], 1);
}

TEST_F(Linseyctl, VersionWarnsOfAnAgentOfAnotherVersion) {
  const Outcome outcome =
      with_agent({{"/v1/node", rpc::ok(R"({"version": "9.9.9"})")}},
                 {"version", "--bin-dir", dir_ / "none"});

  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("linseyd   9.9.9"));
  EXPECT_THAT(outcome.out, HasSubstr("versions differ"));
}

TEST_F(Linseyctl, NodeModeListsTheVotes) {
  const char* const node =
      R"({"node": "m1", "mode": null, "why": null,
          "quarantine": {"code": "ModeConflict", "msg": "ModeConflict: no"},
          "evidence": [{"source": "dmi", "vote": "against", "text": "ECS"}]})";

  const Outcome outcome =
      with_agent({{"/v1/node", rpc::ok(node)}}, {"node", "mode"});

  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("m1: not decided"));
  EXPECT_THAT(outcome.out, HasSubstr("against  dmi"));
  EXPECT_THAT(outcome.out, HasSubstr("no address is given: ModeConflict"));
}

TEST_F(Linseyctl, CompletionKnowsEveryCommand) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Outcome outcome = run({"completion", shell});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    for (const char* word :
         {"preflight", "explain", "drain-routes", "--plan"}) {
      EXPECT_THAT(outcome.out, HasSubstr(word)) << shell;
    }
  }
  EXPECT_EQ(run({"completion", "tcsh"}).exit_code, 2);
}

TEST_F(Linseyctl, CompletionForBashOffersWhatFollows) {
  ASSERT_TRUE(write_file_atomic(dir_ / "c", run({"completion", "bash"}).out));
  Command command;
  command.argv = {"bash", "-c",
                  ". " + (dir_ / "c") +
                      "; COMP_WORDS=(linseyctl ipam c); COMP_CWORD=2; "
                      "_linseyctl; echo ${COMPREPLY[@]}"};

  const Result<Finished> done = linsey::run(command);

  ASSERT_TRUE(done) << done.error().msg;
  EXPECT_EQ(done->out, "check\n") << done->err;
}

TEST_F(Linseyctl, ABundleHasNoSecretAndNamesWhatIsMissing) {
  ASSERT_TRUE(write_file_atomic(dir_ / "pw", "tops3cret\n"));
  ASSERT_TRUE(write_file_atomic(
      dir_ / "agent.json",
      R"({"bgp": {"peers": [{"passwordFile": ")" + (dir_ / "pw") +
          R"("}], "bird": {"configFile": ")" + (dir_ / "bird.conf") +
          R"("}}, "cni": {"confDir": ")" + (dir_ / "net.d") + "\"}}"));
  ASSERT_TRUE(write_file_atomic(dir_ / "bird.conf", "password \"tops3cret\";"));

  const Outcome outcome = with_agent(
      {{"/v1/status", rpc::ok(R"({"note": "tops3cret"})")},
       {"/v1/node", rpc::ok(R"({"token": "other"})")}},
      {"diag", "-f", dir_ / "b.tar", "--config", dir_ / "agent.json"});

  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const std::string bundle = read_file(dir_ / "b.tar").value();
  EXPECT_THAT(bundle, Not(HasSubstr("tops3cret")));
  EXPECT_THAT(bundle, Not(HasSubstr("\"other\"")));
  EXPECT_THAT(bundle, HasSubstr("kernel/routes.txt"));
  EXPECT_THAT(bundle, HasSubstr("agent/ipam.json: "));  // in errors.txt
}

TEST_F(Linseyctl, HelpExitsWith0AndNamesTheExitCodes) {
  const Outcome outcome = run({"--help"});

  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("exit codes"));
  EXPECT_THAT(outcome.out, HasSubstr("--socket"));
}

class LinseyctlUsage
    : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(LinseyctlUsage, ThatIsWrongExitsWith2) {
  const Outcome outcome = run(GetParam());

  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.err, "");
}

INSTANTIATE_TEST_SUITE_P(
    Table, LinseyctlUsage,
    ::testing::Values(std::vector<std::string>{},
                      std::vector<std::string>{"bogus"},
                      std::vector<std::string>{"ipam"},
                      std::vector<std::string>{"status", "extra"},
                      std::vector<std::string>{"config", "check"},
                      std::vector<std::string>{"status", "-o", "yaml"},
                      std::vector<std::string>{"status", "--timeout", "x"}));

TEST_F(Linseyctl, IsAProgramWithTheSameExitCodes) {
  Command command;
  command.argv = {tests::build_dir() + "/ctl/linseyctl", "config", "check",
                  dir_ / "absent"};

  const Result<Finished> finished = linsey::run(command);

  ASSERT_TRUE(finished) << finished.error().msg;
  EXPECT_EQ(finished->exit_code, 2);
  EXPECT_THAT(finished->err, HasSubstr("absent"));
}

}  // namespace
}  // namespace linsey::ctl
