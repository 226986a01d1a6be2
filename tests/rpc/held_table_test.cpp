#include "rpc/held_table.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/sha1.h"
#include "ipam/key.h"
#include "tests/rpc/samples.h"
#include "tests/support/temp_dir.h"

namespace linsey::tests {
namespace {

using rpc::HeldSlot;

class HeldTable : public testing::Test {
 protected:
  static ipam::Held row(const std::string& container_id = "c1") {
    ipam::Held held{sample_attachment(), sample_allocation()};
    held.attachment.key.container_id = container_id;
    return held;
  }
  static std::size_t place_of(const ipam::Held& held) {
    const HeldSlot slot{.key = sha1(ipam::joined(held.attachment.key))};
    return slot.number(0) * HeldSlot::kSlotSize;
  }
  /// So many rows that all want the same slot first.
  static std::vector<ipam::Held> neighbours(std::size_t count) {
    std::vector<ipam::Held> rows;
    for (int i = 0; rows.size() < count; ++i) {
      ipam::Held held = row("n" + std::to_string(i));
      if (place_of(held) == place_of(row("n0"))) rows.push_back(held);
    }
    return rows;
  }
  std::optional<ipam::Held> find(const ipam::Held& held) const {
    return rpc::find_held(socket, held.attachment.key);
  }
  std::string bytes() const { return *read_file(path); }
  /// In place, as a torn write would leave it.
  void overwrite(std::size_t place, std::string_view bytes) const {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(place));
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(file.flush());
  }

  TempDir home;
  std::string socket = home.path() + "/run/agent.sock";
  std::string path = home.path() + "/run/held.table";
  rpc::HeldTable table{socket};
};

TEST_F(HeldTable, GivesBackWhatWasPut) {
  ASSERT_TRUE(table.restore({}));
  table.put(row());
  EXPECT_EQ(find(row()), row());
  EXPECT_EQ(find(row("c2")), std::nullopt);
}

TEST_F(HeldTable, GivesTheLaterOfTwoRows) {
  ASSERT_TRUE(table.restore({}));
  table.put(row());
  ipam::Held later = row();
  later.attachment.netns = "/run/netns/later";
  table.put(later);
  EXPECT_EQ(find(row()), later);
  EXPECT_TRUE(table.drop(row().attachment.key));
  EXPECT_EQ(find(row()), std::nullopt);
}

TEST_F(HeldTable, KnowsNothingOfWhatWasDropped) {
  ASSERT_TRUE(table.restore({}));
  table.put(row());
  EXPECT_TRUE(table.drop(row().attachment.key));
  EXPECT_TRUE(table.drop(row().attachment.key));
  EXPECT_EQ(find(row()), std::nullopt);
}

TEST_F(HeldTable, HoldsAfterARestartTheRowsOfTheLedgerAlone) {
  ASSERT_TRUE(table.restore({}));
  table.put(row("old"));
  rpc::HeldTable next(socket);
  EXPECT_EQ(find(row("old")), row("old"));  // while the agent is down
  ASSERT_TRUE(next.restore({{row("new").attachment.key, row("new")}}));
  EXPECT_EQ(find(row("old")), std::nullopt);
  EXPECT_EQ(find(row("new")), row("new"));
}

TEST_F(HeldTable, TellsNothingWhenCutAtAnyByte) {
  ASSERT_TRUE(table.restore({{row().attachment.key, row()}}));
  const std::string whole = bytes();
  const std::size_t begin = place_of(row());
  const std::size_t end = whole.find('\0', begin + sizeof(HeldSlot));
  for (std::size_t size = end; size-- > begin;) {
    EXPECT_EQ(find(row()), row());
    std::filesystem::resize_file(path, size);
    EXPECT_EQ(find(row()), std::nullopt) << size - begin;
    overwrite(begin, std::string_view(whole).substr(begin, end - begin));
  }
}

TEST_F(HeldTable, TellsNothingWhenAnyByteIsWrong) {
  ASSERT_TRUE(table.restore({{row().attachment.key, row()}}));
  const std::string whole = bytes();
  const std::size_t begin = place_of(row());
  const std::size_t end = whole.find('\0', begin + sizeof(HeldSlot));
  for (std::size_t i = begin; i < end; ++i) {
    const char wrong = static_cast<char>(whole[i] ^ 0x20);
    overwrite(i, {&wrong, 1});
    EXPECT_EQ(find(row()), std::nullopt) << i - begin;
    overwrite(i, {&whole[i], 1});
  }
}

TEST_F(HeldTable, TellsNothingOfAnotherAttachmentUnderTheSameDigest) {
  ASSERT_TRUE(table.restore({{row("c2").attachment.key, row("c2")}}));
  std::string slot = bytes().substr(place_of(row("c2")), HeldSlot::kSlotSize);
  const auto digest = sha1(ipam::joined(row().attachment.key));
  slot.replace(0, digest.size(), reinterpret_cast<const char*>(digest.data()),
               digest.size());
  overwrite(place_of(row()), slot);
  EXPECT_EQ(find(row()), std::nullopt);
}

TEST_F(HeldTable, HasRoomForAsManyNeighboursAsAreLookedAt) {
  ASSERT_TRUE(table.restore({}));
  const std::vector<ipam::Held> rows = neighbours(HeldSlot::kProbes + 1);
  for (const ipam::Held& held : rows) {
    table.put(held);
  }
  for (std::size_t i = 0; i < HeldSlot::kProbes; ++i) {
    EXPECT_EQ(find(rows[i]), rows[i]) << i;
  }
  EXPECT_EQ(find(rows.back()), std::nullopt);
  EXPECT_TRUE(table.drop(rows.back().attachment.key));

  EXPECT_TRUE(table.drop(rows[3].attachment.key));
  table.put(rows.back());
  EXPECT_EQ(find(rows.back()), rows.back());
  EXPECT_EQ(find(rows[4]), rows[4]);
}

TEST_F(HeldTable, LeavesOutARowThatIsTooLong) {
  ASSERT_TRUE(table.restore({{row().attachment.key, row()}}));
  ipam::Held longer = row();
  longer.attachment.netns = std::string(HeldSlot::kSlotSize, 'n');
  table.put(longer);
  EXPECT_EQ(find(row()), std::nullopt) << "the older row is not true any more";
  table.put(row());
  EXPECT_EQ(find(row()), row());
}

TEST_F(HeldTable, IsForItsOwnerAlone) {
  ASSERT_TRUE(table.restore({}));
  struct stat about {};
  ASSERT_EQ(stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0600U);
  ASSERT_EQ(stat((home.path() + "/run").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0700U);
}

TEST_F(HeldTable, IsNotMissedWhereItCouldNotBeMade) {
  table.put(row());
  EXPECT_EQ(find(row()), std::nullopt);
  EXPECT_TRUE(table.drop(row().attachment.key));
  ASSERT_TRUE(make_directories(path));
  EXPECT_FALSE(table.restore({{row().attachment.key, row()}}));
  EXPECT_EQ(find(row()), std::nullopt);
}

}  // namespace
}  // namespace linsey::tests
