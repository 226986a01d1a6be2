#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "install/uninstall.h"
#include "netlink/nft.h"
#include "netlink/nft_tables.h"
#include "netlink/sysctl_record.h"
#include "tests/support/netns.h"
#include "tests/support/temp_dir.h"

namespace linsey::install {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct UninstallKernel : tests::NetnsTest {
  UninstallKernel() {
    place.root = dir.path();
    EXPECT_TRUE(make_directories(place.at(place.state_dir)));
  }

  std::string remove(bool dry_run = false) {
    std::string text;
    in_host([&] {
      const auto done =
          uninstall({.host = place, .dry_run = dry_run, .files = false});
      ASSERT_TRUE(done) << to_string(done.error());
      EXPECT_TRUE(done->clean()) << to_text(*done, true);
      text = to_text(*done, true);
    });
    return text;
  }

  tests::TempDir dir;
  Host place;
};

TEST_F(UninstallKernel, RemovesWhatCarriesOurMarksOnly) {
  sh(*host,
     "ip link add calia type veth peer name b && "
     "ip link set calia alias linsey:c1:eth0 up && "
     "ip link add foreign type veth peer name d && ip link set foreign up && "
     "ip link add lfb0123456789ab type ifb && "
     "ip link add ifb9 type ifb && "
     "ip route add 10.9.0.1/32 dev calia proto 80 && "
     "ip route add blackhole 10.9.0.0/26 proto 80 && "
     "ip route add 10.8.0.0/24 dev foreign && "
     "ip route add default dev foreign table 1007 proto 80 && "
     "ip rule add pref 512 to 10.9.0.1 lookup main protocol 80 && "
     "ip rule add pref 600 from 10.8.0.1 lookup 100 && "
     "ip -6 rule add pref 2048 from fd00::1 lookup 1007 protocol 80");

  const std::string text = remove();

  const std::string after =
      sh(*host, "ip link; ip rule; ip -6 rule; ip route show table all");
  for (const char* ours : {"calia", "lfb0123456789ab", "10.9.0", "1007"}) {
    EXPECT_THAT(after, Not(HasSubstr(ours)));
    EXPECT_THAT(text, HasSubstr(ours));
  }
  for (const char* theirs : {"foreign", "ifb9", "10.8.0.0/24", "10.8.0.1"}) {
    EXPECT_THAT(after, HasSubstr(theirs));
  }
  EXPECT_THAT(text, HasSubstr("nothing left"));
}

TEST_F(UninstallKernel, OnlyLooksWithDryRun) {
  sh(*host, "ip route add blackhole 10.9.0.0/26 proto 80");

  EXPECT_THAT(remove(true), HasSubstr("blackhole 10.9.0.0/26"));

  EXPECT_THAT(sh(*host, "ip route"), HasSubstr("10.9.0.0/26"));
}

TEST_F(UninstallKernel, RemovesHalfMadeLinks) {
  sh(*host,
     "ip link add caliabcdefghijk type veth peer name b && "
     "ip link set caliabcdefghijk group 1073741830");

  EXPECT_THAT(remove(), HasSubstr("caliabcdefghijk"));

  EXPECT_FALSE(succeeds(*host, "ip link show caliabcdefghijk"));
}

TEST_F(UninstallKernel, RemovesAFilterOfOthersLinksThatLeadsIntoOurIfb) {
  sh(*host,
     "ip link add nic type veth peer name d && ip link set nic up && "
     "ip link add lfb0123456789ab type ifb && "
     "ip link set lfb0123456789ab up && tc qdisc add dev nic ingress && "
     "tc filter add dev nic parent ffff: protocol all u32 match u32 0 0 "
     "action mirred egress redirect dev lfb0123456789ab");

  EXPECT_THAT(remove(), HasSubstr("ingress of nic"));

  EXPECT_THAT(sh(*host, "tc qdisc show dev nic"), Not(HasSubstr("ingress")));
}

TEST_F(UninstallKernel, RemovesLearnedRoutesIntoOurPoolsOnly) {
  ASSERT_TRUE(write_file_atomic(place.at(place.state_dir) + "/config.json",
                                R"({"pools":[{"cidr":"10.9.0.0/16"}]})"));
  sh(*host,
     "ip link add nic type veth peer name d && ip link set nic up && "
     "ip route add 10.9.1.0/26 dev nic proto bird && "
     "ip route add 10.7.0.0/24 dev nic proto bird");

  EXPECT_THAT(remove(), HasSubstr("10.9.1.0/26"));

  const std::string after = sh(*host, "ip route");
  EXPECT_THAT(after, Not(HasSubstr("10.9.1.0/26")));
  EXPECT_THAT(after, HasSubstr("10.7.0.0/24"));
}

TEST_F(UninstallKernel, DeletesOurTablesOfNftables) {
  in_host([] {
    auto nft = tests::must(netlink::Nft::open());
    tests::must(
        nft.run("table inet linsey_hostports { chain c { }; }\n"
                "table inet other { }\n"
                "table ip linsey_marks { }"));
  });

  EXPECT_THAT(remove(), HasSubstr("inet linsey_hostports"));

  in_host([] {
    const auto left = tests::must(netlink::nft_tables(""));
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].name, "other");
  });
}

TEST_F(UninstallKernel, PutsRecordedSysctlsBack) {
  const std::string key = "net/ipv4/conf/lo/forwarding";
  in_host([&] {
    const std::string before = tests::must(netlink::get_sysctl(key));
    auto record = netlink::SysctlRecord::load(place.at(place.state_dir) +
                                              "/sysctls.json");
    tests::must(record.note({key}));
    tests::must(netlink::set_sysctl(key, before == "1" ? "0" : "1"));
    tests::must(record.note({key}));  // ours now; the first note stands
    EXPECT_EQ(record.values().at(key), before);
  });

  EXPECT_THAT(remove(), HasSubstr(key));

  in_host([&] {
    const auto record = netlink::SysctlRecord::load(place.at(place.state_dir) +
                                                    "/sysctls.json");
    EXPECT_EQ(tests::must(netlink::get_sysctl(key)), record.values().at(key));
  });
}

}  // namespace
}  // namespace linsey::install
