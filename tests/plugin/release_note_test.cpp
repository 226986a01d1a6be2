#include "plugin/release_note.h"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "base/file.h"
#include "rpc/message.h"
#include "tests/support/temp_dir.h"

namespace linsey::plugin {
namespace {

const ipam::AttachmentKey kKey{"net1", "c1", "eth0"};
const ipam::Pod kPod{"shop", "web-0", "u-1"};

TEST(LeaveNote, MakesADirectoryOfItsOwnAndWritesWhatTheAgentReads) {
  const tests::TempDir directory;
  const std::string notes = directory / "lib/notes";

  ASSERT_TRUE(leave_note(notes, kKey, kPod));

  struct stat st {};
  ASSERT_EQ(stat(notes.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777U, 0700U);
  const auto text = read_file(notes + "/" + rpc::note_name(kKey));
  ASSERT_TRUE(text.has_value());
  const rpc::ReleaseNote note = rpc::parse_note(*text).value();
  EXPECT_EQ(note.key, kKey);
  EXPECT_EQ(note.pod, kPod);
  EXPECT_EQ(note.boot_id, *boot_id());
}

TEST(LeaveNote, OverwritesItsOwn) {
  const tests::TempDir directory;
  ASSERT_TRUE(leave_note(directory.path(), kKey, {}));
  ASSERT_TRUE(leave_note(directory.path(), kKey, kPod));
  const auto text = read_file(directory / rpc::note_name(kKey));
  EXPECT_EQ(rpc::parse_note(*text)->pod, kPod);
}

TEST(LeaveNote, SaysWhyItCannotBeLeft) {
  const tests::TempDir directory;
  ASSERT_TRUE(write_file_atomic(directory / "file", "x"));
  EXPECT_FALSE(leave_note(directory / "file/notes", kKey, kPod));
}

}  // namespace
}  // namespace linsey::plugin
