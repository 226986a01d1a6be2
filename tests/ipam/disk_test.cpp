// A full and a read-only disk: a small tmpfs in a mount namespace of our own.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/file.h"
#include "ipam/store.h"
#include "tests/ipam/make.h"
#include "tests/support/temp_dir.h"

namespace linsey::ipam {
namespace {

using tests::key;
using tests::kStart;
using tests::request;
using tests::supply;

class DiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "mounting a tmpfs needs root";
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, "size=1m"), 0);
  }
  void TearDown() override {
    (void)umount2(dir_.path().c_str(), MNT_DETACH);  // not mounted if skipped
  }

  void remount(unsigned long flags) {
    ASSERT_EQ(mount("tmpfs", dir_.path().c_str(), "tmpfs", MS_REMOUNT | flags,
                    "size=1m"),
              0);
  }
  void fill_disk() {
    const UniqueFd fd(::open((dir_ / "filler").c_str(),
                             O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const std::string piece(4096, 'x');
    while (write(fd.get(), piece.data(), piece.size()) > 0) {
    }
    ASSERT_EQ(errno, ENOSPC);
  }
  Store::Opened open() {
    return Store::open({dir_ / "ledger.db", "boot", {}}, kStart).value();
  }

  tests::TempDir dir_;
};

TEST_F(DiskTest, AFullDiskRefusesAssignmentsButNotReleases) {
  auto opened = open();
  Ledger& ledger = opened.loaded.ledger;
  ledger.add(supply("10.0.0.0", 256));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(ledger.assign(request(std::to_string(i)), kStart).has_value());
  }
  ASSERT_TRUE(opened.store.save(ledger, kStart).has_value());
  fill_disk();

  Result<void> saved;
  int given = 20;
  while (saved) {  // the WAL may have room left for a few
    ASSERT_TRUE(
        ledger.assign(request(std::to_string(given)), kStart).has_value());
    saved = opened.store.save(ledger, kStart);
    if (saved) ++given;
    ASSERT_LT(given, 256);
  }
  ledger.unassign(key(std::to_string(given)));
  const Released released = ledger.release(key("3"), kStart);

  EXPECT_EQ(saved.error().code, Code::kDiskFull);
  EXPECT_EQ(released.addresses.size(), 1);
  EXPECT_TRUE(ledger.check_invariants().has_value());
  EXPECT_EQ(Store::read(dir_ / "ledger.db")->attachments.size(), given);

  ASSERT_TRUE(remove_file(dir_ / "filler").has_value());
  ASSERT_TRUE(opened.store.save(ledger, kStart).has_value());
  EXPECT_EQ(Store::read(dir_ / "ledger.db")->attachments.size(), given - 1);
}

TEST_F(DiskTest, ADiskThatIsFullFromTheStartIsAWarning) {
  fill_disk();

  auto opened = open();

  ASSERT_EQ(opened.loaded.warnings.size(), 1);
  EXPECT_EQ(opened.loaded.warnings[0].code, Code::kDiskFull);
  opened.loaded.ledger.add(supply("10.0.0.0", 4));
  EXPECT_EQ(opened.store.save(opened.loaded.ledger, kStart).error().code,
            Code::kDiskFull);
  ASSERT_TRUE(remove_file(dir_ / "filler").has_value());
  EXPECT_TRUE(opened.store.save(opened.loaded.ledger, kStart).has_value());
}

TEST_F(DiskTest, AReadOnlyDiskIsReadAndWrittenAgainOnceItCanBe) {
  {
    auto opened = open();
    opened.loaded.ledger.add(supply("10.0.0.0", 4));
    ASSERT_TRUE(opened.loaded.ledger.assign(request("a"), kStart).has_value());
    ASSERT_TRUE(opened.store.save(opened.loaded.ledger, kStart).has_value());
  }
  remount(MS_RDONLY);

  auto opened = open();
  Ledger& ledger = opened.loaded.ledger;
  ASSERT_EQ(opened.loaded.warnings.size(), 1);
  EXPECT_EQ(opened.loaded.warnings[0].code, Code::kDiskFull);
  EXPECT_EQ(ledger.release(key("a"), kStart).addresses.size(), 1);
  EXPECT_EQ(opened.store.save(ledger, kStart).error().code, Code::kDiskFull);
  EXPECT_EQ(Store::read(dir_ / "ledger.db")->attachments.size(), 1);

  remount(0);
  ASSERT_TRUE(opened.store.save(ledger, kStart).has_value());
  EXPECT_TRUE(Store::read(dir_ / "ledger.db")->attachments.empty());
}

}  // namespace
}  // namespace linsey::ipam
