// CHECK: what verify sees, and what it leaves to others.
#include <gmock/gmock.h>

#include "datapath/wire.h"
#include "tests/datapath/wired_pod.h"

namespace linsey::datapath {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using tests::attachment_of;
using tests::must;
using tests::on_eni;

class Check : public tests::WiredTest {
 protected:
  void SetUp() override {
    WiredTest::SetUp();
    if (IsSkipped()) return;
    plan = must(make_plan(attachment_of(), on_eni()));
    must(wire(plan));
    link = plan.host.name;
  }
  Plan plan;
  std::string link;
};

TEST_F(Check, IsContentWithWhatAChainedPluginChanged) {
  sh(*pod, "ip link set eth0 mtu 1300; ip route add 10.9.0.0/16 dev eth0");
  sh(*host, "ip route add 10.9.0.0/16 dev " + link);

  EXPECT_THAT(differences(plan), IsEmpty());
}

TEST_F(Check, SeesAnAddressThatIsGone) {
  sh(*pod, "ip addr del fd00:64::7/128 dev eth0");

  EXPECT_THAT(differences(plan),
              ElementsAre("eth0: address fd00:64::7/128 is missing"));
}

TEST_F(Check, SeesTheDefaultRouteGone) {
  sh(*pod, "ip route del default");

  EXPECT_THAT(
      differences(plan),
      ElementsAre(
          "eth0: route 0.0.0.0/0 via 169.254.1.1 table 254 is missing"));
}

TEST_F(Check, SeesTheGatewaysNeighbourGone) {
  sh(*pod, "ip neigh del 169.254.1.1 dev eth0");

  EXPECT_THAT(differences(plan),
              ElementsAre(HasSubstr("neighbour 169.254.1.1")));
}

TEST_F(Check, SeesThePodsLinkDown) {
  sh(*pod, "ip link set eth0 down");

  EXPECT_THAT(differences(plan).front(), "eth0: link is down");
}

TEST_F(Check, SeesThePodsLinkGone) {
  sh(*pod, "ip link del eth0");

  EXPECT_THAT(differences(plan), testing::Contains("eth0: link is missing"));
}

TEST_F(Check, SeesAnotherMacInThePod) {
  sh(*pod, "ip link set eth0 address 02:00:00:00:00:99");

  EXPECT_THAT(differences(plan).front(), HasSubstr("MAC is 02:00:00:00:00:99"));
}

TEST_F(Check, SeesTheHostEndRenamed) {
  sh(*host, "ip link set " + link + " down name other");

  EXPECT_THAT(differences(plan), testing::Contains(link + ": link is missing"));
}

TEST_F(Check, SeesTheHostRouteGone) {
  sh(*host, "ip route del 10.64.0.7/32");

  EXPECT_THAT(differences(plan),
              ElementsAre(HasSubstr("route 10.64.0.7/32 src 192.168.50.1")));
}

TEST_F(Check, SeesAHostRouteWithAnotherSource) {
  sh(*host, "ip route replace 10.64.0.7/32 dev " + link + " scope link");

  EXPECT_THAT(differences(plan), ElementsAre(HasSubstr("10.64.0.7/32")));
}

TEST_F(Check, SeesARuleGone) {
  sh(*host, "ip rule del from 10.64.0.7 lookup 1003");

  EXPECT_THAT(
      differences(plan),
      ElementsAre(link +
                  ": rule 2048: from 10.64.0.7/32 lookup 1003 is missing"));
}

TEST_F(Check, SeesTheAliasGone) {
  sh(*host, "ip link set " + link + " alias x");

  EXPECT_THAT(differences(plan), ElementsAre(HasSubstr("alias")));
}

TEST_F(Check, SeesThatBothEndsAreOfDifferentPairs) {
  sh(*pod, fmt::format("ip link set eth0 name old; ip link add eth0 address {} "
                       "type veth peer name x",
                       plan.pod.mac.to_string()));

  EXPECT_THAT(differences(plan),
              testing::Contains(HasSubstr("is not the other end of")));
}

TEST_F(Check, OfTheHostSideSeesThePairGone) {
  sh(*pod, "ip link del eth0");

  in_host([&] {
    EXPECT_THAT(must(verify_host(plan)),
                testing::Contains(link + ": link is missing"));
  });
}

}  // namespace
}  // namespace linsey::datapath
