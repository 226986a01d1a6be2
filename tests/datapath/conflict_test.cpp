// ADD where something is in the way.
#include <gmock/gmock.h>

#include "datapath/wire.h"
#include "tests/datapath/wired_pod.h"

namespace linsey::datapath {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using tests::attachment_of;
using tests::dual_stack;
using tests::must;
using tests::on_eni;

class WireConflict : public tests::WiredTest {
 protected:
  static ipam::Attachment of_sandbox(const std::string& container_id) {
    ipam::Attachment attachment = attachment_of();
    attachment.key.container_id = container_id;
    return attachment;
  }
};

TEST_F(WireConflict, RefusesASecondAddAndKeepsTheFirst) {
  const Plan plan = must(make_plan(attachment_of(), on_eni()));
  must(wire(plan));
  const std::string before = host_state();

  const auto again = wire(plan);

  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Code::kInterfaceExists);
  EXPECT_EQ(host_state(), before);
  EXPECT_THAT(differences(plan), IsEmpty());
}

TEST_F(WireConflict, RefusesAnotherContainerInTheSameNamespace) {
  const Plan plan = must(make_plan(attachment_of(), dual_stack()));
  must(wire(plan));
  const std::string before = host_state();
  ipam::Attachment other = of_sandbox("c2");
  other.pod = {};
  ipam::Allocation allocation = dual_stack();
  allocation.addresses = {must(IpAddr::parse("10.64.0.8"))};

  const auto result = wire(must(make_plan(other, allocation)));

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kInterfaceExists);
  EXPECT_EQ(host_state(), before);
  EXPECT_THAT(differences(plan), IsEmpty());
}

TEST_F(WireConflict, RefusesAHostLinkThatIsNotOurs) {
  const Plan plan = must(make_plan(attachment_of(), dual_stack()));
  sh(*host, fmt::format("ip link add {} type veth peer name x && ip link set "
                        "{} alias somebody",
                        plan.host.name, plan.host.name));
  const std::string before = host_state();

  const auto result = wire(plan);

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kInterfaceExists);
  EXPECT_THAT(result.error().msg, HasSubstr("somebody"));
  EXPECT_EQ(host_state(), before);
}

TEST_F(WireConflict, TakesOverTheLinkOfAnotherSandboxOfThePod) {
  ipam::Allocation earlier = on_eni();
  earlier.addresses = {must(IpAddr::parse("10.64.0.9"))};
  must(wire(must(make_plan(of_sandbox("c0"), earlier))));
  const netlink::NetNs fresh = must(netlink::NetNs::create());
  const Plan plan = must(make_plan(of_sandbox("c1"), on_eni()));

  const Wired wired = must(wire(plan, fresh));

  EXPECT_EQ(wired.taken_over, "linsey:c0:eth0");
  EXPECT_THAT(host_state(), Not(HasSubstr("10.64.0.9")));
  in_host([&] { EXPECT_THAT(must(verify(plan, fresh)), IsEmpty()); });
  EXPECT_THAT(sh(*pod, "ip -br link"), Not(HasSubstr("eth0")));
}

TEST_F(WireConflict, TakesOverALinkThatWasLeftHalfMade) {
  const Plan plan = must(make_plan(attachment_of(), dual_stack()));
  sh(*host, fmt::format("ip link add {} group {} type veth peer name x",
                        plan.host.name, plan.birth_group));

  must(wire(plan));

  EXPECT_THAT(differences(plan), IsEmpty());
}

TEST_F(WireConflict, RefusesAnAddressThatALivingPodHas) {
  const Plan first = must(make_plan(attachment_of(), dual_stack()));
  must(wire(first));
  const std::string before = host_state();
  ipam::Attachment other = of_sandbox("c2");
  other.pod.name = "web-1";
  const netlink::NetNs fresh = must(netlink::NetNs::create());

  const auto result = wire(must(make_plan(other, dual_stack())), fresh);

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(host_state(), before);
  EXPECT_THAT(differences(first), IsEmpty());
}

}  // namespace
}  // namespace linsey::datapath
