#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <iterator>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linsey {
namespace {

std::ptrdiff_t entries(const std::string& path) {
  return std::distance(std::filesystem::directory_iterator(path), {});
}

TEST(WriteFileAtomic, ReplacesContentAndMode) {
  const tests::TempDir dir;
  const std::string path = dir / "f";
  ASSERT_TRUE(write_file_atomic(path, "one").has_value());

  ASSERT_TRUE(write_file_atomic(path, "two", {.mode = 0600}).has_value());

  EXPECT_EQ(*read_file(path), "two");
  struct stat st {};
  ASSERT_EQ(stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600U);
  EXPECT_EQ(entries(dir.path()), 1);
}

TEST(WriteFileAtomic, FailureLeavesTheOldFileAndNoTemp) {
  const tests::TempDir dir;
  ASSERT_TRUE(make_directories(dir / "target").has_value());

  const Result<void> r = write_file_atomic(dir / "target", "x");

  ASSERT_FALSE(r);
  EXPECT_NE(r.error().msg.find("target"), std::string::npos);
  EXPECT_EQ(entries(dir.path()), 1);
}

TEST(WriteAll, FullDiskHasItsOwnCode) {
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(write_all(full.get(), "x").error().code, Code::kDiskFull);
}

TEST(MakeDirectories, MakesParentsAndAcceptsExisting) {
  const tests::TempDir dir;
  ASSERT_TRUE(make_directories(dir / "a/b/c").has_value());
  ASSERT_TRUE(make_directories(dir / "a/b/c").has_value());
  ASSERT_TRUE(write_file_atomic(dir / "file", "").has_value());
  EXPECT_FALSE(make_directories(dir / "file/x"));
  EXPECT_FALSE(make_directories(dir / "file"));
}

TEST(FileLock, SecondTakerIsTold) {
  const tests::TempDir dir;
  const Result<FileLock> first = FileLock::acquire(dir / "lock");
  ASSERT_TRUE(first.has_value());

  const Result<FileLock> second = FileLock::acquire(dir / "lock");

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kTryAgainLater);
}

TEST(ReadFile, RefusesMoreThanTheLimit) {
  const tests::TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir / "f", std::string(100, 'x')).has_value());
  EXPECT_FALSE(read_file(dir / "f", 99));
  EXPECT_TRUE(read_file(dir / "f", 100).has_value());
}

TEST(BootId, IsAStableUuid) {
  ASSERT_TRUE(boot_id().has_value());
  EXPECT_EQ(boot_id()->size(), 36U);
  EXPECT_EQ(*boot_id(), *boot_id());
}

}  // namespace
}  // namespace linsey
