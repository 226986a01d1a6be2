#include <gmock/gmock.h>

#include "datapath/wire.h"
#include "tests/datapath/wired_pod.h"

namespace linsey::datapath {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using tests::attachment_of;
using tests::dual_stack;
using tests::must;
using tests::on_eni;

class TakeDown : public tests::WiredTest {
 protected:
  TakenDown take_down(const ipam::Attachment& attachment) {
    TakenDown taken;
    in_host([&] {
      taken = must(datapath::take_down(attachment.key, attachment.pod));
    });
    return taken;
  }
  TakenDown unwire(const ipam::AttachmentKey& key, const ipam::Pod& of) {
    TakenDown taken;
    in_host([&] { taken = must(datapath::unwire(key, of)); });
    return taken;
  }
};

TEST_F(TakeDown, EndsThePathAndLeavesTheLinkDying) {
  const std::string before = host_state();
  const Plan plan = must(make_plan(attachment_of(), on_eni()));
  const Wired wired = must(wire(plan));

  const TakenDown taken = take_down(attachment_of());

  EXPECT_EQ(taken.link_index, wired.host_index);
  EXPECT_EQ(taken.link_name, plan.host.name);
  EXPECT_THAT(taken.addresses, ElementsAre(must(IpAddr::parse(tests::kPod4)),
                                           must(IpAddr::parse(tests::kPod6))));
  netlink::Socket socket = must(netlink::Socket::open_in(*host));
  const netlink::Link link = must(socket.find_link(plan.host.name)).value();
  EXPECT_FALSE(link.up);
  EXPECT_EQ(link.group, netlink::kDyingGroup);
  EXPECT_THAT(sh(*host, "ip route; ip rule; ip -6 route; ip -6 rule"),
              testing::AllOf(Not(HasSubstr(tests::kPod4)),
                             Not(HasSubstr(tests::kPod6))));
}

TEST_F(TakeDown, MayBeRepeated) {
  must(wire(must(make_plan(attachment_of(), on_eni()))));

  const int index = take_down(attachment_of()).link_index;

  EXPECT_EQ(take_down(attachment_of()).link_index, index);
}

TEST_F(TakeDown, OfALinkThatWasHalfMadeMayBeRepeated) {
  // As an ADD leaves it that is killed before its last batch.
  const Plan plan = must(make_plan(attachment_of(), on_eni()));
  const int index = must(wire(plan)).host_index;
  netlink::Socket socket = must(netlink::Socket::open_in(*host));
  must(socket.run(netlink::Batch().set_link(
      index, {.alias = "", .group = plan.birth_group})));

  EXPECT_EQ(take_down(attachment_of()).link_index, index);
  EXPECT_EQ(take_down(attachment_of()).link_index, index)
      << "dying, and still known";
}

TEST_F(TakeDown, SucceedsWhereNothingWasMade) {
  EXPECT_EQ(take_down(attachment_of()).link_index, 0);
  EXPECT_EQ(unwire(attachment_of().key, {}).link_index, 0);
}

TEST_F(TakeDown, FindsTheLinkWithoutThePodsName) {
  const std::string before = host_state();
  must(wire(must(make_plan(attachment_of(), on_eni()))));

  unwire(attachment_of().key, {});

  EXPECT_EQ(host_state(), before);
}

TEST_F(TakeDown, FindsALinkThatWasRenamed) {
  const std::string before = host_state();
  const Plan plan = must(make_plan(attachment_of(), on_eni()));
  must(wire(plan));
  sh(*host, "ip link set " + plan.host.name + " down name renamed");

  unwire(plan.key, attachment_of().pod);

  // Being down cost the link its routes, so its rules had no address left to
  // be found by; the agent knows it.
  in_host([] {
    must(remove_rules(must(IpAddr::parse(tests::kPod4))));
    must(remove_rules(must(IpAddr::parse(tests::kPod6))));
  });
  EXPECT_EQ(host_state(), before);
}

TEST_F(TakeDown, TouchesNoLinkOfAnotherSandboxOfThePod) {
  const Plan plan = must(make_plan(attachment_of(), on_eni()));
  must(wire(plan));
  ipam::Attachment old = attachment_of();
  old.key.container_id = "c0";

  EXPECT_EQ(take_down(old).link_index, 0);
  EXPECT_EQ(unwire(old.key, old.pod).link_index, 0);

  EXPECT_THAT(differences(plan), IsEmpty());
}

TEST_F(TakeDown, TouchesNoForeignLinkOfOurName) {
  const std::string name =
      host_link_name(attachment_of().key, attachment_of().pod);
  sh(*host, "ip link add " + name + " type veth peer name x");
  const std::string before = host_state();

  EXPECT_EQ(unwire(attachment_of().key, attachment_of().pod).link_index, 0);

  EXPECT_EQ(host_state(), before);
}

TEST_F(TakeDown, RemovesALinkThatWasLeftHalfMade) {
  const std::string before = host_state();
  const Plan plan = must(make_plan(attachment_of(), dual_stack()));
  sh(*host, fmt::format("ip link add {} group {} type veth peer name x",
                        plan.host.name, plan.birth_group));

  EXPECT_NE(unwire(plan.key, attachment_of().pod).link_index, 0);

  EXPECT_EQ(host_state(), before);
}

TEST_F(TakeDown, SparesThePodThatGotTheAddressLater) {
  must(wire(must(make_plan(attachment_of(), on_eni()))));
  take_down(attachment_of());
  ipam::Attachment later = attachment_of();
  later.key.container_id = "c2";
  later.pod.name = "web-1";
  const Plan plan = must(make_plan(later, on_eni()));
  const netlink::NetNs fresh = must(netlink::NetNs::create());
  must(wire(plan, fresh));

  unwire(attachment_of().key, attachment_of().pod);

  in_host([&] { EXPECT_THAT(must(verify(plan, fresh)), IsEmpty()); });
}

TEST_F(TakeDown, SucceedsWhenTheInterfaceWasDeletedByHand) {
  const Plan plan = must(make_plan(attachment_of(), dual_stack()));
  must(wire(plan));
  sh(*pod, "ip link del eth0");

  EXPECT_EQ(unwire(plan.key, attachment_of().pod).link_index, 0);
}

TEST_F(TakeDown, SucceedsWhenTheNamespaceIsGone) {
  const std::string before = host_state();
  must(wire(must(make_plan(attachment_of(), on_eni()))));
  pod.reset();

  unwire(attachment_of().key, attachment_of().pod);

  in_host([] {
    must(remove_rules(must(IpAddr::parse(tests::kPod4))));
    must(remove_rules(must(IpAddr::parse(tests::kPod6))));
  });
  EXPECT_EQ(host_state(), before);
}

TEST_F(TakeDown, RemovesTheIfbOfAShapedPod) {
  const std::string before = host_state();
  ipam::Attachment attachment = attachment_of();
  attachment.bandwidth = {.ingress_rate = 1'000'000, .egress_rate = 1'000'000};
  must(wire(must(make_plan(attachment, on_eni()))));

  unwire(attachment.key, attachment.pod);

  EXPECT_EQ(host_state(), before);
}

TEST_F(TakeDown, PutsTheIfbOfAShapedPodIntoTheDyingGroupToo) {
  const std::string before = host_state();
  ipam::Attachment attachment = attachment_of();
  attachment.bandwidth = {.ingress_rate = 1'000'000, .egress_rate = 1'000'000};
  must(wire(must(make_plan(attachment, on_eni()))));

  take_down(attachment);
  must(must(netlink::Socket::open_in(*host))
           .run(netlink::Batch().delete_group(netlink::kDyingGroup)));

  EXPECT_EQ(host_state(), before);
}

TEST_F(TakeDown, TraceListsLinksRulesAndAddressesOfOurs) {
  EXPECT_THAT(ours().links, IsEmpty());
  sh(*host,
     "ip link add foreign type veth peer name x;"
     "ip rule add from 10.64.0.9 lookup 99 prio 7;"
     "ip link add lin00000000000a group 1073741824 type veth peer name y");
  const Plan plan = must(make_plan(attachment_of(), on_eni()));
  const Wired wired = must(wire(plan));

  const Traces traces = ours();

  EXPECT_THAT(traces.rules, SizeIs(4));
  ASSERT_THAT(traces.links, SizeIs(2));
  EXPECT_EQ(traces.links[1],
            (OurLink{.index = wired.host_index,
                     .name = plan.host.name,
                     .container_id = "c1",
                     .ifname = "eth0",
                     .addresses = {must(IpAddr::parse(tests::kPod4)),
                                   must(IpAddr::parse(tests::kPod6))}}));
  EXPECT_TRUE(traces.links[0].half_made);
}

TEST_F(TakeDown, OfATraceEndsThePath) {
  must(wire(must(make_plan(attachment_of(), on_eni()))));
  const OurLink link = ours().links.at(0);

  in_host([&] {
    EXPECT_EQ(must(datapath::take_down(link)).link_index, link.index);
  });

  const Traces after = ours();
  EXPECT_THAT(after.rules, IsEmpty());
  EXPECT_TRUE(after.links.at(0).dying);
}

}  // namespace
}  // namespace linsey::datapath
