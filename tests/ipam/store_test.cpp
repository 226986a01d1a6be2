#include "ipam/store.h"

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "ipam/codec.h"
#include "tests/ipam/make.h"
#include "tests/support/temp_dir.h"

namespace linsey::ipam {
namespace {

using std::chrono_literals::operator""s;  // NOLINT(misc-unused-using-decls)
using std::chrono_literals::operator""h;  // NOLINT(misc-unused-using-decls)
using ::testing::IsEmpty;
using tests::ip;
using tests::key;
using tests::kStart;
using tests::request;
using tests::supply;

class StoreTest : public ::testing::Test {
 protected:
  StoreOptions options(const std::string& boot = "boot-1") const {
    return {dir_ / "ledger.db", boot, {}};
  }
  Store::Opened open(const std::string& boot = "boot-1", Instant now = kStart) {
    return std::move(Store::open(options(boot), now)).value();
  }

  tests::TempDir dir_;
};

Held full(Ledger& ledger, const std::string& id) {
  auto wish = request(id, {Family::kV4, Family::kV6});
  Attachment& attachment = wish.attachment;
  attachment.netns = "/run/netns/x";
  attachment.wanted_mac = Mac::derived(id);
  attachment.wanted_mtu = 1400;
  attachment.bandwidth = {1000000, 2000000, 100000000000, 1 << 20};
  attachment.port_mappings = {{8080, 80, "tcp", ip("192.0.2.1")},
                              {53, 53, "udp", std::nullopt}};
  Allocation allocation = ledger.assign(wish, kStart)->held.allocation;
  allocation.node_addresses = {ip("192.0.2.7")};
  allocation.mtu = 1400;
  allocation.eni = EniPath{"eni-1", 1002, 512, 2048};
  EXPECT_TRUE(ledger.complete(attachment.key, allocation).has_value());
  return *ledger.find(attachment.key);
}

TEST_F(StoreTest, AMissingDatabaseIsAFreshStart) {
  const auto opened = open();

  EXPECT_TRUE(opened.loaded.fresh);
  EXPECT_THAT(opened.loaded.warnings, IsEmpty());
  EXPECT_TRUE(path_exists(dir_ / "ledger.db"));
}

TEST_F(StoreTest, ADatabaseThatWasNeverSavedIsAFreshStartToo) {
  (void)open();

  const auto opened = open();

  EXPECT_TRUE(opened.loaded.fresh);
  EXPECT_THAT(opened.loaded.warnings, IsEmpty());
}

TEST_F(StoreTest, EveryFieldOfAHolderSurvives) {
  Held held;
  {
    auto opened = open();
    opened.loaded.ledger.add(supply("10.0.0.0", 4, "s", "g"));
    opened.loaded.ledger.add(supply("fd00::", 4, "s", "g"));
    held = full(opened.loaded.ledger, "a");
    ASSERT_TRUE(opened.store.save(opened.loaded.ledger, kStart).has_value());
  }

  const auto opened = open();

  ASSERT_NE(opened.loaded.ledger.find(key("a")), nullptr);
  EXPECT_EQ(*opened.loaded.ledger.find(key("a")), held);
  EXPECT_THAT(opened.loaded.ledger.stale(), IsEmpty());
  EXPECT_TRUE(opened.loaded.ledger.changes().empty());
  EXPECT_TRUE(opened.loaded.ledger.check_invariants().has_value());
}

TEST(Codec, KeysOfANewerVersionAreIgnoredAndMissingOnesAreDamage) {
  const auto newer = decode(R"({"novelty": 1,
    "attachment": {"network": "n", "containerID": "c", "ifname": "eth0",
                   "novelty": {"x": 1}},
    "allocation": {"addresses": ["10.0.0.1"], "eni": {"id": "e", "new": 2}}})");

  ASSERT_TRUE(newer.has_value());
  EXPECT_EQ(newer->attachment.key, (AttachmentKey{"n", "c", "eth0"}));
  EXPECT_EQ(newer->allocation.eni->eni_id, "e");
  for (const char* damaged :
       {"", "[]", "{}", R"({"attachment": {}, "allocation": {}})",
        R"({"attachment": {"network": "n", "containerID": "c", "ifname": "e"},
            "allocation": {"addresses": ["10.0.0.256"]}})"}) {
    EXPECT_EQ(decode(damaged).error().code, Code::kStateCorrupt) << damaged;
  }
}

TEST_F(StoreTest, LoadedAddressesDrainUntilTheirSupplierNamesThem) {
  {
    auto opened = open();
    opened.loaded.ledger.add(supply("10.0.0.0", 2));
    ASSERT_TRUE(opened.store.save(opened.loaded.ledger, kStart).has_value());
  }

  auto opened = open();

  Ledger& ledger = opened.loaded.ledger;
  EXPECT_EQ(ledger.counts(kStart), (Counts{.draining = 2}));
  EXPECT_FALSE(ledger.assign(request("a"), kStart).has_value());
  ledger.add(supply("10.0.0.0", 2));
  EXPECT_TRUE(ledger.assign(request("a"), kStart).has_value());
}

TEST_F(StoreTest, CoolingGoesOnOverARestartOfTheAgent) {
  {
    auto opened = open();
    Ledger& ledger = opened.loaded.ledger;
    ledger.add(supply("10.0.0.0", 1));
    ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());
    (void)ledger.release(key("a"), kStart);
    ASSERT_TRUE(opened.store.save(ledger, kStart).has_value());
  }

  auto opened = open("boot-1", kStart + 10s);

  Ledger& ledger = opened.loaded.ledger;
  ledger.add(supply("10.0.0.0", 1));
  EXPECT_EQ(ledger.row(ip("10.0.0.0"), kStart + 29s)->state, State::kCooling);
  EXPECT_EQ(ledger.row(ip("10.0.0.0"), kStart + 30s)->state, State::kFree);
}

TEST_F(StoreTest, AfterAnotherBootCoolingBeginsAgainAndOrderStays) {
  {
    auto opened = open();
    Ledger& ledger = opened.loaded.ledger;
    ledger.add(supply("10.0.0.0", 3));
    for (const char* id : {"a", "b", "c"}) {
      ASSERT_TRUE(ledger.assign(request(id), kStart).has_value());
    }
    (void)ledger.release(key("b"), kStart);
    (void)ledger.release(key("a"), kStart + 1s);
    (void)ledger.release(key("c"), kStart + 1h);
    ASSERT_TRUE(opened.store.save(ledger, kStart + 1h).has_value());
  }
  const Instant now = 5s;

  auto opened = open("boot-2", now);

  Ledger& ledger = opened.loaded.ledger;
  ledger.add(supply("10.0.0.0", 3));
  EXPECT_EQ(ledger.row(ip("10.0.0.2"), now + 29s)->state, State::kCooling);
  EXPECT_EQ(ledger.assign(request("x"), now)->held.allocation.addresses[0],
            ip("10.0.0.1"));
  EXPECT_EQ(ledger.assign(request("y"), now)->held.allocation.addresses[0],
            ip("10.0.0.0"));
}

TEST_F(StoreTest, HoldersOfAnotherBootAreStaleUntilConfirmed) {
  {
    auto opened = open();
    Ledger& ledger = opened.loaded.ledger;
    ledger.add(supply("10.0.0.0", 2));
    ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());
    ASSERT_TRUE(ledger.assign(request("b"), kStart).has_value());
    ASSERT_TRUE(opened.store.save(ledger, kStart).has_value());
  }
  {
    auto opened = open("boot-2", 5s);
    Ledger& ledger = opened.loaded.ledger;
    EXPECT_EQ(ledger.stale().size(), 2);
    ledger.confirm(key("a"));
    ASSERT_TRUE(opened.store.save(ledger, 6s).has_value());
  }

  const auto opened = open("boot-2", 7s);

  EXPECT_EQ(opened.loaded.ledger.stale(), std::set{key("b")});
  EXPECT_NE(opened.loaded.ledger.find(key("a")), nullptr);
}

TEST_F(StoreTest, ReservationsEndWithTheBootTheyWereSeenIn) {
  {
    auto opened = open();
    ASSERT_TRUE(
        opened.loaded.ledger.hold_from_kernel(ip("10.0.0.9"), {}, "cali1")
            .has_value());
    ASSERT_TRUE(opened.store.save(opened.loaded.ledger, kStart).has_value());
  }

  EXPECT_EQ(open().loaded.ledger.counts(kStart).reserved, 1);
  const auto later = open("boot-2", 5s);
  EXPECT_EQ(later.loaded.ledger.row(ip("10.0.0.9"), 6s)->state,
            State::kCooling);
}

TEST_F(StoreTest, RemovedAddressesAndReleasedHoldersAreGone) {
  {
    auto opened = open();
    Ledger& ledger = opened.loaded.ledger;
    ledger.add(supply("10.0.0.0", 2));
    ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());
    ASSERT_TRUE(opened.store.save(ledger, kStart).has_value());
    (void)ledger.release(key("a"), kStart);
    ASSERT_TRUE(
        ledger.remove(std::vector{ip("10.0.0.0"), ip("10.0.0.1")}).has_value());
    ASSERT_TRUE(opened.store.save(ledger, kStart).has_value());
  }

  const auto opened = open();

  EXPECT_THAT(opened.loaded.ledger.rows(kStart), IsEmpty());
  EXPECT_THAT(opened.loaded.ledger.held(), IsEmpty());
  EXPECT_THAT(opened.loaded.warnings, IsEmpty());
}

TEST_F(StoreTest, ASecondWriterIsRefused) {
  const auto opened = open();

  EXPECT_EQ(Store::open(options(), kStart).error().code, Code::kTryAgainLater);
}

TEST_F(StoreTest, ReadersSeeTheLastSaveWhileTheAgentRunsAndAfter) {
  {
    auto opened = open();
    Ledger& ledger = opened.loaded.ledger;
    ledger.add(supply("10.0.0.0", 2));
    ASSERT_TRUE(ledger.assign(request("a"), kStart).has_value());
    ASSERT_TRUE(opened.store.save(ledger, kStart).has_value());

    const auto running = Store::read(dir_ / "ledger.db");
    ASSERT_TRUE(running.has_value());
    EXPECT_EQ(running->attachments.size(), 1);
    EXPECT_EQ(running->addresses[0].holder, key("a"));
  }
  const auto dead = Store::read(dir_ / "ledger.db");
  ASSERT_TRUE(dead.has_value());
  EXPECT_EQ(dead->addresses.size(), 2);
  EXPECT_EQ(dead->boot_id, "boot-1");
}

TEST_F(StoreTest, OnlyItsOwnerMayReadTheDatabase) {
  (void)open();
  struct stat file {};
  ASSERT_EQ(stat((dir_ / "ledger.db").c_str(), &file), 0);

  EXPECT_EQ(file.st_mode & 0777, 0600);
}

}  // namespace
}  // namespace linsey::ipam
