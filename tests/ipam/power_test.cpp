// The store after a crash at every step that SQLite takes on the disk, and
// after a power loss with the part that was not synced cut at any byte. Always
// it opens, sound, as it was after one of the saves; a killed agent has lost
// nothing that was acknowledged. LINSEY_SHOW_FULL=1 cuts at every byte.
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "base/file.h"
#include "ipam/store.h"
#include "tests/ipam/make.h"
#include "tests/ipam/recording_vfs.h"
#include "tests/support/temp_dir.h"

namespace linsey::ipam {
namespace {

using tests::DiskStep;
using tests::Files;
using tests::key;
using tests::kStart;
using tests::request;
using tests::supply;
using std::chrono_literals::operator""s;  // NOLINT(misc-unused-using-decls)

constexpr unsigned kAddresses = 24;
constexpr LedgerOptions kOptions{.cool_down = 30s, .cool_down_min = 0s};
using Holders = std::map<AttachmentKey, Held>;

bool full() {
  const char* wanted = std::getenv("LINSEY_SHOW_FULL");
  return wanted != nullptr && *wanted != '\0';
}

/// What one agent did from its first start on, step by step.
struct Life {
  struct Save {
    std::size_t steps;  // taken when it was acknowledged
    Holders held;
    std::string last;  // the .last file
  };
  std::vector<DiskStep> steps;
  std::vector<Save> saves;

  /// The newest save acknowledged within the first `count` steps.
  std::size_t acknowledged(std::size_t count) const {
    std::size_t newest = 0;
    while (newest + 1 < saves.size() && saves[newest + 1].steps <= count) {
      ++newest;
    }
    return newest;
  }
};

Life live(int saves) {
  const tests::TempDir dir;
  const tests::RecordingVfs vfs;
  std::mt19937 random(11);
  Life life;
  life.saves.push_back({0, {}, ""});
  auto opened =
      Store::open({dir / "ledger.db", "boot-1", kOptions}, kStart).value();
  Ledger& ledger = opened.loaded.ledger;
  ledger.add(supply("10.0.0.0", kAddresses));
  Instant now = kStart;
  for (int i = 0; i < saves; ++i) {
    now += 1s;
    for (std::size_t n = 1 + random() % 3; n > 0; --n) {
      const std::string id = std::to_string(random() % kAddresses);
      if (ledger.find(key(id)) != nullptr) {
        (void)ledger.release(key(id), now);
        continue;
      }
      auto wish = request(id);
      wish.asked_at = now;  // may find all cooling, or come after its DEL
      (void)ledger.assign(wish, now);
    }
    if (!opened.store.save(ledger, now)) panic("not saved");
    life.saves.push_back({vfs.steps().size(), ledger.held(),
                          read_file(dir / "ledger.db.last").value()});
  }
  life.steps = vfs.steps();
  return life;
}

/// Fills the node: nobody's address goes to somebody else.
void expect_none_twice(Ledger& ledger) {
  ledger.add(supply("10.0.0.0", kAddresses));
  const std::size_t before = ledger.held().size();
  Instant now = kStart + std::chrono::hours(24);
  for (std::size_t i = before; i < kAddresses; ++i) {
    auto wish = request("new-" + std::to_string(i));
    ASSERT_TRUE(ledger.assign(wish, now).has_value());
  }
  ASSERT_FALSE(ledger.assign(request("one-more"), now).has_value());
  std::set<IpAddr> given;
  for (const auto& [holder, held] : ledger.held()) {
    given.insert(held.allocation.addresses.front());
  }
  ASSERT_EQ(given.size(), kAddresses);
  ASSERT_TRUE(ledger.check_invariants().has_value());
}

class Walk {
 public:
  explicit Walk(const Life& life) : life_(life) {}

  void kill(std::size_t count, std::size_t bytes) {
    const std::size_t newest = life_.acknowledged(count);
    // The .last file is written after the save that it tells of.
    put(tests::after_kill(life_.steps, count, bytes), life_.saves[newest].last);
    auto opened = open("boot-1");
    if (newest == 0 && unsaved(opened)) return;
    ASSERT_TRUE(opened.loaded.warnings.empty())
        << opened.loaded.warnings[0].msg;
    const Holders& held = opened.loaded.ledger.held();
    const std::size_t next = std::min(newest + 1, life_.saves.size() - 1);
    ASSERT_TRUE(held == life_.saves[newest].held ||
                held == life_.saves[next].held);
    if (++states_ % 16 == 0) expect_none_twice(opened.loaded.ledger);
  }

  void lose_power(std::size_t count, std::size_t bytes, bool forget) {
    const std::size_t newest = life_.acknowledged(count);
    put(tests::after_power_loss(life_.steps, count, bytes, forget),
        life_.saves[newest].last);
    auto opened = open("boot-2");
    if (unsaved(opened)) return;
    ASSERT_TRUE(opened.loaded.warnings.empty())
        << opened.loaded.warnings[0].msg;
    const Holders& held = opened.loaded.ledger.held();
    const std::size_t next = std::min(newest + 1, life_.saves.size() - 1);
    bool known = false;
    for (std::size_t i = 0; i <= next && !known; ++i) {
      known = held == life_.saves[i].held;
    }
    ASSERT_TRUE(known);
    ASSERT_EQ(opened.loaded.ledger.stale().size(), held.size());
    if (++states_ % 16 == 0) expect_none_twice(opened.loaded.ledger);
  }

  std::size_t states() const { return states_; }

 private:
  /// Before anything was saved a half-made file may be told, holding nothing.
  bool unsaved(const Store::Opened& opened) {
    if (!opened.loaded.fresh && opened.loaded.warnings.empty()) return false;
    EXPECT_TRUE(opened.loaded.ledger.held().empty());
    for (const Error& warning : opened.loaded.warnings) {
      EXPECT_EQ(warning.code, Code::kStateCorrupt);
    }
    ++states_;
    return true;
  }
  void put(const Files& files, const std::string& last) {
    dir_.emplace();
    for (const auto& [name, content] : files) {
      ASSERT_TRUE(write_file_atomic(*dir_ / name, content, {.sync = false})
                      .has_value());
    }
    if (last.empty()) return;
    ASSERT_TRUE(
        write_file_atomic(*dir_ / "ledger.db.last", last, {.sync = false})
            .has_value());
  }
  Store::Opened open(const std::string& boot) {
    return Store::open({*dir_ / "ledger.db", boot, kOptions}, kStart + 9999s)
        .value();
  }

  const Life& life_;
  std::optional<tests::TempDir> dir_;
  std::size_t states_ = 0;
};

/// In memory: thousands of databases are opened, and none need outlive a
/// power loss of the machine that tests.
class PowerLoss : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { (void)setenv("TMPDIR", "/dev/shm", 1); }
};

bool failed() {
  return ::testing::Test::HasFailure();
}

TEST_F(PowerLoss, AKilledAgentLosesNothingAtAnyStepOfTheDisk) {
  const Life life = live(full() ? 400 : 40);
  Walk walk(life);

  for (std::size_t count = 0; count <= life.steps.size() && !failed();
       ++count) {
    SCOPED_TRACE(count);
    walk.kill(count, 0);
    if (count == life.steps.size()) break;
    const std::size_t size = life.steps[count].bytes.size();
    if (size > 1) walk.kill(count, size / 2);
  }

  std::printf("%zu steps of the disk in %zu saves, %zu states opened\n",
              life.steps.size(), life.saves.size() - 1, walk.states());
}

TEST_F(PowerLoss, WhatWasNotSyncedMayBeCutAtAnyByte) {
  const Life life = live(40);
  Walk walk(life);
  const std::size_t end = life.steps.size();
  const std::size_t tail = tests::unsynced_bytes(life.steps, end);
  ASSERT_GT(tail, 100000);
  // Odd, so that no place in a page or a frame is spared.
  const std::size_t stride = full() ? 1 : 503;

  for (std::size_t bytes = 0; bytes <= tail && !failed(); bytes += stride) {
    SCOPED_TRACE(bytes);
    walk.lose_power(end, bytes, false);
  }

  std::printf("%zu bytes not synced, cut at every %zu, %zu states opened\n",
              tail, stride, walk.states());
}

TEST_F(PowerLoss, EveryStepIsSafeAlsoAroundACheckpoint) {
  const Life life = live(full() ? 800 : 360);
  Walk walk(life);
  std::mt19937 random(12);
  std::size_t syncs = 0;
  // Creation and checkpoint are where files are synced: every step there, a
  // few elsewhere.
  std::set<std::size_t> counts;
  for (std::size_t i = 0; i < life.steps.size(); ++i) {
    if (life.steps[i].what != DiskStep::What::kSync) continue;
    if (i >= life.saves[1].steps) ++syncs;
    for (std::size_t near = i > 4 ? i - 4 : 0;
         near <= std::min(i + 6, life.steps.size()); ++near) {
      counts.insert(near);
    }
  }
  for (int i = 0; i < (full() ? 2000 : 40); ++i) {
    counts.insert(random() % life.steps.size());
  }

  for (const std::size_t count : counts) {
    SCOPED_TRACE(count);
    const std::size_t tail = tests::unsynced_bytes(life.steps, count);
    walk.lose_power(count, 0, false);
    walk.lose_power(count, 0, true);
    walk.lose_power(count, tail, false);
    for (int i = 0; i < (full() ? 20 : 2) && tail > 0; ++i) {
      walk.lose_power(count, random() % tail, false);
      walk.lose_power(count, random() % tail, true);
    }
    if (failed()) break;
  }

  ASSERT_GE(syncs, 2);  // a checkpoint: of the log and of the database
  std::printf("%zu saves, %zu syncs after the first, %zu states opened\n",
              life.saves.size() - 1, syncs, walk.states());
}

}  // namespace
}  // namespace linsey::ipam
