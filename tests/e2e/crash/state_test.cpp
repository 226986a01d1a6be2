// What the real agent does with a state directory that was damaged while pods
// ran: no running pod's address is given again, ADD stops with a clear reason
// where nothing can be saved, DEL never stops.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/process.h"
#include "datapath/wire.h"
#include "ipam/sqlite.h"
#include "tests/e2e/crash/test_pod.h"
#include "tests/support/agent_process.h"
#include "tests/support/netns.h"

namespace linsey {
namespace {

using ::testing::HasSubstr;
using tests::AgentProcess;
using tests::must;
using tests::TestPod;

constexpr int kRunning = 4;
constexpr int kBlock = 16;

struct StateTest : tests::NetnsTest {
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    agent = std::make_unique<AgentProcess>(
        *host,
        tests::AgentOptions{.blocks = {"10.64.0.0/28", "fd00:64::/124"},
                            .config_patch = R"({"ipam": {"wait": "2s"}})"});
  }
  void TearDown() override {
    pods.clear();
    agent.reset();
    if (!mounted.empty()) (void)umount2(mounted.c_str(), MNT_DETACH);
    NetnsTest::TearDown();
  }

  std::string db() const { return agent->state_dir() + "/ledger.db"; }
  void write(const std::string& content) const {
    must(write_file_atomic(db(), content, {.mode = 0600, .sync = false}));
  }
  void remove_all() const {
    for (const char* suffix : {"", "-wal", "-shm", ".last"}) {
      must(remove_file(db() + suffix));
    }
  }
  void set_version(int version) const {
    const auto file =
        must(ipam::Connection::open(db(), ipam::Connection::Access::kWrite));
    must(file.exec(fmt::format("PRAGMA user_version={}", version)));
  }

  Finished add(const std::string& id) {
    pods.push_back(std::make_unique<TestPod>(*host, *agent, id));
    return pods.back()->add();
  }
  void start_pods() {
    for (int i = 0; i < kRunning; ++i) {
      const Finished added = add("p" + std::to_string(i));
      ASSERT_EQ(added.exit_code, 0) << added.out << agent->log();
    }
  }
  /// Fills the block: every address is somebody's, none is two pods'.
  void expect_no_address_twice() {
    for (int i = kRunning; i < kBlock; ++i) {
      const Finished added = add("p" + std::to_string(i));
      ASSERT_EQ(added.exit_code, 0) << added.out << agent->log();
    }
    EXPECT_NE(add("one-too-many").exit_code, 0);
    std::set<IpAddr> given;
    std::size_t count = 0;
    for (const auto& one : pods) {
      const std::set<IpAddr> mine = one->addresses();
      given.insert(mine.begin(), mine.end());
      count += mine.size();
    }
    EXPECT_EQ(count, std::size_t{2} * kBlock);
    EXPECT_EQ(given.size(), count);
  }
  void expect_all_deleted() {
    for (const auto& one : pods) {
      const Finished deleted = one->del();
      EXPECT_EQ(deleted.exit_code, 0) << deleted.out;
      EXPECT_TRUE(one->addresses().empty());
    }
    in_host([] { EXPECT_TRUE(must(datapath::find_ours()).links.empty()); });
  }
  void expect_refused(const std::string& id, const std::string& code) {
    const Finished refused = add(id);
    EXPECT_NE(refused.exit_code, 0);
    EXPECT_THAT(refused.out, HasSubstr(code));
    EXPECT_THAT(agent->wait_for("/v1/status", code), HasSubstr(code));
  }
  void expect_served_again() {
    (void)agent->wait_for("/v1/status", "\"ready\":true");
    const Finished added = add("afterwards");
    EXPECT_EQ(added.exit_code, 0) << added.out << agent->log();
    expect_all_deleted();
  }
  /// The state directory on a small disk of its own.
  void mount_state() {
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    mounted = agent->state_dir();
    ASSERT_EQ(mount("tmpfs", mounted.c_str(), "tmpfs", 0, "size=1m,mode=700"),
              0);
  }
  void remount(unsigned long flags) const {
    ASSERT_EQ(
        mount("tmpfs", mounted.c_str(), "tmpfs", MS_REMOUNT | flags, "size=1m"),
        0);
  }

  std::unique_ptr<AgentProcess> agent;
  std::vector<std::unique_ptr<TestPod>> pods;
  std::string mounted;
};

struct Damage {
  const char* name;
  void (*make)(const StateTest&);
};

class StateDamage : public StateTest,
                    public ::testing::WithParamInterface<Damage> {};

TEST_P(StateDamage, GivesNoRunningPodsAddressAway) {
  agent->start();
  start_pods();
  agent->kill_now();
  GetParam().make(*this);

  agent->start();

  expect_no_address_twice();
  expect_all_deleted();
}

void cut(const StateTest& t, const std::string& suffix, std::size_t part) {
  const std::string content = must(read_file(t.db() + suffix));
  must(write_file_atomic(t.db() + suffix,
                         content.substr(0, content.size() * part / 8),
                         {.mode = 0600, .sync = false}));
}

void lose(const StateTest& t) {
  t.remove_all();
}
void lose_all_but_the_log(const StateTest& t) {
  must(remove_file(t.db()));
}
void lose_the_log(const StateTest& t) {
  must(remove_file(t.db() + "-wal"));
}
void empty(const StateTest& t) {
  t.write("");
}
void fill_with_garbage(const StateTest& t) {
  t.write(std::string(20000, 'x'));
}
void leave_only_garbage(const StateTest& t) {
  t.remove_all();
  t.write(std::string(20000, 'x'));
}
void truncate_file(const StateTest& t) {
  cut(t, "", 3);
}
void truncate_log(const StateTest& t) {
  cut(t, "-wal", 5);
}
void make_older(const StateTest& t) {
  t.set_version(0);
}
void put_a_directory(const StateTest& t) {
  t.remove_all();
  must(make_directories(t.db() + "/inside"));
}

std::string name_of(const ::testing::TestParamInfo<Damage>& test) {
  return test.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    All, StateDamage,
    ::testing::Values(Damage{"Missing", lose},
                      Damage{"MissingButForItsLog", lose_all_but_the_log},
                      Damage{"LogMissing", lose_the_log},
                      Damage{"Empty", empty},
                      Damage{"Garbage", fill_with_garbage},
                      Damage{"OnlyGarbage", leave_only_garbage},
                      Damage{"Truncated", truncate_file},
                      Damage{"LogTruncated", truncate_log},
                      Damage{"Older", make_older},
                      Damage{"ADirectory", put_a_directory}),
    name_of);

TEST_F(StateTest, ANewerLedgerStopsAddsUntilItIsMovedAway) {
  agent->start();
  start_pods();
  agent->kill_now();
  set_version(99);

  agent->start_unready();

  expect_refused("p9", "ProtocolMismatch");
  EXPECT_EQ(pods[0]->del().exit_code, 0);
  ASSERT_EQ(rename(db().c_str(), (db() + ".newer").c_str()), 0);
  expect_served_again();
}

TEST_F(StateTest, AFileThatMayNotBeWrittenStopsAddsUntilItMay) {
  agent->start();
  start_pods();
  agent->kill_now();
  ASSERT_EQ(chmod(db().c_str(), 0400), 0);

  agent->start_unready();

  expect_refused("p9", "PermissionDenied");
  EXPECT_EQ(pods[0]->del().exit_code, 0);
  ASSERT_EQ(chmod(db().c_str(), 0600), 0);
  expect_served_again();
}

TEST_F(StateTest, AFileThatMayNotBeReadLeavesTheKernelAsWitness) {
  agent->start();
  start_pods();
  agent->kill_now();
  ASSERT_EQ(chmod(db().c_str(), 0), 0);

  agent->start_unready();
  expect_refused("refused", "PermissionDenied");
  pods.pop_back();
  ASSERT_EQ(chmod(db().c_str(), 0600), 0);
  (void)agent->wait_for("/v1/status", "\"ready\":true");

  expect_no_address_twice();
  expect_all_deleted();
}

TEST_F(StateTest, AReadOnlyDiskStopsAddsAndNoDelete) {
  mount_state();
  agent->start();
  start_pods();
  agent->kill_now();
  remount(MS_RDONLY);

  agent->start_unready();

  expect_refused("p9", "DiskFull");
  EXPECT_EQ(pods[1]->del().exit_code, 0);
  remount(0);
  expect_served_again();
}

TEST_F(StateTest, AReadOnlyDiskWithoutAnythingOnItStopsAddsAndNoDelete) {
  mount_state();
  agent->start();
  start_pods();
  agent->kill_now();
  for (const char* name : {"ledger.db", "ledger.db-wal", "ledger.db-shm",
                           "ledger.db.last", "ledger.db.lock", "agent.lock"}) {
    must(remove_file(agent->state_dir() + "/" + name));
  }
  ASSERT_EQ(rmdir((agent->state_dir() + "/notes").c_str()), 0);
  remount(MS_RDONLY);

  agent->start_unready();

  expect_refused("p9", "DiskFull");
  EXPECT_EQ(pods[0]->del().exit_code, 0);
  remount(0);
  expect_served_again();
}

TEST_F(StateTest, AFullDiskStopsAddsAndNoDelete) {
  mount_state();
  agent->start();
  start_pods();
  agent->kill_now();
  {
    const UniqueFd fd(::open((mounted + "/filler").c_str(),
                             O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const std::string piece(4096, 'x');
    while (::write(fd.get(), piece.data(), piece.size()) > 0) {
    }
  }

  agent->start_unready();

  // What is left of the log's last page may take a few.
  Finished last;
  for (int i = kRunning; i < kBlock; ++i) {
    last = add("p" + std::to_string(i));
    if (last.exit_code != 0) break;
  }
  EXPECT_THAT(last.out, HasSubstr("DiskFull"));
  EXPECT_EQ(pods[0]->del().exit_code, 0);
  must(remove_file(mounted + "/filler"));
  expect_served_again();
}

}  // namespace
}  // namespace linsey
