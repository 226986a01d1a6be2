// Agent and plugin are killed at every named step of an ADD and of a DEL, by
// the real programs, and come back. Whatever the step: the pod that was told
// an address has it, no address is held twice, and after the last DEL none is
// held at all.
#include <future>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/process.h"
#include "datapath/wire.h"
#include "ipam/store.h"
#include "tests/e2e/crash/test_pod.h"
#include "tests/support/agent_process.h"
#include "tests/support/netns.h"

namespace linsey {
namespace {

using tests::AgentProcess;
using tests::must;
using tests::TestPod;

struct Crash : tests::NetnsTest, ::testing::WithParamInterface<const char*> {
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    agent = std::make_unique<AgentProcess>(
        *host,
        tests::AgentOptions{.blocks = {"10.64.0.0/28", "fd00:64::/124"}});
  }

  static std::map<std::string, std::string> crash_at(const char* point) {
    return {{"LINSEY_CRASH_AT", point}};
  }
  /// Runs `call` while the agent dies at its crash point and is started again.
  Finished across_a_crash(const std::function<Finished()>& call) const {
    std::future<Finished> done = std::async(std::launch::async, call);
    EXPECT_TRUE(agent->wait_end()) << agent->log();
    agent->start();
    return done.get();
  }

  void expect_held(const TestPod& web) const {
    const ipam::Held held = must(agent->client().check(web.key()));
    const auto& addresses = held.allocation.addresses;
    EXPECT_EQ(std::set<IpAddr>(addresses.begin(), addresses.end()),
              web.addresses());
    EXPECT_EQ(addresses.size(), 2U);
  }
  /// Another pod gets addresses that nobody has.
  void expect_no_address_twice(const TestPod& web) const {
    const TestPod other(*host, *agent, "other");
    const Finished added = other.add();
    ASSERT_EQ(added.exit_code, 0) << added.out;
    std::set<IpAddr> shared;
    const std::set<IpAddr> mine = web.addresses();
    for (const IpAddr& address : other.addresses()) {
      if (mine.contains(address)) shared.insert(address);
    }
    EXPECT_TRUE(shared.empty());
    EXPECT_EQ(other.del().exit_code, 0);
  }
  void expect_nothing_left() {
    EXPECT_THAT(agent->wait_for("/v1/status", "\"held\":0"),
                ::testing::HasSubstr("\"held\":0"))
        << agent->log();
    in_host([] {
      const datapath::Traces traces = must(datapath::find_ours());
      EXPECT_TRUE(traces.links.empty());
      EXPECT_TRUE(traces.rules.empty());
    });
    agent->kill_now();
    const ipam::Snapshot saved =
        must(ipam::Store::read(agent->state_dir() + "/ledger.db"));
    EXPECT_TRUE(saved.attachments.empty());
  }

  std::unique_ptr<AgentProcess> agent;
};

using AgentCrashInAdd = Crash;

TEST_P(AgentCrashInAdd, IsInvisibleToThePod) {
  agent->start(crash_at(GetParam()));
  const TestPod web(*host, *agent, "pod");

  const Finished added = across_a_crash([&] { return web.add(); });

  ASSERT_EQ(added.exit_code, 0) << added.out << added.err;
  expect_held(web);
  expect_no_address_twice(web);
  EXPECT_EQ(web.del().exit_code, 0);
  expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(Points, AgentCrashInAdd,
                         ::testing::Values("allocate.assigned", "store.begin:2",
                                           "store.written:2", "store.saved:2",
                                           "allocate.saved", "commit.replied"));

using AgentCrashInDel = Crash;

TEST_P(AgentCrashInDel, GivesTheAddressBackAllTheSame) {
  agent->start();
  const TestPod web(*host, *agent, "pod");
  const Finished added = web.add();
  ASSERT_EQ(added.exit_code, 0) << added.out;
  agent->kill_now();
  agent->start(crash_at(GetParam()));

  const Finished deleted = across_a_crash([&] { return web.del(); });

  EXPECT_EQ(deleted.exit_code, 0) << deleted.out << deleted.err;
  EXPECT_TRUE(web.addresses().empty());
  expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(Points, AgentCrashInDel,
                         ::testing::Values("release.begun", "release.down",
                                           "release.gone", "release.freed",
                                           "release.saved"));

using PluginCrashInAdd = Crash;

TEST_P(PluginCrashInAdd, IsUndoneByTheDeleteThatFollows) {
  agent->start();
  const TestPod web(*host, *agent, "pod");

  const Finished killed = web.add(GetParam());
  ASSERT_EQ(killed.exit_code, 128 + SIGKILL) << killed.out;

  expect_no_address_twice(web);
  const Finished deleted = web.del();
  EXPECT_EQ(deleted.exit_code, 0) << deleted.out << deleted.err;
  expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(Points, PluginCrashInAdd,
                         ::testing::Values("plugin.early", "plugin.allocated",
                                           "wire.created", "wire.host",
                                           "wire.pod", "plugin.wired"));

using PluginCrashInDel = Crash;

TEST_P(PluginCrashInDel, IsCompletedByTheNextDelete) {
  agent->start();
  const TestPod web(*host, *agent, "pod");
  ASSERT_EQ(web.add().exit_code, 0);

  EXPECT_EQ(web.del(GetParam()).exit_code, 128 + SIGKILL);

  EXPECT_EQ(web.del().exit_code, 0);
  expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(Points, PluginCrashInDel,
                         ::testing::Values("plugin.down"));

using AgentDown = Crash;

TEST_F(AgentDown, ADeleteLeavesANoteThatTheAgentCarriesOut) {
  agent->start();
  const TestPod web(*host, *agent, "pod");
  ASSERT_EQ(web.add().exit_code, 0);
  agent->kill_now();

  EXPECT_EQ(web.del().exit_code, 0);
  EXPECT_TRUE(web.addresses().empty());
  EXPECT_TRUE(agent->start_to_crash(crash_at("note.freed")));
  agent->start();

  expect_nothing_left();
}

TEST_F(AgentDown, ALostLedgerGivesNoRunningPodsAddressAway) {
  agent->start();
  const TestPod web(*host, *agent, "pod");
  ASSERT_EQ(web.add().exit_code, 0);
  agent->kill_now();
  for (const char* suffix : {"", "-wal", "-shm"}) {
    must(remove_file(agent->state_dir() + "/ledger.db" + suffix));
  }

  agent->start();

  std::set<IpAddr> given = web.addresses();
  EXPECT_EQ(given.size(), 2U);
  std::vector<std::unique_ptr<TestPod>> others;
  for (int i = 0; i < 15; ++i) {
    others.push_back(
        std::make_unique<TestPod>(*host, *agent, "p" + std::to_string(i)));
    ASSERT_EQ(others.back()->add().exit_code, 0) << agent->log();
    for (const IpAddr& address : others.back()->addresses()) {
      EXPECT_TRUE(given.insert(address).second) << address.to_string();
    }
  }
  for (const auto& other : others) {
    EXPECT_EQ(other->del().exit_code, 0);
  }
  EXPECT_EQ(web.del().exit_code, 0);
  expect_nothing_left();
}

}  // namespace
}  // namespace linsey
