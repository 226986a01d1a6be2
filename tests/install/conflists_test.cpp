#include "install/conflists.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/install/host_tree.h"

namespace linsey::install {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Conflists : HostTree {
  void put(const std::string& name, const std::string& text) const {
    write(host.conf_dir + "/" + name, text);
  }
};

TEST_F(Conflists, AreNoneInADirectoryThatIsMissing) {
  host.conf_dir = "/etc/other";

  EXPECT_THAT(*foreign_conflists(host), IsEmpty());
}

TEST_F(Conflists, DoNotCountOursNorFilesThatNoRuntimeReads) {
  put("10-linsey.conflist", "{}");
  put("00-old.conflist.bak", "{}");

  EXPECT_THAT(*foreign_conflists(host), IsEmpty());
}

TEST_F(Conflists, ThatSortBeforeOursAreFirst) {
  put("05-calico.conflist", R"({"name":"k8s-pod-network","plugins":[]})");
  put("99-bridge.conf", R"({"name":"old","type":"bridge"})");

  const auto found = *foreign_conflists(host);

  ASSERT_THAT(found, SizeIs(2));
  EXPECT_TRUE(found[0].first);
  EXPECT_EQ(found[0].network, "k8s-pod-network");
  EXPECT_FALSE(found[1].first);
  EXPECT_THAT(warning_of(host, found[0]).msg, HasSubstr("not Linsey"));
  EXPECT_THAT(warning_of(host, found[1]).msg, HasSubstr("not used"));
}

TEST_F(Conflists, OfOursUnderAnotherNameAreTold) {
  put("00-linsey.conflist", R"({"name":"x","plugins":[{"type":"linsey"}]})");

  EXPECT_TRUE(foreign_conflists(host)->front().ours);
}

TEST_F(Conflists, ThatAreNoJsonAreTold) {
  put("05-broken.conflist", "{");

  EXPECT_FALSE(foreign_conflists(host)->front().readable);
}

TEST_F(Conflists, GoAsideAndComeBack) {
  put("05-calico.conflist", R"({"name":"c","plugins":[]})");
  Record record;

  ASSERT_TRUE(set_aside(host, foreign_conflists(host)->front(), record));

  EXPECT_THAT(*foreign_conflists(host), IsEmpty());
  const auto& [path, aside] = *record.set_aside.begin();
  ASSERT_TRUE(restore_aside(host, path, aside));
  EXPECT_THAT(*foreign_conflists(host), SizeIs(1));
}

TEST_F(Conflists, AreNotRestoredOverANewOne) {
  put("05-calico.conflist", "old");
  Record record;
  ASSERT_TRUE(set_aside(host, foreign_conflists(host)->front(), record));
  put("05-calico.conflist", "new");

  const auto& [path, aside] = *record.set_aside.begin();
  ASSERT_TRUE(restore_aside(host, path, aside));

  EXPECT_EQ(text_of("/etc/cni/net.d/05-calico.conflist"), "new");
}

}  // namespace
}  // namespace linsey::install
