#include "lab/lab_directory.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <optional>

#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/temp_dir.h"

namespace linsey::lab {
namespace {

/// Another process that claims the directory, writes a file and sleeps.
class Holder {
 public:
  explicit Holder(const std::string& path) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) panic("pipe failed");
    pid_ = fork();
    if (pid_ == 0) hold(path, ends[1]);
    (void)close(ends[1]);
    char byte = 0;
    (void)!read(ends[0], &byte, 1);  // it has claimed it, or it is dead
    (void)close(ends[0]);
  }
  ~Holder() { kill_now(); }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  void kill_now() {
    if (pid_ < 0) return;
    (void)kill(pid_, SIGKILL);
    (void)waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  [[noreturn]] static void hold(const std::string& path, int tell) {
    const Result<LabDirectory> claimed = LabDirectory::claim(path);
    if (!claimed) _exit(1);
    (void)write_file_atomic(path + "/file", "x", {.sync = false}).has_value();
    (void)!write(tell, "x", 1);
    while (true) {
      (void)pause();
    }
  }
  pid_t pid_ = -1;
};

TEST(LabDirectory, IsGoneAfterItsOwnersEnd) {
  const tests::TempDir dir;
  const std::string path = dir / "labs/one";
  std::optional<Result<LabDirectory>> claimed(LabDirectory::claim(path));
  ASSERT_TRUE(claimed->has_value());
  EXPECT_TRUE(path_exists(path));

  claimed.reset();

  EXPECT_FALSE(path_exists(path));
  EXPECT_FALSE(path_exists(dir / "labs"));
}

TEST(LabDirectory, IsGoneAfterItsOwnerWasKilled) {
  const tests::TempDir dir;
  const std::string path = dir / "labs/one";
  Holder holder(path);
  ASSERT_TRUE(path_exists(path + "/file"));

  holder.kill_now();

  EXPECT_TRUE(wait_until_unclaimed(path, 10000));
  EXPECT_FALSE(path_exists(path));
}

TEST(LabDirectory, CanBeClaimedRightAfterACrash) {
  const tests::TempDir dir;
  const std::string path = dir / "labs/one";
  Holder holder(path);
  holder.kill_now();

  const Result<LabDirectory> claimed = LabDirectory::claim(path);

  ASSERT_TRUE(claimed.has_value());
  EXPECT_TRUE(path_exists(path));
  EXPECT_FALSE(path_exists(path + "/file"));
}

TEST(LabDirectory, LeavesOtherLabsAlone) {
  const tests::TempDir dir;
  const Holder other(dir / "labs/two");
  { const auto one = LabDirectory::claim(dir / "labs/one"); }

  EXPECT_FALSE(path_exists(dir / "labs/one"));
  EXPECT_TRUE(path_exists(dir / "labs/two/file"));
}

TEST(LabDirectory, RefusesWhatARunningLabHolds) {
  const tests::TempDir dir;
  const Holder holder(dir / "labs/one");

  const Result<LabDirectory> claimed = LabDirectory::claim(dir / "labs/one", 1);

  ASSERT_FALSE(claimed.has_value());
  EXPECT_EQ(claimed.error().code, Code::kTryAgainLater);
}

}  // namespace
}  // namespace linsey::lab
