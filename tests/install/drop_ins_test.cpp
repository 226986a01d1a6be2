#include "install/drop_ins.h"

#include <fnmatch.h>

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "datapath/plan.h"

namespace linsey::install {
namespace {

using ::testing::HasSubstr;

const ipam::AttachmentKey kKey{
    .network = "linsey", .container_id = "0123456789abcdef", .ifname = "eth0"};

TEST(DropIns, CoverEveryNameThatALinkOfOursGets) {
  const std::string text = drop_ins({}).at(1).content;
  ipam::AttachmentKey second = kKey;
  second.ifname = "net1";

  for (const std::string& name :
       {datapath::host_link_name(kKey, {.name_space = "a", .name = "b"}),
        datapath::host_link_name(kKey, {}),
        datapath::host_link_name(second, {}), datapath::ifb_name(kKey)}) {
    const std::string pattern =
        name.substr(0, name.starts_with("cali") ? 4 : 3);
    const std::size_t at = text.find(pattern + "?");
    ASSERT_NE(at, std::string::npos) << name;
    const std::string glob =
        text.substr(at, text.find_first_of(" \n", at) - at);
    EXPECT_EQ(fnmatch(glob.c_str(), name.c_str(), 0), 0)
        << glob << " and " << name;
  }
}

TEST(DropIns, KeepNetworkdFromRulesAndRoutesOfOthers) {
  const std::string text = drop_ins({}).at(2).content;

  EXPECT_THAT(text, HasSubstr("ManageForeignRoutes=no"));
  EXPECT_THAT(text, HasSubstr("ManageForeignRoutingPolicyRules=no"));
}

TEST(DropIns, TakeFurtherLinksOn) {
  const auto all = drop_ins({"eth[1-9]"});

  EXPECT_THAT(all.at(0).content, HasSubstr(";interface-name:eth[1-9]"));
  EXPECT_THAT(all.at(1).content, HasSubstr(" eth[1-9]\n"));
}

TEST(DropIns, NeverMatchEveryLink) {
  for (const DropIn& one : drop_ins({})) {
    EXPECT_THAT(one.content, ::testing::Not(HasSubstr("=*")));
    EXPECT_THAT(one.content, ::testing::Not(HasSubstr("lin*")));
  }
}

}  // namespace
}  // namespace linsey::install
