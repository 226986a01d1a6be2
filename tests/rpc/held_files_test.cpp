#include "rpc/held_files.h"

#include <sys/stat.h>

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/rpc/samples.h"
#include "tests/support/temp_dir.h"

namespace linsey::tests {
namespace {

namespace fs = std::filesystem;

class HeldFiles : public testing::Test {
 protected:
  ipam::Held row(const std::string& container_id = "c1") const {
    ipam::Held held{sample_attachment(), sample_allocation()};
    held.attachment.key.container_id = container_id;
    return held;
  }
  fs::path only_file() const {
    fs::path found;
    for (const auto& entry : fs::directory_iterator(home.path() + "/held")) {
      found = entry.path();
    }
    return found;
  }

  TempDir home;
  rpc::HeldFiles files{home.path() + "/agent.sock"};
};

TEST_F(HeldFiles, GiveBackWhatWasPut) {
  ASSERT_TRUE(files.restore({}));
  files.put(row());
  EXPECT_EQ(files.find(row().attachment.key), row());
  EXPECT_EQ(files.find(row("c2").attachment.key), std::nullopt);
}

TEST_F(HeldFiles, KnowNothingOfWhatWasDropped) {
  ASSERT_TRUE(files.restore({}));
  files.put(row());
  EXPECT_TRUE(files.drop(row().attachment.key));
  EXPECT_TRUE(files.drop(row().attachment.key));
  EXPECT_EQ(files.find(row().attachment.key), std::nullopt);
}

TEST_F(HeldFiles, AreAfterARestartThoseOfTheLedgerAlone) {
  ASSERT_TRUE(files.restore({}));
  files.put(row("old"));
  ASSERT_TRUE(files.restore({{row("new").attachment.key, row("new")}}));
  EXPECT_EQ(files.find(row("old").attachment.key), std::nullopt);
  EXPECT_EQ(files.find(row("new").attachment.key), row("new"));
}

TEST_F(HeldFiles, TellNothingWhenTornAtAnyByte) {
  ASSERT_TRUE(files.restore({}));
  files.put(row());
  const fs::path path = only_file();
  const std::string whole = *read_file(path);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    fs::resize_file(path, size);
    EXPECT_EQ(files.find(row().attachment.key), std::nullopt) << size;
    files.put(row());
  }
  EXPECT_EQ(files.find(row().attachment.key), row());
}

TEST_F(HeldFiles, TellNothingOfAnotherAttachmentUnderTheSameName) {
  ASSERT_TRUE(files.restore({}));
  files.put(row("c2"));
  const std::string other = *read_file(only_file());
  ASSERT_TRUE(files.restore({{row().attachment.key, row()}}));
  ASSERT_TRUE(write_file_atomic(only_file(), other));
  EXPECT_EQ(files.find(row().attachment.key), std::nullopt);
}

TEST_F(HeldFiles, AreForTheirOwnerAlone) {
  ASSERT_TRUE(files.restore({{row().attachment.key, row()}}));
  struct stat about {};
  ASSERT_EQ(stat(only_file().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0600U);
  ASSERT_EQ(stat(only_file().parent_path().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0700U);
}

TEST_F(HeldFiles, AreNotMissedWhereTheDirectoryIsGone) {
  files.put(row());
  EXPECT_EQ(files.find(row().attachment.key), std::nullopt);
  EXPECT_TRUE(files.drop(row().attachment.key));
}

}  // namespace
}  // namespace linsey::tests
