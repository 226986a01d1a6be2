// The whole program: started, asked, killed and started again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/agent_process.h"
#include "tests/support/eventually.h"
#include "tests/support/golden.h"
#include "tests/support/netns.h"

namespace linsey::agent {
namespace {

using ::testing::HasSubstr;
using tests::AgentProcess;
using tests::must;

struct Linseyd : tests::NetnsTest {
  static ipam::Attachment attachment(const std::string& container) {
    ipam::Attachment attachment;
    attachment.key = {"net", container, "eth0"};
    attachment.pod = {"default", "pod-" + container, "uid"};
    attachment.netns = "/proc/self/ns/net";
    return attachment;
  }
};

TEST_F(Linseyd, GivesAnAddressOfTheNodesBlock) {
  AgentProcess agent(*host, {});
  agent.start();

  const rpc::Lease lease = must(agent.client().allocate(attachment("c1")));

  EXPECT_TRUE(lease.is_new);
  ASSERT_EQ(lease.allocation.addresses.size(), 1U);
  EXPECT_TRUE(must(Cidr::parse("10.64.0.0/26"))
                  .contains(lease.allocation.addresses[0]));
  EXPECT_EQ(lease.allocation.node_addresses[0].to_string(), "10.0.1.11");
  EXPECT_EQ(lease.allocation.mtu, 1500U);
}

TEST_F(Linseyd, GivesBothFamiliesFromBlocksOfBoth) {
  AgentProcess agent(*host, {.blocks = {"10.64.0.0/26", "fd00:64::/122"}});
  agent.start();

  const rpc::Lease lease = must(agent.client().allocate(attachment("c1")));

  ASSERT_EQ(lease.allocation.addresses.size(), 2U);
  EXPECT_EQ(lease.allocation.node_addresses[1].to_string(), "fd00:1::11");
}

TEST_F(Linseyd, RemembersAcrossAKillAndATerm) {
  AgentProcess agent(*host, {});
  agent.start();
  const rpc::Lease lease = must(agent.client().allocate(attachment("c1")));

  agent.kill_now();
  agent.start();
  EXPECT_EQ(must(agent.client().check(attachment("c1").key)).allocation,
            lease.allocation);
  EXPECT_EQ(agent.stop(), 0);
  agent.start();

  const rpc::Lease again = must(agent.client().allocate(attachment("c1")));
  EXPECT_FALSE(again.is_new);
  EXPECT_EQ(again.allocation, lease.allocation);
}

TEST_F(Linseyd, ReleasesWithoutALink) {
  AgentProcess agent(*host, {});
  agent.start();
  (void)must(agent.client().allocate(attachment("c1")));

  must(agent.client().release({.key = attachment("c1").key}));

  const rpc::Status status = must(agent.client().status());
  EXPECT_EQ(status.held, 0U);
  EXPECT_EQ(status.cooling, 1U);
}

TEST_F(Linseyd, IsInQuarantineUntilALabelIsMended) {
  AgentProcess agent(*host, {.labels = {}});
  agent.start_unready();
  EXPECT_THAT(agent.wait_for("/v1/status", "ModeUnknown"),
              HasSubstr("ModeUnknown"));
  EXPECT_EQ(agent.client().allocate(attachment("c1")).error().code,
            Code::kModeUnknown);

  tests::AgentOptions mended = agent.options();
  mended.labels = {{"place", "dc"}};
  agent.write_documents(mended);

  EXPECT_THAT(agent.wait_for("/v1/status", "\"ready\":true"),
              HasSubstr("\"ready\":true"));
  (void)must(agent.client().allocate(attachment("c1")));
}

TEST_F(Linseyd, KeepsTheLastValidConfigurationAlsoWhenRestarted) {
  AgentProcess agent(*host, {});
  agent.start();

  must(write_file_atomic(agent.config_file(), "{\"version\":1,\"nodes\":{}}"));
  EXPECT_THAT(agent.wait_for("/v1/node", "\"configRefused\":{"),
              HasSubstr("nodes"));
  (void)must(agent.client().allocate(attachment("c1")));

  agent.kill_now();
  // Refused documents still name the state directory, where the valid one is.
  must(write_file_atomic(agent.config_file(),
                         "{\"version\":1,\"nodes\":{},\"stateDir\":\"" +
                             agent.state_dir() + "\"}"));
  agent.start();
  EXPECT_FALSE(must(agent.client().allocate(attachment("c1"))).is_new);
}

TEST_F(Linseyd, RefusesTwoRulesForItsNodeAndKeepsTheEarlierConfiguration) {
  const std::string both =
      R"({"modes": [{"name": "metal", "selector": "place=dc", "mode": "bgp"},
                    {"name": "all", "selector": "", "mode": "eni"}]})";
  AgentProcess agent(*host, {});
  agent.start();

  tests::AgentOptions ambiguous = agent.options();
  ambiguous.config_patch = both;
  agent.write_documents(ambiguous);
  const std::string told = agent.wait_for("/v1/node", "\"configRefused\":{");
  EXPECT_THAT(told, HasSubstr("/modes/1: rules metal and all both select"));
  (void)must(agent.client().allocate(attachment("c1")));

  agent.kill_now();
  agent.start();
  EXPECT_FALSE(must(agent.client().allocate(attachment("c1"))).is_new);
}

TEST_F(Linseyd, StandsInQuarantineWhenItsFirstConfigurationHasTwoRules) {
  AgentProcess agent(
      *host,
      {.config_patch =
           R"({"modes": [{"name": "a", "selector": "place=dc", "mode": "bgp"},
                         {"name": "b", "selector": "", "mode": "eni"}]})"});
  agent.start_unready();

  EXPECT_THAT(agent.wait_for("/v1/status", "ModeUnknown"),
              HasSubstr("rules a and b"));
}

TEST_F(Linseyd, RefusesASecondOneOnTheSameState) {
  AgentProcess agent(*host, {});
  agent.start();

  Command second;
  second.argv = {tests::build_dir() + "/agent/linseyd", "--config",
                 agent.config_file()};
  second.netns_fd = host->fd();
  const Finished finished = must(run(second));

  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("another linseyd"));
}

TEST_F(Linseyd, WaitsForALockThatIsAboutToBeFree) {
  AgentProcess agent(*host, {});
  const std::string lock = agent.state_dir() + "/agent.lock";
  Child holder =
      must(Child::start({.argv = {"sh", "-c",
                                  "exec 9> " + lock + "; flock 9; touch " +
                                      lock + ".held; exec sleep 0.5"}}));
  ASSERT_TRUE(tests::eventually([&] { return path_exists(lock + ".held"); }));

  agent.start();

  EXPECT_TRUE(agent.alive());
}

TEST_F(Linseyd, ChecksAConfigurationAndExits) {
  AgentProcess agent(*host, {});
  Command check;
  check.argv = {tests::build_dir() + "/agent/linseyd", "--config",
                agent.config_file(), "--check"};
  EXPECT_EQ(must(run(check)).exit_code, 0);

  must(write_file_atomic(agent.config_file(), "{\"mtu\":\"big\"}"));
  const Finished finished = must(run(check));

  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("/mtu"));
}

}  // namespace
}  // namespace linsey::agent
