#include "agent/notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "rpc/message.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace linsey::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct NotesTest : ::testing::Test {
  std::unique_ptr<Notes> start() {
    auto notes = std::make_unique<Notes>(
        NotesDeps{.loop = loop,
                  .metrics = metrics,
                  .directory = dir.path(),
                  .boot_id = "this-boot",
                  .free = [this](const ipam::AttachmentKey& key,
                                 const ipam::Pod&, const auto& done) {
                    freed.push_back(key.container_id);
                    done(outcome);
                  }});
    notes->start();
    loop.run_until_idle();
    return notes;
  }
  std::string leave(const std::string& container,
                    const std::string& boot = "this-boot") const {
    const ipam::AttachmentKey key{"net", container, "eth0"};
    std::string path = dir / rpc::note_name(key);
    EXPECT_TRUE(
        write_file_atomic(path, rpc::to_json(rpc::ReleaseNote{key, {}, boot})));
    return path;
  }

  tests::TempDir dir;
  tests::FakeClock clock;
  Loop loop{clock};
  Metrics metrics;
  std::vector<std::string> freed;
  Result<void> outcome;
};

TEST_F(NotesTest, ANoteThatIsThereAtTheStartIsCarriedOut) {
  const std::string path = leave("c1");

  const auto notes = start();

  EXPECT_THAT(freed, ElementsAre("c1"));
  EXPECT_FALSE(path_exists(path));
}

TEST_F(NotesTest, ANoteThatComesLaterIsNoticed) {
  const auto notes = start();

  const std::string path = leave("c1");

  EXPECT_TRUE(tests::eventually([&] {
    loop.run_until_idle();
    return !path_exists(path);
  }));
  EXPECT_THAT(freed, ElementsAre("c1"));
}

TEST_F(NotesTest, ANoteThatCouldNotBeCarriedOutIsReadAgain) {
  const std::string path = leave("c1");
  outcome = make_error(Code::kDiskFull, "no space");
  const auto notes = start();
  EXPECT_TRUE(path_exists(path));

  outcome = {};
  clock.advance(std::chrono::seconds(30));
  loop.run_until_idle();

  EXPECT_FALSE(path_exists(path));
}

TEST_F(NotesTest, ANoteOfAnEarlierBootIsOnlyDeleted) {
  const std::string path = leave("c1", "earlier");

  const auto notes = start();

  EXPECT_THAT(freed, IsEmpty());
  EXPECT_FALSE(path_exists(path));
}

TEST_F(NotesTest, AnUnreadableNoteIsSetAside) {
  const std::string path = dir / "x.note";
  ASSERT_TRUE(write_file_atomic(path, "{"));

  const auto notes = start();

  EXPECT_FALSE(path_exists(path));
  EXPECT_TRUE(path_exists(path + ".bad"));
}

TEST_F(NotesTest, FilesThatAreNoNotesAreLeftAlone) {
  const std::string path = dir / ".abc.tmp.7";
  ASSERT_TRUE(write_file_atomic(path, "{"));

  const auto notes = start();

  EXPECT_TRUE(path_exists(path));
}

}  // namespace
}  // namespace linsey::agent
