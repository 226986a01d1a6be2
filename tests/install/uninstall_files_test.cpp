#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "install/installer.h"
#include "install/uninstall.h"
#include "tests/install/host_tree.h"

namespace linsey::install {
namespace {

using ::testing::HasSubstr;

struct UninstallFiles : HostTree {
  UninstallFiles() {
    write("/image/linsey", linsey("1.0.0"), 0755);
    write("/image/loopback", linsey("1.0.0"), 0755);
    options.host = host;
    options.from = host.at("/image");
  }

  void install_all() const {
    const Installed done = install(options);
    EXPECT_TRUE(done.errors.empty()) << to_text(done);
  }
  Uninstalled remove(bool dry_run = false) const {
    const auto done =
        uninstall({.host = host, .dry_run = dry_run, .kernel = false});
    EXPECT_TRUE(done);
    return *done;
  }

  InstallOptions options;
};

TEST_F(UninstallFiles, RemovesAllThatInstallWrote) {
  EXPECT_TRUE(make_directories(host.at("/etc/NetworkManager")));
  EXPECT_TRUE(make_directories(host.at("/etc/systemd")));
  install_all();

  const Uninstalled done = remove();

  EXPECT_TRUE(done.clean()) << to_text(done, true);
  for (const char* path :
       {"/opt/cni/bin/linsey", "/opt/cni/bin/loopback", "/var/lib/linsey",
        "/etc/NetworkManager/conf.d", "/etc/systemd/network"}) {
    EXPECT_FALSE(there(path)) << path;
  }
  EXPECT_TRUE(there("/opt/cni/bin"));  // it was there before
}

TEST_F(UninstallFiles, LooksOnlyWithDryRun) {
  install_all();

  const Uninstalled done = remove(true);

  EXPECT_TRUE(there("/opt/cni/bin/linsey"));
  EXPECT_THAT(to_text(done, false), HasSubstr("/opt/cni/bin/linsey"));
}

TEST_F(UninstallFiles, GivesAReplacedPluginBack) {
  const std::string theirs = plugin("CNI loopback plugin v0.8", "0.4.0");
  put_plugin("loopback", theirs);
  install_all();
  ASSERT_EQ(text_of("/opt/cni/bin/loopback"), linsey("1.0.0"));

  EXPECT_TRUE(remove().clean());

  EXPECT_EQ(text_of("/opt/cni/bin/loopback"), theirs);
}

TEST_F(UninstallFiles, GivesAConflistItsNameBack) {
  write("/etc/cni/net.d/05-calico.conflist", R"({"name":"c"})");
  options.set_aside = true;
  install_all();
  ASSERT_FALSE(there("/etc/cni/net.d/05-calico.conflist"));

  EXPECT_TRUE(remove().clean());

  EXPECT_TRUE(there("/etc/cni/net.d/05-calico.conflist"));
}

TEST_F(UninstallFiles, RemovesOurConflistUnderAnyName) {
  write("/etc/cni/net.d/00-x.conflist",
        R"({"name":"linsey","plugins":[{"type":"linsey"}]})");

  EXPECT_TRUE(remove().clean());

  EXPECT_FALSE(there("/etc/cni/net.d/00-x.conflist"));
}

TEST_F(UninstallFiles, WorksWithoutARecord) {
  install_all();
  ASSERT_TRUE(remove_file(host.at("/var/lib/linsey/install.json")));

  EXPECT_TRUE(remove().clean());

  EXPECT_FALSE(there("/opt/cni/bin/loopback"));
}

TEST_F(UninstallFiles, LeavesAForeignLoopback) {
  install_all();
  put_plugin("loopback", plugin("CNI loopback plugin v9", "2.0.0"));

  const Uninstalled done = remove();

  EXPECT_TRUE(done.clean());
  EXPECT_TRUE(there("/opt/cni/bin/loopback"));
  EXPECT_THAT(to_text(done, false), HasSubstr("is not ours"));
}

TEST_F(UninstallFiles, RemovesWhatAKilledWriterLeft) {
  put_plugin(".linsey.tmp.123", "half");

  EXPECT_TRUE(remove().clean());

  EXPECT_FALSE(there("/opt/cni/bin/.linsey.tmp.123"));
}

TEST_F(UninstallFiles, RefusesBesideARunningAgent) {
  ASSERT_TRUE(make_directories(host.at("/var/lib/linsey")));
  const auto agent = FileLock::acquire(host.at("/var/lib/linsey/agent.lock"));

  const auto done = uninstall({.host = host, .kernel = false});

  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().msg, HasSubstr("DaemonSet"));
}

TEST_F(UninstallFiles, FindsNothingTheSecondTime) {
  install_all();
  (void)remove();

  const Uninstalled again = remove();

  EXPECT_TRUE(std::ranges::all_of(again.places, [](const Place& place) {
    return place.found.empty();
  })) << to_text(again, true);
}

TEST_F(UninstallFiles, PrintsEveryPlaceItLookedAt) {
  const std::string text = to_text(remove(), true);

  for (const char* what : {"conflists", "plugins", "leavings", "drop-ins",
                           "run files", "directories", "state"}) {
    EXPECT_THAT(text, HasSubstr(what));
  }
  EXPECT_THAT(text, HasSubstr("nothing left"));
}

}  // namespace
}  // namespace linsey::install
