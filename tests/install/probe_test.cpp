#include "install/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/install/host_tree.h"

namespace linsey::install {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct ProbePlugin : HostTree {
  Probe probe(const std::string& name) const {
    return probe_plugin(host.at(host.bin_dir) + "/" + name);
  }
};

TEST_F(ProbePlugin, KnowsOursByWhatItSaysOfItself) {
  put_plugin("loopback", linsey("0.3.0"));

  const Probe found = probe("loopback");

  EXPECT_TRUE(found.exists);
  EXPECT_TRUE(found.ours);
  EXPECT_EQ(found.version, "0.3.0");
  EXPECT_TRUE(found.runs);
  EXPECT_THAT(found.versions, ElementsAre("0.3.1", "1.1.0"));
}

TEST_F(ProbePlugin, KnowsAForeignOne) {
  put_plugin("loopback", plugin("CNI loopback plugin v1.1.1", "1.0.0"));

  const Probe found = probe("loopback");

  EXPECT_FALSE(found.ours);
  EXPECT_EQ(found.about, "CNI loopback plugin v1.1.1");
  EXPECT_EQ(newest(found.versions), "1.0.0");
}

TEST_F(ProbePlugin, TellsOneThatIsMissing) {
  const Probe found = probe("loopback");

  EXPECT_FALSE(found.exists);
  EXPECT_EQ(found.runs.error().code, Code::kChainPluginMissing);
}

TEST_F(ProbePlugin, TellsOneThatDoesNotAnswer) {
  put_plugin("loopback", "#!/bin/sh\nexit 3\n");

  const Probe found = probe("loopback");

  EXPECT_TRUE(found.exists);
  EXPECT_FALSE(found.runs);
  EXPECT_THAT(found.runs.error().msg, HasSubstr("does not answer VERSION"));
}

TEST_F(ProbePlugin, TellsAnEmptyFile) {
  put_plugin("loopback", "");

  EXPECT_FALSE(probe("loopback").runs);
}

TEST_F(ProbePlugin, TellsALinkThatLeadsNowhere) {
  ASSERT_EQ(symlink("/nowhere", host.at(host.bin_dir + "/loopback").c_str()),
            0);

  const Probe found = probe("loopback");

  EXPECT_TRUE(found.exists);
  EXPECT_FALSE(found.runs);
}

TEST(CompareVersions, GoesByNumber) {
  EXPECT_LT(compare_versions("1.9.0", "1.10.0"), 0);
  EXPECT_GT(compare_versions("1.1.0", "1.0.9"), 0);
  EXPECT_EQ(compare_versions("1.1.0", "1.1.0"), 0);
  EXPECT_LT(compare_versions("1.1", "1.1.1"), 0);
  EXPECT_LT(compare_versions("", "0.1.0"), 0);
}

}  // namespace
}  // namespace linsey::install
