#include <algorithm>

#include <gmock/gmock.h>

#include "datapath/wire.h"
#include "tests/datapath/wired_pod.h"

namespace linsey::datapath {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using tests::attachment_of;
using tests::dual_stack;
using tests::must;

class Bandwidth : public tests::WiredTest {
 protected:
  Plan shaped(const ipam::Bandwidth& bandwidth) {
    ipam::Attachment attachment = attachment_of();
    attachment.bandwidth = bandwidth;
    return must(make_plan(attachment, dual_stack()));
  }
  Plan both_ways() {
    return shaped({.ingress_rate = 1'000'000,
                   .ingress_burst = 200'000,
                   .egress_rate = 2'000'000,
                   .egress_burst = 200'000});
  }
};

TEST_F(Bandwidth, PutsABucketOnEachDirection) {
  const Plan plan = both_ways();
  must(wire(plan));

  EXPECT_THAT(differences(plan), IsEmpty());
  EXPECT_THAT(sh(*host, "tc qdisc show dev " + plan.host.name),
              HasSubstr("rate 1Mbit"));
  EXPECT_THAT(sh(*host, "tc qdisc show dev " + plan.shaping.ifb_name),
              HasSubstr("rate 2Mbit"));
  EXPECT_THAT(sh(*host, "ip link show " + plan.shaping.ifb_name),
              HasSubstr("alias linsey:c1:eth0"));
}

TEST_F(Bandwidth, ShapesOneDirectionAlone) {
  const Plan plan = shaped({.ingress_rate = 1'000'000});
  must(wire(plan));

  EXPECT_THAT(differences(plan), IsEmpty());
  EXPECT_THAT(sh(*host, "ip -br link"), testing::Not(HasSubstr("lfb")));
}

TEST_F(Bandwidth, KeepsA100GbitRate) {
  const Plan plan = shaped({.ingress_rate = 100'000'000'000,
                            .ingress_burst = 34359738359,
                            .egress_rate = 100'000'000'000,
                            .egress_burst = 0xffffffff});
  must(wire(plan));

  EXPECT_THAT(differences(plan), IsEmpty());
}

TEST_F(Bandwidth, IsMissedByCheckWhenItIsGone) {
  const Plan plan = both_ways();
  must(wire(plan));
  sh(*host, fmt::format("tc qdisc del dev {} root; tc qdisc del dev {} ingress;"
                        "tc qdisc replace dev {} root handle 1: tbf rate 9mbit "
                        "burst 20000 limit 30000",
                        plan.host.name, plan.host.name, plan.shaping.ifb_name));

  EXPECT_THAT(differences(plan),
              ElementsAre(HasSubstr("token bucket is missing"),
                          HasSubstr("token bucket has rate 1125000"),
                          HasSubstr("is not led to")));
}

TEST_F(Bandwidth, IsRepaired) {
  const Plan plan = both_ways();
  must(wire(plan));
  sh(*host, fmt::format("tc qdisc del dev {} root; ip link del {}",
                        plan.host.name, plan.shaping.ifb_name));

  in_host([&] { must(repair_host(plan)); });

  EXPECT_THAT(differences(plan), IsEmpty());
}

TEST_F(Bandwidth, UsesAnIfbThatAKilledAddLeft) {
  const Plan plan = both_ways();
  sh(*host, "ip link add " + plan.shaping.ifb_name + " type ifb");

  must(wire(plan));

  EXPECT_THAT(differences(plan), IsEmpty());
}

}  // namespace
}  // namespace linsey::datapath
