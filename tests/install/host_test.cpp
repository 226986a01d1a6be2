#include "install/host.h"

#include <gtest/gtest.h>

#include "tests/install/host_tree.h"

namespace linsey::install {
namespace {

struct Flavors : HostTree {};

TEST_F(Flavors, AutoFindsK3sByItsDirectory) {
  ASSERT_TRUE(make_directories(host.at("/var/lib/rancher/k3s/agent")));

  ASSERT_TRUE(set_flavor(host, "auto"));

  EXPECT_EQ(host.bin_dir, "/var/lib/rancher/k3s/data/cni");
  EXPECT_EQ(host.conf_dir, "/var/lib/rancher/k3s/agent/etc/cni/net.d");
}

TEST_F(Flavors, AutoIsPlainWithoutASign) {
  ASSERT_TRUE(set_flavor(host, "auto"));

  EXPECT_EQ(host.bin_dir, "/opt/cni/bin");
}

TEST_F(Flavors, RefuseAWordThatIsNone) {
  EXPECT_EQ(set_flavor(host, "k9s").error().code, Code::kInvalidConfig);
}

TEST_F(Flavors, OfTheAgentsConfigurationAreTaken) {
  write("/agent.json",
        R"({"cni":{"binDir":"/b","confDir":"/c","conflist":"00-l.conflist"},)"
        R"("stateDir":"/s"})");

  ASSERT_TRUE(take_from_config(host, host.at("/agent.json")));

  EXPECT_EQ(host.bin_dir, "/b");
  EXPECT_EQ(host.conf_dir, "/c");
  EXPECT_EQ(host.conflist, "00-l.conflist");
  EXPECT_EQ(host.state_dir, "/s");
}

}  // namespace
}  // namespace linsey::install
