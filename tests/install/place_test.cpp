#include "install/place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/install/host_tree.h"

namespace linsey::install {
namespace {

using ::testing::HasSubstr;

constexpr auto kAbsent = Policy::kAbsent;
constexpr auto kOlder = Policy::kOlder;
constexpr auto kDifferent = Policy::kDifferent;

Probe ours(const std::string& version) {
  return {.exists = true,
          .ours = true,
          .version = version,
          .about = "linsey " + version,
          .versions = {"1.0.0", "1.1.0"},
          .runs = {}};
}
Probe foreign(const std::string& newest) {
  return {.exists = true,
          .ours = false,
          .version = "",
          .about = "foreign",
          .versions = {"0.4.0", newest},
          .runs = {}};
}
Probe broken() {
  Probe probe = foreign("1.0.0");
  probe.runs = make_error(Code::kChainPluginMissing, "it does not run");
  return probe;
}

struct Row {
  const char* name;
  Probe there;
  bool absent;
  bool older;
  bool different;
};

class DecideTable : public ::testing::TestWithParam<Row> {};

TEST_P(DecideTable, SaysWhatIsWrittenOver) {
  const Row& row = GetParam();
  const Probe given = ours("1.2.0");
  const auto writes = [&](Policy policy) {
    return decide({.there = row.there, .given = given, .policy = policy}).write;
  };

  EXPECT_EQ(writes(kAbsent), row.absent);
  EXPECT_EQ(writes(kOlder), row.older);
  EXPECT_EQ(writes(kDifferent), row.different);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, DecideTable,
    ::testing::Values(Row{"nothing", Probe{}, true, true, true},
                      Row{"older", ours("1.1.9"), false, true, true},
                      Row{"other", ours("1.2.0"), false, false, true},
                      Row{"newer", ours("1.10.0"), false, false, true},
                      Row{"foreignOld", foreign("1.0.0"), false, true, true},
                      Row{"foreignSame", foreign("1.1.0"), false, false, false},
                      Row{"foreignNew", foreign("1.2.0"), false, false, false},
                      Row{"broken", broken(), false, true, true}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Decide, KeepsTheSameBytesWhateverIsAsked) {
  const Probe same = ours("1.0.0");

  EXPECT_FALSE(decide({.there = same,
                       .given = same,
                       .same_bytes = true,
                       .policy = kDifferent,
                       .force = true})
                   .write);
}

TEST(Decide, WritesOverEverythingByForce) {
  const Probe there = foreign("9.0.0");
  const Probe given = ours("1.0.0");

  EXPECT_TRUE(
      decide({.there = there, .given = given, .policy = kAbsent, .force = true})
          .write);
}

struct PlacePlugin : HostTree {
  Result<Step> place(const std::string& name, const std::string& content,
                     bool force = false) {
    write("/given/" + name, content, 0755);
    return place_plugin(host,
                        {.name = name,
                         .content = content,
                         .given = probe_plugin(host.at("/given/" + name)),
                         .policy = kDifferent,
                         .force = force},
                        record);
  }

  Record record;
};

TEST_F(PlacePlugin, InstallsWhatIsMissing) {
  const Result<Step> step = place("loopback", linsey("1.0.0"));

  ASSERT_TRUE(step) << to_string(step.error());
  EXPECT_EQ(step->done, "installed");
  EXPECT_EQ(text_of("/opt/cni/bin/loopback"), linsey("1.0.0"));
}

TEST_F(PlacePlugin, NotesTheFileBeforeItIsThere) {
  ASSERT_TRUE(place("loopback", linsey("1.0.0")));

  EXPECT_TRUE(load_record(host)->files.contains("/opt/cni/bin/loopback"));
}

TEST_F(PlacePlugin, KeepsWhatItReplacesOfOthers) {
  const std::string theirs = plugin("CNI loopback plugin v0.8", "0.4.0");
  put_plugin("loopback", theirs);

  const Result<Step> step = place("loopback", linsey("1.0.0"));

  EXPECT_EQ(step->done, "replaced");
  EXPECT_EQ(text_of("/var/lib/linsey/set-aside/loopback"), theirs);
}

TEST_F(PlacePlugin, KeepsTheFirstForeignFileThroughUpgrades) {
  const std::string theirs = plugin("CNI loopback plugin v0.8", "0.4.0");
  put_plugin("loopback", theirs);

  ASSERT_TRUE(place("loopback", linsey("1.0.0")));
  ASSERT_TRUE(place("loopback", linsey("2.0.0")));

  EXPECT_EQ(text_of("/var/lib/linsey/set-aside/loopback"), theirs);
  EXPECT_EQ(text_of("/opt/cni/bin/loopback"), linsey("2.0.0"));
}

TEST_F(PlacePlugin, LeavesANewerForeignLoopbackAlone) {
  const std::string theirs = plugin("CNI loopback plugin v9", "2.0.0");
  put_plugin("loopback", theirs);

  const Result<Step> step = place("loopback", linsey("1.0.0"));

  ASSERT_TRUE(step);
  EXPECT_EQ(step->done, "kept");
  EXPECT_THAT(step->why, HasSubstr("2.0.0"));
  EXPECT_EQ(text_of("/opt/cni/bin/loopback"), theirs);
}

TEST_F(PlacePlugin, RefusesToServeThroughAForeignLinsey) {
  put_plugin("linsey", plugin("something else", "1.1.0"));

  const Result<Step> step = place("linsey", linsey("1.0.0"));

  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().code, Code::kForeignBinary);
  EXPECT_THAT(step.error().msg, HasSubstr("--force"));
}

TEST_F(PlacePlugin, ReplacesAForeignLinseyByForce) {
  put_plugin("linsey", plugin("something else", "1.1.0"));

  EXPECT_EQ(place("linsey", linsey("1.0.0"), true)->done, "replaced");
}

TEST_F(PlacePlugin, GoesBackToAnOlderLinsey) {
  put_plugin("linsey", linsey("2.0.0"));

  EXPECT_EQ(place("linsey", linsey("1.0.0"))->done, "replaced");
}

TEST_F(PlacePlugin, ReplacesALinkThatLeadsNowhere) {
  ASSERT_EQ(symlink("/nowhere", host.at("/opt/cni/bin/loopback").c_str()), 0);

  EXPECT_EQ(place("loopback", linsey("1.0.0"))->done, "replaced");
  EXPECT_EQ(text_of("/opt/cni/bin/loopback"), linsey("1.0.0"));
}

}  // namespace
}  // namespace linsey::install
