#include "datapath/plan.h"

#include <gmock/gmock.h>

#include "tests/datapath/wired_pod.h"
#include "tests/support/golden.h"

namespace linsey::datapath {
namespace {

using tests::attachment_of;
using tests::dual_stack;
using tests::expect_golden;
using tests::must;
using tests::on_eni;

std::string text_of(const ipam::Attachment& attachment,
                    const ipam::Allocation& allocation) {
  return to_text(must(make_plan(attachment, allocation)));
}

Code code_of(const ipam::Attachment& attachment,
             const ipam::Allocation& allocation) {
  const auto plan = make_plan(attachment, allocation);
  return plan ? Code::kInternal : plan.error().code;
}

TEST(Plan, OfADualStackPod) {
  expect_golden("plan-dual-stack.txt", text_of(attachment_of(), dual_stack()));
}

TEST(Plan, OfAPodOnAnEni) {
  expect_golden("plan-eni.txt", text_of(attachment_of(), on_eni()));
}

TEST(Plan, OfAnIpv6OnlyPod) {
  ipam::Allocation allocation = dual_stack();
  allocation.addresses.erase(allocation.addresses.begin());

  expect_golden("plan-ipv6.txt", text_of(attachment_of(), allocation));
}

TEST(Plan, OfASecondInterfaceAnswersThroughItself) {
  expect_golden("plan-net1.txt", text_of(attachment_of("net1"), dual_stack()));
}

TEST(Plan, OfAShapedPod) {
  ipam::Attachment attachment = attachment_of();
  attachment.bandwidth = {.ingress_rate = 1'000'000,
                          .ingress_burst = 0xffffffff,
                          .egress_rate = 100'000'000'000,
                          .egress_burst = 80'000'000};

  expect_golden("plan-shaped.txt", text_of(attachment, dual_stack()));
}

TEST(Plan, NamesTheHostLinkAsFelixDoes) {
  EXPECT_EQ(host_link_name(attachment_of().key, {"shop", "web-0", ""}),
            "calia4fc3c48bd8");
}

TEST(Plan, NamesTheHostLinkByContainerWithoutAPod) {
  const ipam::AttachmentKey key{"n", "0123456789abcdef", "eth0"};

  EXPECT_EQ(host_link_name(key, {}), "cali0123456789a");
}

TEST(Plan, NamesOtherInterfacesByTheWholeKey) {
  const ipam::Pod pod{"shop", "web-0", ""};
  const std::string one = host_link_name({"n", "c", "net1"}, pod);

  EXPECT_EQ(one.size(), 15U);
  EXPECT_TRUE(one.starts_with("lin"));
  EXPECT_NE(one, host_link_name({"m", "c", "net1"}, pod));
  EXPECT_NE(one, host_link_name({"n", "d", "net1"}, pod));
  EXPECT_NE(one, host_link_name({"n", "c", "net2"}, pod));
}

TEST(Plan, MarksTheLinkOfALongContainerIdByItsDigest) {
  const std::string id(300, 'x');
  const std::string alias = alias_of({"net1", id, "eth0"});

  EXPECT_LT(alias.size(), 255U);
  EXPECT_TRUE(alias.starts_with("linsey:~")) << alias;
  EXPECT_NE(alias, alias_of({"net1", id + "x", "eth0"}));
  EXPECT_EQ(alias_of({"net1", "c1", "eth0"}), "linsey:c1:eth0");
}

TEST(Plan, IsTheSameEachTime) {
  EXPECT_EQ(must(make_plan(attachment_of(), on_eni())),
            must(make_plan(attachment_of(), on_eni())));
}

TEST(Plan, TakesTheMacAndMtuThatWereAskedFor) {
  ipam::Attachment attachment = attachment_of();
  attachment.wanted_mac = must(Mac::parse("02:11:22:33:44:55"));
  attachment.wanted_mtu = 9000;

  const Plan plan = must(make_plan(attachment, dual_stack()));

  EXPECT_EQ(plan.pod.mac, *attachment.wanted_mac);
  EXPECT_EQ(plan.host.neighbors.front().mac, *attachment.wanted_mac);
  EXPECT_EQ(plan.pod.mtu, 9000U);
  EXPECT_EQ(plan.host.mtu, 9000U);
}

TEST(Plan, RefusesAnMtuThatTheFamilyCannotHave) {
  for (const std::uint32_t mtu : {0U, 67U, 1279U, 65536U, 70000U}) {
    ipam::Attachment attachment = attachment_of();
    attachment.wanted_mtu = mtu;
    EXPECT_EQ(code_of(attachment, dual_stack()), Code::kInvalidNetworkConfig);
  }
  ipam::Allocation v4 = dual_stack();
  v4.addresses.pop_back();
  v4.mtu = 576;
  EXPECT_TRUE(make_plan(attachment_of(), v4).has_value());
}

TEST(Plan, RefusesNamesThatNoInterfaceCanHave) {
  for (const char* name :
       {"", ".", "..", "lo", "a/b", "a b", "a:b", "a\nb", "0123456789abcdef"}) {
    EXPECT_EQ(code_of(attachment_of(name), dual_stack()),
              Code::kInvalidNetworkConfig)
        << name;
  }
}

TEST(Plan, RefusesAMacThatIsNotUnicast) {
  for (const char* mac : {"01:00:5e:00:00:01", "00:00:00:00:00:00"}) {
    ipam::Attachment attachment = attachment_of();
    attachment.wanted_mac = must(Mac::parse(mac));
    EXPECT_EQ(code_of(attachment, dual_stack()), Code::kInvalidNetworkConfig);
  }
}

TEST(Plan, RefusesAnAllocationWithoutOrWithTwoAddressesOfAFamily) {
  ipam::Allocation none = dual_stack();
  none.addresses.clear();
  ipam::Allocation twice = dual_stack();
  twice.addresses.push_back(twice.addresses.front());

  EXPECT_FALSE(make_plan(attachment_of(), none).has_value());
  EXPECT_FALSE(make_plan(attachment_of(), twice).has_value());
}

TEST(Plan, GivesEachAttachmentABirthGroupOfItsOwn) {
  const std::uint32_t group = birth_group({"n", "c", "eth0"});

  EXPECT_EQ(group >> 30, 1U);
  EXPECT_NE(group, birth_group({"n", "d", "eth0"}));
}

}  // namespace
}  // namespace linsey::datapath
