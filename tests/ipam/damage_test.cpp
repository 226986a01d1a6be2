// What a damaged file, a killed agent and a full disk may and may not do.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "ipam/sqlite.h"
#include "ipam/store.h"
#include "tests/ipam/make.h"
#include "tests/support/temp_dir.h"

namespace linsey::ipam {
namespace {

using std::chrono_literals::operator""s;  // NOLINT(misc-unused-using-decls)
using tests::key;
using tests::kStart;
using tests::request;
using tests::supply;

constexpr int kHolders = 20;

Store::Opened open_in(const tests::TempDir& dir) {
  return Store::open({dir / "ledger.db", "boot", {}}, kStart).value();
}

/// A database of 64 addresses and 20 holders, saved one by one.
void make_database(const tests::TempDir& dir) {
  auto opened = open_in(dir);
  Ledger& ledger = opened.loaded.ledger;
  ledger.add(supply("10.0.0.0", 64));
  for (int i = 0; i < kHolders; ++i) {
    ASSERT_TRUE(ledger.assign(request(std::to_string(i)), kStart).has_value());
    ASSERT_TRUE(opened.store.save(ledger, kStart).has_value());
  }
}

class DamageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    tests::TempDir whole;
    make_database(whole);
    bytes_ = read_file(whole / "ledger.db").value();
    auto opened = open_in(whole);
    expected_ = opened.loaded.ledger.held();
    ASSERT_EQ(expected_.size(), kHolders);
  }

  /// Opens `content` as a database. No holder may be wrong; one may only be
  /// missing when damage was told; afterwards the store works.
  void expect_safe(const std::string& content, const std::string& what) const {
    SCOPED_TRACE(what);
    const tests::TempDir dir;
    ASSERT_TRUE(write_file_atomic(dir / "ledger.db", content, {.sync = false})
                    .has_value());
    std::map<AttachmentKey, Held> held;
    {
      auto opened = open_in(dir);
      Ledger& ledger = opened.loaded.ledger;
      held = ledger.held();
      for (const auto& [key, one] : held) {
        ASSERT_EQ(one, expected_.at(key));
      }
      if (opened.loaded.warnings.empty()) {
        ASSERT_EQ(held.size(), expected_.size());
      } else if (opened.loaded.warnings[0].code == Code::kProtocolMismatch) {
        ASSERT_EQ(held.size(), expected_.size());
        return;
      } else {
        ASSERT_EQ(opened.loaded.warnings.size(), 1);
        ASSERT_EQ(opened.loaded.warnings[0].code, Code::kStateCorrupt);
        ASSERT_TRUE(path_exists(dir / "ledger.db.corrupt-1"));
      }
      ASSERT_FALSE(opened.loaded.fresh);
      ASSERT_TRUE(ledger.check_invariants().has_value());
      ASSERT_TRUE(opened.store.save(ledger, kStart).has_value());
    }
    const auto again = open_in(dir);
    ASSERT_TRUE(again.loaded.warnings.empty());
    ASSERT_EQ(again.loaded.ledger.held(), held);
  }

  std::string bytes_;
  std::map<AttachmentKey, Held> expected_;
};

TEST_F(DamageTest, TruncationAtEvery512BytesIsTold) {
  for (std::size_t size = 0; size < bytes_.size(); size += 512) {
    expect_safe(bytes_.substr(0, size), "cut to " + std::to_string(size));
  }
}

TEST_F(DamageTest, FlippedBytesAreToldOrHarmless) {
  std::mt19937 random(7);
  for (int i = 0; i < 200; ++i) {
    std::string content = bytes_;
    const std::size_t at = random() % content.size();
    content[at] = static_cast<char>(content[at] ^ (1 << random() % 8));
    expect_safe(content, "flipped at " + std::to_string(at));
  }
}

TEST_F(DamageTest, EveryFlippedByteOfADocumentIsTold) {
  const std::size_t start = bytes_.find("{\"allocation\"");
  ASSERT_NE(start, std::string::npos);
  for (std::size_t at = start; at < start + 200; at += 7) {
    std::string content = bytes_;
    content[at] = static_cast<char>(content[at] ^ 1);
    const tests::TempDir dir;
    ASSERT_TRUE(write_file_atomic(dir / "ledger.db", content, {.sync = false})
                    .has_value());
    const auto opened = open_in(dir);
    EXPECT_EQ(opened.loaded.warnings.size(), 1) << at;
    EXPECT_EQ(opened.loaded.ledger.held().size(), kHolders - 1) << at;
  }
}

TEST_F(DamageTest, GarbageAndForeignFilesAreSetAside) {
  std::mt19937 random(8);
  std::string garbage(20000, '\0');
  for (char& c : garbage) {
    c = static_cast<char>(random());
  }
  expect_safe(garbage, "garbage");
  expect_safe("{\"version\": 1}", "another format");
  expect_safe(std::string(8192, '\0'), "zeros");
}

void change_database(const tests::TempDir& dir, const std::string& sql) {
  const auto connection =
      Connection::open(dir / "ledger.db", Connection::Access::kWrite);
  ASSERT_TRUE(connection->exec(sql).has_value());
}

TEST_F(DamageTest, AnOlderSchemaIsSetAsideAndItsHoldersTakenOver) {
  for (const char* version : {"0", "-1"}) {
    const tests::TempDir dir;
    make_database(dir);
    change_database(dir, fmt::format("PRAGMA user_version={}", version));

    const auto opened = open_in(dir);

    EXPECT_EQ(opened.loaded.warnings.size(), 1);
    EXPECT_EQ(opened.loaded.ledger.held(), expected_);
  }
}

TEST_F(DamageTest, ANewerSchemaIsReadAndNotTouchedUntilItIsMovedAway) {
  const tests::TempDir dir;
  make_database(dir);
  change_database(dir, "PRAGMA user_version=2");
  const std::string before = read_file(dir / "ledger.db").value();

  auto opened = open_in(dir);
  Ledger& ledger = opened.loaded.ledger;
  ASSERT_EQ(opened.loaded.warnings.size(), 1);
  EXPECT_EQ(opened.loaded.warnings[0].code, Code::kProtocolMismatch);
  EXPECT_EQ(ledger.held(), expected_);
  EXPECT_EQ(ledger.release(key("3"), kStart).addresses.size(), 1);
  EXPECT_EQ(opened.store.save(ledger, kStart).error().code,
            Code::kProtocolMismatch);
  EXPECT_EQ(read_file(dir / "ledger.db").value(), before);

  ASSERT_EQ(std::rename((dir / "ledger.db").c_str(),
                        (dir / "ledger.db.newer").c_str()),
            0);
  ASSERT_TRUE(opened.store.save(ledger, kStart).has_value());
  EXPECT_EQ(Store::read(dir / "ledger.db")->attachments.size(), kHolders - 1);
}

TEST_F(DamageTest, ADirectoryInItsPlaceIsSetAside) {
  const tests::TempDir dir;
  for (const char* name : {"ledger.db", "ledger.db-wal", "ledger.db-shm"}) {
    ASSERT_TRUE(make_directories(dir / name).has_value());
  }

  auto opened = open_in(dir);

  ASSERT_EQ(opened.loaded.warnings.size(), 1);
  EXPECT_EQ(opened.loaded.warnings[0].code, Code::kStateCorrupt);
  opened.loaded.ledger.add(supply("10.0.0.0", 4));
  EXPECT_TRUE(opened.store.save(opened.loaded.ledger, kStart).has_value());
  EXPECT_TRUE(path_exists(dir / "ledger.db.corrupt-1-wal"));
}

/// A database with all its saves in the -wal file, as a killed agent leaves it.
std::map<std::string, std::string> killed_database() {
  const tests::TempDir dir;
  auto opened = open_in(dir);
  Ledger& ledger = opened.loaded.ledger;
  ledger.add(supply("10.0.0.0", 64));
  for (int i = 0; i < kHolders; ++i) {
    (void)ledger.assign(request(std::to_string(i)), kStart + Duration(i));
    (void)opened.store.save(ledger, kStart + Duration(i));
  }
  std::map<std::string, std::string> files;
  for (const char* suffix : {"", "-wal", ".last"}) {
    files[suffix] =
        read_file(dir / (std::string("ledger.db") + suffix)).value();
  }
  return files;
}

Store::Opened open_files(const tests::TempDir& dir,
                         const std::map<std::string, std::string>& files,
                         const std::string& boot = "boot") {
  for (const auto& [suffix, content] : files) {
    EXPECT_TRUE(write_file_atomic(dir / ("ledger.db" + suffix), content,
                                  {.sync = false})
                    .has_value());
  }
  return Store::open({dir / "ledger.db", boot, {}}, kStart + 1s).value();
}

TEST(Damage, SavesThatVanishedWithinABootAreTold) {
  const auto whole = killed_database();
  auto flipped = whole;
  flipped["-wal"][flipped["-wal"].size() / 2] ^= 1;
  auto cut = whole;
  cut["-wal"].resize(cut["-wal"].size() - 1);
  auto lost = whole;
  lost.erase("-wal");

  for (const auto& damaged : {flipped, cut}) {
    const tests::TempDir dir;
    const auto opened = open_files(dir, damaged);
    ASSERT_EQ(opened.loaded.warnings.size(), 1);
    EXPECT_EQ(opened.loaded.warnings[0].code, Code::kStateCorrupt);
    EXPECT_FALSE(opened.loaded.ledger.held().empty());
  }
  const tests::TempDir without;
  EXPECT_TRUE(open_files(without, lost).loaded.fresh);
  const tests::TempDir intact;
  EXPECT_TRUE(open_files(intact, whole).loaded.warnings.empty());
  const tests::TempDir later;
  EXPECT_TRUE(open_files(later, cut, "boot-2").loaded.warnings.empty());
}

TEST_F(DamageTest, AVanishedRowIsTold) {
  for (const char* sql :
       {"DELETE FROM attachment WHERE container_id = '3'",
        "DELETE FROM address WHERE address = '10.0.0.40'", "DELETE FROM state",
        "DROP TABLE address", "UPDATE address SET since = 5"}) {
    const tests::TempDir dir;
    make_database(dir);
    {
      const auto connection =
          Connection::open(dir / "ledger.db", Connection::Access::kWrite);
      ASSERT_TRUE(connection->exec(sql).has_value());
    }
    EXPECT_EQ(open_in(dir).loaded.warnings.size(), 1) << sql;
  }
}

TEST_F(DamageTest, ACutWalGivesAnEarlierSaveNeverAMixture) {
  const tests::TempDir live;
  auto opened = open_in(live);
  Ledger& ledger = opened.loaded.ledger;
  ledger.add(supply("10.0.0.0", 64));
  std::vector<std::map<AttachmentKey, Held>> saves{{}};
  for (int i = 0; i < kHolders; ++i) {
    ASSERT_TRUE(ledger.assign(request(std::to_string(i)), kStart).has_value());
    ASSERT_TRUE(opened.store.save(ledger, kStart).has_value());
    saves.push_back(ledger.held());
  }
  const std::string base = read_file(live / "ledger.db").value();
  const std::string wal = read_file(live / "ledger.db-wal").value();

  for (std::size_t size = 0; size <= wal.size(); size += 512) {
    const tests::TempDir dir;  // no .last file, as if it were not written yet
    ASSERT_TRUE(write_file_atomic(dir / "ledger.db", base, {.sync = false})
                    .has_value());
    ASSERT_TRUE(write_file_atomic(dir / "ledger.db-wal", wal.substr(0, size),
                                  {.sync = false})
                    .has_value());
    const auto cut = open_in(dir);
    ASSERT_TRUE(cut.loaded.warnings.empty()) << size;
    ASSERT_THAT(saves, ::testing::Contains(cut.loaded.ledger.held())) << size;
  }
}

TEST(Damage, ARunningAgentReplacesADatabaseThatBreaksUnderIt) {
  const tests::TempDir dir;
  auto opened = open_in(dir);
  Ledger& ledger = opened.loaded.ledger;
  ledger.add(supply("10.0.0.0", 8));
  ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());
  ASSERT_TRUE(opened.store.save(ledger, kStart).has_value());
  {
    const auto other =
        Connection::open(dir / "ledger.db", Connection::Access::kWrite);
    ASSERT_TRUE(other->exec("DROP TABLE attachment").has_value());
  }

  ASSERT_TRUE(ledger.assign(request("b"), kStart).has_value());
  ASSERT_TRUE(opened.store.save(ledger, kStart).has_value());

  const auto seen = Store::read(dir / "ledger.db");
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->attachments.size(), 2);
  EXPECT_TRUE(path_exists(dir / "ledger.db.corrupt-1"));
}

/// Assigns and releases for ever; reports on `pipe` what was saved.
[[noreturn]] void live_in(const tests::TempDir& dir, int pipe) {
  auto opened = open_in(dir);
  Ledger& ledger = opened.loaded.ledger;
  ledger.add(supply("10.0.0.0", 64));
  Instant now = kStart;
  for (char id = 0;; id = static_cast<char>((id + 1) % 60)) {
    now += 10s;
    const std::string name = std::to_string(static_cast<int>(id));
    if (ledger.find(key(name)) != nullptr) {
      (void)ledger.release(key(name), now);
    } else {
      auto wish = request(name);
      wish.asked_at = now;
      if (!ledger.assign(wish, now)) _exit(3);
    }
    if (!opened.store.save(ledger, now)) _exit(4);
    if (!write_all(pipe, std::string_view(&id, 1))) _exit(5);
  }
}

/// Runs live_in() in a child until `limit` acknowledgements or its own death.
std::string live_and_die(const tests::TempDir& dir, std::size_t limit,
                         const char* crash_at) {
  int ends[2];
  if (pipe(ends) != 0) panic("pipe failed");
  const pid_t child = fork();
  if (child == 0) {
    if (crash_at != nullptr) setenv("LINSEY_CRASH_AT", crash_at, 1);
    close(ends[0]);
    live_in(dir, ends[1]);
  }
  close(ends[1]);
  std::string saved;
  char id = 0;
  while (saved.size() < limit && read(ends[0], &id, 1) == 1) {
    saved += id;
  }
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  while (read(ends[0], &id, 1) == 1) {
    saved += id;
  }
  close(ends[0]);
  return saved;
}

/// What was acknowledged stands; of what was not, one step at most.
void expect_kept(const tests::TempDir& dir, const std::string& saved) {
  const auto opened = open_in(dir);
  ASSERT_TRUE(opened.loaded.warnings.empty());
  ASSERT_TRUE(opened.loaded.ledger.check_invariants().has_value());
  std::set<AttachmentKey> expected;
  for (const char id : saved) {
    const auto one = key(std::to_string(static_cast<int>(id)));
    if (expected.erase(one) == 0) expected.insert(one);
  }
  std::size_t differing = 0;
  for (int id = 0; id < 60; ++id) {
    const auto one = key(std::to_string(id));
    const bool held = opened.loaded.ledger.find(one) != nullptr;
    if (held != expected.contains(one)) ++differing;
  }
  EXPECT_LE(differing, 1);
}

TEST(Crash, KillMinusNineLosesNothingThatWasAcknowledged) {
  for (const std::size_t limit :
       {1U, 2U, 3U, 59U, 60U, 61U, 100U, 500U, 1500U}) {
    SCOPED_TRACE(limit);
    const tests::TempDir dir;
    const std::string saved = live_and_die(dir, limit, nullptr);
    ASSERT_GE(saved.size(), limit);
    expect_kept(dir, saved);
  }
}

#ifdef LINSEY_CRASH_POINTS
TEST(Crash, EveryPointOfASaveIsSafe) {
  for (const char* point :
       {"store.begin:1", "store.begin:30", "store.written:1",
        "store.written:30", "store.written:90", "store.saved:1",
        "store.saved:30", "store.saved:90"}) {
    SCOPED_TRACE(point);
    const tests::TempDir dir;
    expect_kept(dir, live_and_die(dir, 100000, point));
  }
}

TEST(Crash, DyingAfterADamagedDatabaseWasSetAsideIsAFreshStart) {
  const tests::TempDir dir;
  make_database(dir);
  ASSERT_TRUE(write_file_atomic(dir / "ledger.db", "garbage").has_value());

  EXPECT_EQ(live_and_die(dir, 100000, "store.set_aside"), "");

  const auto opened = open_in(dir);
  EXPECT_TRUE(opened.loaded.fresh);
  EXPECT_TRUE(opened.loaded.ledger.held().empty());
}

TEST(Crash, DyingWhileTheDatabaseIsMadeIsToldAtMost) {
  for (const char* point : {"store.creating", "store.created"}) {
    SCOPED_TRACE(point);
    const tests::TempDir dir;
    EXPECT_EQ(live_and_die(dir, 100000, point), "");
    {
      const auto opened = open_in(dir);
      EXPECT_TRUE(opened.loaded.ledger.held().empty());
      EXPECT_TRUE(opened.loaded.fresh || !opened.loaded.warnings.empty());
    }
    EXPECT_TRUE(open_in(dir).loaded.warnings.empty());
  }
}
#endif

}  // namespace
}  // namespace linsey::ipam
