#include "datapath/wire.h"

#include <gmock/gmock.h>

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

class Wire : public tests::WiredTest {};

TEST_F(Wire, MakesTheWholePlanTrue) {
  const Plan plan = must(make_plan(attachment_of(), on_eni()));

  const Wired wired = must(wire(plan));

  EXPECT_THAT(differences(plan), IsEmpty());
  EXPECT_EQ(wired.taken_over, std::nullopt);
  netlink::Socket socket = must(netlink::Socket::open_in(*host));
  const netlink::Link link = must(socket.find_link(wired.host_index)).value();
  EXPECT_EQ(link.name, plan.host.name);
  EXPECT_EQ(link.alias, "linsey:c1:eth0");
  EXPECT_EQ(link.group, 0U);
  EXPECT_EQ(link.peer_index, wired.pod_index);
}

TEST_F(Wire, BringsUpLoopbackInThePod) {
  must(wire(must(make_plan(attachment_of(), dual_stack()))));

  EXPECT_THAT(sh(*pod, "ip -br link show lo"), HasSubstr("UP"));
}

TEST_F(Wire, LeavesNoAddressTentative) {
  must(wire(must(make_plan(attachment_of(), dual_stack()))));

  EXPECT_EQ(sh(*pod, "ip -6 addr show tentative"), "");
  EXPECT_THAT(sh(*pod, "ip -6 addr show dev eth0"), HasSubstr("fe80::"));
}

TEST_F(Wire, SetsThePerLinkSysctlsOfTheHostLinkAlone) {
  const Plan plan = must(make_plan(attachment_of(), dual_stack()));
  must(wire(plan));

  in_host([&] {
    const std::string v4 = "net/ipv4/conf/" + plan.host.name;
    EXPECT_EQ(must(netlink::get_sysctl(v4 + "/rp_filter")), "1");
    EXPECT_EQ(must(netlink::get_sysctl(v4 + "/forwarding")), "1");
    EXPECT_EQ(must(netlink::get_sysctl(v4 + "/proxy_arp")), "0");
    EXPECT_EQ(must(netlink::get_sysctl("net/ipv4/ip_forward")), "0");
    EXPECT_EQ(must(netlink::get_sysctl("net/ipv6/conf/all/forwarding")), "0");
    EXPECT_EQ(must(netlink::get_sysctl("net/ipv4/conf/all/rp_filter")), "0");
  });
}

TEST_F(Wire, WorksWithoutNodeAddresses) {
  ipam::Allocation allocation = dual_stack();
  allocation.node_addresses.clear();

  const Plan plan = must(make_plan(attachment_of(), allocation));
  must(wire(plan));

  EXPECT_THAT(differences(plan), IsEmpty());
}

TEST_F(Wire, EnablesIpv6WhereThePodHasItDisabled) {
  must(netlink::set_sysctl_in(*pod, "net/ipv6/conf/default/disable_ipv6", "1"));
  const Plan plan = must(make_plan(attachment_of(), dual_stack()));

  must(wire(plan));

  EXPECT_THAT(differences(plan), IsEmpty());
}

TEST_F(Wire, ReplacesRulesThatAnEarlierHolderOfTheAddressLeft) {
  sh(*host, "ip rule add from 10.64.0.7 lookup 1002 prio 2048 protocol 80");
  const Plan plan = must(make_plan(attachment_of(), on_eni()));

  must(wire(plan));

  EXPECT_THAT(sh(*host, "ip rule"), Not(HasSubstr("1002")));
  EXPECT_THAT(differences(plan), IsEmpty());
}

TEST_F(Wire, GivesAPodTwoInterfacesThatDoNotDisturbEachOther) {
  const Plan eth0 = must(make_plan(attachment_of(), dual_stack()));
  ipam::Allocation other = dual_stack();
  other.addresses = {must(IpAddr::parse("10.64.0.8")),
                     must(IpAddr::parse("fd00:64::8"))};
  const Plan net1 = must(make_plan(attachment_of("net1"), other));

  must(wire(eth0));
  must(wire(net1));
  EXPECT_THAT(differences(eth0), IsEmpty());
  EXPECT_THAT(differences(net1), IsEmpty());

  in_host([&] { must(unwire(net1.key, {})); });
  EXPECT_THAT(differences(eth0), IsEmpty());
}

TEST_F(Wire, LeavesNothingWhenUndone) {
  const std::string before = host_state();
  ipam::Attachment attachment = attachment_of();
  attachment.bandwidth = {.ingress_rate = 1'000'000, .egress_rate = 1'000'000};
  const Plan plan = must(make_plan(attachment, on_eni()));

  must(wire(plan, *pod, /*keep=*/false));

  EXPECT_EQ(host_state(), before);
  EXPECT_THAT(sh(*pod, "ip -br link"), Not(HasSubstr("eth0")));
}

/// A plan with one step that the kernel refuses, for each place it can fail.
struct Broken {
  const char* name;
  void (*spoil)(Plan& plan);
  const char* says;
};

class WireFailing : public tests::WiredTest,
                    public testing::WithParamInterface<Broken> {};

TEST_P(WireFailing, LeavesNothingBehind) {
  const std::string before = host_state();
  Plan plan = must(make_plan(attachment_of(), on_eni()));
  GetParam().spoil(plan);

  const auto result = wire(plan);

  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().msg, HasSubstr(GetParam().says));
  EXPECT_EQ(host_state(), before);
  EXPECT_THAT(sh(*pod, "ip -br link"), Not(HasSubstr("eth0")));
}

const netlink::Route kNoGateway{.dst = Cidr(IpAddr::v4(0x0a090000), 16),
                                .gateway = IpAddr::v4(0x0a0a0a0a)};

INSTANTIATE_TEST_SUITE_P(
    AtEachStep, WireFailing,
    testing::Values(
        Broken{"HostRoute",
               [](Plan& plan) { plan.host.routes.push_back(kNoGateway); },
               "wire the host side: add route 10.9.0.0/16"},
        Broken{"HostSource",
               [](Plan& plan) {
                 plan.host.routes[0].src = IpAddr::v4(0x01020304);
               },
               "wire the host side: add route 10.64.0.7/32"},
        Broken{
            "HostRule",
            [](Plan& plan) { plan.host.rules.push_back(plan.host.rules[0]); },
            "wire the host side: add rule 512"},
        Broken{"Bucket",
               [](Plan& plan) { plan.shaping.to_pod = netlink::Tbf{}; },
               "token bucket"},
        Broken{"PodAddress",
               [](Plan& plan) {
                 plan.pod.addresses.push_back(plan.pod.addresses[0]);
               },
               "wire the pod side: add address 10.64.0.7/32"},
        Broken{"PodRoute",
               [](Plan& plan) { plan.pod.routes.push_back(kNoGateway); },
               "wire the pod side: add route 10.9.0.0/16"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_F(Wire, LeavesNothingWhenTheKernelRefusesTheMtu) {
  const std::string before = host_state();
  Plan plan = must(make_plan(attachment_of(), dual_stack()));
  plan.host.mtu = plan.pod.mtu = 70000;

  const auto result = wire(plan);

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(host_state(), before);
}

TEST_F(Wire, RepairsTheHostSide) {
  const Plan plan = must(make_plan(attachment_of(), on_eni()));
  must(wire(plan));
  sh(*host, fmt::format("ip route flush dev {0}; ip -6 route flush dev {0};"
                        "ip rule del prio 512; ip neigh flush dev {0} nud all;"
                        "ip link set {0} address 02:00:00:00:00:01",
                        plan.host.name));

  in_host([&] {
    EXPECT_FALSE(must(verify_host(plan)).empty());
    must(repair_host(plan));
  });

  EXPECT_THAT(differences(plan), IsEmpty());
}

TEST_F(Wire, RepairsNoLinkOfAnotherSandbox) {
  const Plan plan = must(make_plan(attachment_of(), dual_stack()));
  must(wire(plan));
  ipam::Attachment other = attachment_of();
  other.key.container_id = "c2";
  const Plan stale = must(make_plan(other, dual_stack()));

  in_host([&] {
    const auto result = repair_host(stale);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Code::kStateMismatch);
  });
  EXPECT_THAT(differences(plan), IsEmpty());
}

}  // namespace
}  // namespace linsey::datapath
