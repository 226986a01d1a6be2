#include "install/publish_conflist.h"

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/temp_dir.h"

namespace linsey::install {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct PublishConflist : ::testing::Test {
  PublishConflist() {
    cni.conf_dir = dir / "net.d";
    cni.bin_dir = dir / "bin";
    EXPECT_TRUE(make_directories(cni.bin_dir));
    put_plugin("linsey", "exit 1");  // never run: it is ours
  }

  void put_plugin(const std::string& type, const std::string& script) const {
    EXPECT_TRUE(write_file_atomic(cni.bin_dir + "/" + type,
                                  "#!/bin/sh\n" + script + "\n",
                                  {.mode = 0755, .sync = false}));
  }
  void put_foreign(const std::string& versions) const {
    put_plugin("foreign",
               "cat >/dev/null; echo '{\"cniVersion\":\"1.0.0\","
               "\"supportedVersions\":[" +
                   versions + "]}'");
  }
  void use_chain() {
    cni.conflist_source = dir / "source";
    EXPECT_TRUE(write_file_atomic(
        cni.conflist_source,
        R"({"cniVersion":"1.0.0","cniVersions":["0.4.0","1.0.0","1.1.0"],)"
        R"("name":"linsey","plugins":[{"type":"linsey"},)"
        R"({"type":"foreign"}]})"));
  }
  std::string text() const {
    return read_file(cni.conf_dir + "/" + cni.conflist).value_or("none");
  }

  tests::TempDir dir;
  conf::Cni cni;
};

TEST_F(PublishConflist, WritesTheShippedListAsItIs) {
  const Result<Published> published = publish_conflist(cni);

  ASSERT_TRUE(published) << to_string(published.error());
  EXPECT_TRUE(published->changed);
  EXPECT_EQ(text(), shipped_conflist());
  EXPECT_THAT(published->versions, ElementsAre("0.4.0", "1.0.0", "1.1.0"));
}

TEST_F(PublishConflist, LeavesAnEqualFileAlone) {
  ASSERT_TRUE(publish_conflist(cni));
  struct stat before {};
  ASSERT_EQ(stat((cni.conf_dir + "/" + cni.conflist).c_str(), &before), 0);

  const Result<Published> again = publish_conflist(cni);

  struct stat after {};
  ASSERT_EQ(stat((cni.conf_dir + "/" + cni.conflist).c_str(), &after), 0);
  EXPECT_FALSE(again->changed);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(PublishConflist, RestoresAFileThatWasChanged) {
  ASSERT_TRUE(publish_conflist(cni));
  ASSERT_TRUE(write_file_atomic(cni.conf_dir + "/" + cni.conflist, ""));

  EXPECT_TRUE(publish_conflist(cni)->changed);
  EXPECT_EQ(text(), shipped_conflist());
}

TEST_F(PublishConflist, CutsTheVersionsToWhatTheChainSpeaks) {
  use_chain();
  put_foreign(R"("0.3.1","0.4.0","1.0.0")");

  const Result<Published> published = publish_conflist(cni);

  ASSERT_TRUE(published) << to_string(published.error());
  EXPECT_THAT(published->versions, ElementsAre("0.4.0", "1.0.0"));
  ASSERT_EQ(published->warnings.size(), 1U);
  EXPECT_EQ(published->warnings[0].code, Code::kChainWithoutStatus);
  EXPECT_THAT(text(), ::testing::Not(HasSubstr("1.1.0")));
}

TEST_F(PublishConflist, ChoosesAVersionThatIsLeft) {
  use_chain();
  put_foreign(R"("0.4.0")");

  ASSERT_TRUE(publish_conflist(cni));

  EXPECT_THAT(text(), HasSubstr(R"("cniVersion": "0.4.0")"));
}

TEST_F(PublishConflist, LeavesAWholeChainUntouched) {
  use_chain();
  put_foreign(R"("0.4.0","1.0.0","1.1.0")");

  const Result<Published> published = publish_conflist(cni);

  EXPECT_THAT(published->warnings, IsEmpty());
  EXPECT_EQ(text(), read_file(cni.conflist_source).value());
}

TEST_F(PublishConflist, RefusesPluginsWithoutAVersionInCommon) {
  use_chain();
  put_foreign(R"("0.2.0")");

  EXPECT_EQ(publish_conflist(cni).error().code, Code::kInvalidConfig);
  EXPECT_EQ(text(), "none");
}

TEST_F(PublishConflist, RefusesAListWhosePluginIsMissing) {
  use_chain();

  const Result<Published> published = publish_conflist(cni);

  EXPECT_EQ(published.error().code, Code::kChainPluginMissing);
  EXPECT_THAT(published.error().msg, HasSubstr("foreign"));
  EXPECT_EQ(text(), "none");
}

TEST_F(PublishConflist, RefusesAListWithoutUs) {
  cni.conflist_source = dir / "source";
  ASSERT_TRUE(write_file_atomic(
      cni.conflist_source,
      R"({"cniVersion":"1.0.0","name":"x","plugins":[{"type":"bridge"}]})"));

  EXPECT_EQ(publish_conflist(cni).error().code, Code::kInvalidConfig);
}

}  // namespace
}  // namespace linsey::install
