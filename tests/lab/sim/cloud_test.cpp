#include "lab/sim/cloud.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/lab/sim/support.h"

namespace linsey::sim::tests {
namespace {

using std::chrono::seconds;

TEST(SimCloud, CreatesAnEniWithTheAddressesAsked) {
  SmallCloud small;

  const std::string body = ask_ok(small.cloud, "CreateNetworkInterface",
                                  {{"VSwitchId", "vsw-pod-a"},
                                   {"SecurityGroupIds.1", "sg-1"},
                                   {"SecondaryPrivateIpAddressCount", "4"},
                                   {"Ipv6AddressCount", "5"},
                                   {"Tag.1.Key", "owner"},
                                   {"Tag.1.Value", "linsey"}});

  EXPECT_EQ(at(body, "/Status"), "Available");
  EXPECT_EQ(at(body, "/ZoneId"), "cn-sim-a");
  EXPECT_EQ(size_at(body, "/PrivateIpSets/PrivateIpSet"), 5U);
  EXPECT_EQ(at(body, "/PrivateIpSets/PrivateIpSet/0/Primary"), "true");
  EXPECT_EQ(size_at(body, "/Ipv6Sets/Ipv6Set"), 5U);
  EXPECT_EQ(at(body, "/Tags/Tag/0/TagKey"), "owner");
  EXPECT_NE(at(body, "/RequestId"), "");
}

TEST(SimCloud, GivesNoReservedAddressAndNoAddressTwice) {
  SmallCloud small;
  const Params wish = {{"VSwitchId", "vsw-tiny"}, {"SecurityGroupId", "sg-1"}};
  ASSERT_EQ(small.cloud.free_addresses("vsw-tiny"), 4U);

  for (int i = 0; i < 4; ++i)
    make_eni(small.cloud, wish);
  const Reply fifth = ask(small.cloud, "CreateNetworkInterface", wish);

  EXPECT_EQ(fifth.status, 403);
  EXPECT_EQ(fifth.code, "InvalidVSwitchId.IpNotEnough");
  std::set<std::string> given;
  for (const BookLine& line : small.cloud.books()) {
    if (line.v_switch == "vsw-tiny") given.insert(line.address.to_string());
  }
  EXPECT_THAT(given, testing::ElementsAre("172.16.48.1", "172.16.48.2",
                                          "172.16.48.3", "172.16.48.4"));
}

TEST(SimCloud, RefusesReservedForeignAndUsedAddresses) {
  SmallCloud small;
  const auto code = [&](const std::string& address) {
    return ask(small.cloud, "CreateNetworkInterface",
               {{"VSwitchId", "vsw-pod-a"},
                {"SecurityGroupId", "sg-1"},
                {"PrimaryIpAddress", address}})
        .code;
  };

  EXPECT_EQ(code("172.16.16.7"), "");
  EXPECT_EQ(code("172.16.16.7"), "InvalidPrivateIpAddress.Duplicated");
  EXPECT_EQ(code("172.16.16.0"), "InvalidVSwitchId.IpInvalid");
  EXPECT_EQ(code("172.16.16.253"), "InvalidVSwitchId.IpInvalid");
  EXPECT_EQ(code("172.16.17.1"), "InvalidVSwitchId.IpInvalid");
  EXPECT_EQ(code("hello"), "InvalidIp.Address");
}

TEST(SimCloud, ChecksWhatCreateIsGiven) {
  SmallCloud small;
  const auto code = [&](Params params) {
    return ask(small.cloud, "CreateNetworkInterface", std::move(params)).code;
  };

  EXPECT_EQ(code({{"SecurityGroupId", "sg-1"}}), "MissingParameter");
  EXPECT_EQ(code({{"VSwitchId", "vsw-pod-a"}}), "MissingParameter");
  EXPECT_EQ(code({{"VSwitchId", "vsw-no"}, {"SecurityGroupId", "sg-1"}}),
            "InvalidVSwitchId.NotFound");
  EXPECT_EQ(code({{"VSwitchId", "vsw-pod-a"}, {"SecurityGroupId", "sg-no"}}),
            "InvalidSecurityGroupId.NotFound");
  EXPECT_EQ(code({{"VSwitchId", "vsw-pod-a"}, {"SecurityGroupId", "sg-2"}}),
            "InvalidOperation.VpcMismatch");
  EXPECT_EQ(code({{"VSwitchId", "vsw-pod-a"},
                  {"SecurityGroupId", "sg-1"},
                  {"SecurityGroupIds.1", "sg-1"}}),
            "InvalidParameter.Conflict");
  EXPECT_EQ(code({{"VSwitchId", "vsw-pod-b"},
                  {"SecurityGroupId", "sg-1"},
                  {"Ipv6AddressCount", "1"}}),
            "InvalidVSwitch.Ipv6NotTurnOn");
  EXPECT_EQ(code({{"VSwitchId", "vsw-pod-a"},
                  {"SecurityGroupId", "sg-1"},
                  {"InstanceType", "ecs.g7.large"}}),
            "InvalidParameter");
  EXPECT_EQ(code({{"VSwitchId", "vsw-pod-a"},
                  {"SecurityGroupId", "sg-1"},
                  {"VSwitchID", "vsw-pod-a"}}),
            "UnsupportedParameter");
  EXPECT_EQ(code({{"VSwitchId", "vsw-pod-a"},
                  {"SecurityGroupId", "sg-1"},
                  {"Tag.1.Key", "acs:x"}}),
            "InvalidTagKey.Malformed");
}

TEST(SimCloud, AttachesAfterTheLatencyAndTellsTheHook) {
  SmallCloud small;
  small.cloud.tune([](Knobs& knobs) { knobs.attach_time = seconds(3); });
  std::vector<std::string> seen;
  small.cloud.set_hooks(
      {.attached = [&](const EniView& eni) { seen.push_back(eni.instance); },
       .detached = {},
       .addresses_changed = {}});
  const std::string eni = attached_eni(small.cloud);

  EXPECT_EQ(eni_status(small.cloud, eni), "Attaching");
  EXPECT_THAT(seen, testing::IsEmpty());
  EXPECT_EQ(small.cloud.advance(), Duration(seconds(3)));
  small.clock.advance(seconds(3));
  EXPECT_EQ(small.cloud.advance(), std::nullopt);
  EXPECT_THAT(seen, testing::ElementsAre("i-a"));
  EXPECT_EQ(eni_status(small.cloud, eni), "InUse");
}

TEST(SimCloud, RefusesToAttachAcrossZonesAndPastTheQuota) {
  SmallCloud small;
  const auto attach = [&](const std::string& eni, const std::string& instance) {
    return ask(small.cloud, "AttachNetworkInterface",
               {{"NetworkInterfaceId", eni}, {"InstanceId", instance}});
  };
  const std::string third = make_eni(small.cloud);

  EXPECT_EQ(attach(third, "i-b").code,
            "InvalidOperation.AvailabilityZoneMismatch");
  EXPECT_EQ(attach(third, "i-none").code, "InvalidInstanceId.NotFound");
  EXPECT_EQ(attach(third, "i-none").status, 403);
  EXPECT_EQ(attach("eni-none", "i-a").code, "InvalidEniId.NotFound");
  EXPECT_EQ(attach("none", "i-a").code, "InvalidParams.EniId");
  attached_eni(small.cloud);
  attached_eni(small.cloud);
  EXPECT_EQ(attach(third, "i-a").code, "EniPerInstanceLimitExceeded");
  EXPECT_EQ(eni_status(small.cloud, third), "Available");
}

TEST(SimCloud, HoldsTheAddressQuotaOfTheType) {
  SmallCloud small;
  const std::string eni = attached_eni(small.cloud);
  const Params five = {{"NetworkInterfaceId", eni},
                       {"SecondaryPrivateIpAddressCount", "5"}};

  const std::string body =
      ask_ok(small.cloud, "AssignPrivateIpAddresses", five);
  const Reply more = ask(
      small.cloud, "AssignPrivateIpAddresses",
      {{"NetworkInterfaceId", eni}, {"SecondaryPrivateIpAddressCount", "1"}});

  EXPECT_EQ(size_at(body,
                    "/AssignedPrivateIpAddressesSet/PrivateIpSet/"
                    "PrivateIpAddress"),
            5U);
  EXPECT_EQ(more.code, "InvalidOperation.Ipv4CountExceeded");
  EXPECT_EQ(more.status, 403);
}

TEST(SimCloud, RefusesMoreAddressesPerCallThanIsSafe) {
  SmallCloud small;
  const std::string eni = make_eni(small.cloud);

  const Reply reply = ask(
      small.cloud, "AssignPrivateIpAddresses",
      {{"NetworkInterfaceId", eni}, {"SecondaryPrivateIpAddressCount", "11"}});

  EXPECT_EQ(reply.code, "InvalidParameter");
}

TEST(SimCloud, MissingParameterIs403WithTheAddressActions) {
  SmallCloud small;

  const Reply assign = ask(small.cloud, "AssignPrivateIpAddresses", {});
  const Reply attach = ask(small.cloud, "AttachNetworkInterface", {});

  EXPECT_EQ(assign.code, "MissingParameter");
  EXPECT_EQ(assign.status, 403);
  EXPECT_EQ(attach.code, "MissingParameter");
  EXPECT_EQ(attach.status, 400);
}

TEST(SimCloud, UnassignsSecondaryAddressesOnly) {
  SmallCloud small;
  const std::string eni =
      attached_eni(small.cloud, {{"PrimaryIpAddress", "172.16.16.5"},
                                 {"PrivateIpAddress.1", "172.16.16.6"},
                                 {"PrivateIpAddress.2", "172.16.16.7"}});
  const auto unassign = [&](const std::string& a, const std::string& b) {
    return ask(small.cloud, "UnassignPrivateIpAddresses",
               {{"NetworkInterfaceId", eni},
                {"PrivateIpAddress.1", a},
                {"PrivateIpAddress.2", b}})
        .code;
  };

  EXPECT_EQ(unassign("172.16.16.6", "172.16.16.5"), "InvalidIp.IpUnassigned");
  EXPECT_EQ(small.cloud.free_addresses("vsw-pod-a"), 252U - 3U);
  EXPECT_EQ(unassign("172.16.16.6", "172.16.16.7"), "");
  EXPECT_EQ(small.cloud.free_addresses("vsw-pod-a"), 252U - 1U);
}

TEST(SimCloud, DetachesThenDeletesAndForgetsTheAddresses) {
  SmallCloud small;
  small.cloud.tune([](Knobs& knobs) {
    knobs.detach_time = seconds(2);
    knobs.delete_time = seconds(1);
  });
  const std::string eni = attached_eni(small.cloud);
  const Params both = {{"NetworkInterfaceId", eni}, {"InstanceId", "i-a"}};
  const Params one = {{"NetworkInterfaceId", eni}};

  EXPECT_EQ(ask(small.cloud, "DeleteNetworkInterface", one).code,
            "InvalidOperation.InvalidEniState");
  ask_ok(small.cloud, "DetachNetworkInterface", both);
  EXPECT_EQ(eni_status(small.cloud, eni), "Detaching");
  small.clock.advance(seconds(2));
  EXPECT_EQ(eni_status(small.cloud, eni), "Available");
  ask_ok(small.cloud, "DeleteNetworkInterface", one);
  EXPECT_EQ(eni_status(small.cloud, eni), "Deleting");
  small.clock.advance(seconds(1));
  EXPECT_EQ(eni_status(small.cloud, eni), "");
  EXPECT_EQ(ask(small.cloud, "DeleteNetworkInterface", one).code,
            "InvalidEniId.NotFound");
  EXPECT_EQ(small.cloud.free_addresses("vsw-pod-a"), 252U);
}

TEST(SimCloud, AStuckDetachEndsWhenItIsIssuedAgain) {
  SmallCloud small;
  small.cloud.tune([](Knobs& knobs) { knobs.stick_detaches = 1; });
  const std::string eni = attached_eni(small.cloud);
  const Params both = {{"NetworkInterfaceId", eni}, {"InstanceId", "i-a"}};

  ask_ok(small.cloud, "DetachNetworkInterface", both);
  small.clock.advance(std::chrono::hours(1));
  EXPECT_EQ(eni_status(small.cloud, eni), "Detaching");
  ask_ok(small.cloud, "DetachNetworkInterface", both);
  EXPECT_EQ(eni_status(small.cloud, eni), "Available");
}

TEST(SimCloud, AFailingAttachFallsBackToAvailable) {
  SmallCloud small;
  small.cloud.tune([](Knobs& knobs) { knobs.fail_attaches = 1; });

  const std::string eni = attached_eni(small.cloud);

  EXPECT_EQ(eni_status(small.cloud, eni), "Available");
}

TEST(SimCloud, ThePrimaryEniCannotBeDetached) {
  SmallCloud small;
  std::string primary;
  for (const EniView& eni : small.cloud.enis()) {
    if (eni.instance == "i-a") primary = eni.id;
  }

  const Reply reply =
      ask(small.cloud, "DetachNetworkInterface",
          {{"NetworkInterfaceId", primary}, {"InstanceId", "i-a"}});

  EXPECT_EQ(reply.code, "InvalidOperation.DetachPrimaryEniNotAllowed");
}

TEST(SimCloud, TheSameTokenGivesTheSameEni) {
  SmallCloud small;
  const Params params = {{"ClientToken", "t-1"}, {"Description", "pods"}};

  const std::string first = make_eni(small.cloud, params);
  const std::string again = make_eni(small.cloud, params);
  const Reply other = ask(small.cloud, "CreateNetworkInterface",
                          {{"ClientToken", "t-1"},
                           {"Description", "others"},
                           {"VSwitchId", "vsw-pod-a"},
                           {"SecurityGroupId", "sg-1"}});

  EXPECT_EQ(first, again);
  EXPECT_EQ(other.code, "IdempotentParameterMismatch");
}

TEST(SimCloud, ATokenWhoseCallIsStillRunningIsRefused) {
  SmallCloud small;
  small.cloud.tune([](Knobs& knobs) {
    knobs.actions["CreateNetworkInterface"].reply_latency = seconds(5);
  });
  const Params params = {{"ClientToken", "t-1"},
                         {"VSwitchId", "vsw-pod-a"},
                         {"SecurityGroupId", "sg-1"}};
  const Reply first = ask(small.cloud, "CreateNetworkInterface", params);

  const Reply second = ask(small.cloud, "CreateNetworkInterface", params);
  small.clock.advance(seconds(5));
  const Reply third = ask(small.cloud, "CreateNetworkInterface", params);

  EXPECT_EQ(first.delay, Duration(seconds(5)));
  EXPECT_EQ(second.code, "IdempotentProcessing");
  EXPECT_EQ(at(first.body, "/NetworkInterfaceId"),
            at(third.body, "/NetworkInterfaceId"));
}

TEST(SimCloud, ALostReplyHasBeenPerformed) {
  SmallCloud small;
  small.cloud.tune([](Knobs& knobs) {
    knobs.actions["CreateNetworkInterface"].lose_replies = 1;
  });
  const Params params = {{"ClientToken", "t-1"},
                         {"VSwitchId", "vsw-pod-a"},
                         {"SecurityGroupId", "sg-1"}};

  const Reply lost = ask(small.cloud, "CreateNetworkInterface", params);
  const Reply again = ask(small.cloud, "CreateNetworkInterface", params);

  EXPECT_TRUE(lost.drop);
  EXPECT_FALSE(again.drop);
  EXPECT_EQ(at(lost.body, "/NetworkInterfaceId"),
            at(again.body, "/NetworkInterfaceId"));
  EXPECT_EQ(small.cloud.enis().size(), 3U);
}

TEST(SimCloud, ALostRequestHasNotBeenPerformed) {
  SmallCloud small;
  small.cloud.tune([](Knobs& knobs) {
    knobs.actions["CreateNetworkInterface"].lose_requests = 1;
  });

  const Reply lost =
      ask(small.cloud, "CreateNetworkInterface",
          {{"VSwitchId", "vsw-pod-a"}, {"SecurityGroupId", "sg-1"}});

  EXPECT_TRUE(lost.drop);
  EXPECT_EQ(small.cloud.enis().size(), 2U);
}

TEST(SimCloud, ThrottlesPerActionUntilTheMinuteEnds) {
  SmallCloud small;
  small.cloud.tune([](Knobs& knobs) {
    ActionKnobs& action = knobs.actions["DescribeNetworkInterfaces"];
    action.per_minute = 2;
    action.throttle.code = "Throttling.Api";
  });
  small.clock.advance(seconds(50));
  const auto describe = [&] {
    return ask(small.cloud, "DescribeNetworkInterfaces", {});
  };

  EXPECT_EQ(describe().headers.at("x-ratelimit-user-api"),
            "Limit:2,Remain:1,TimeLeft:10000,Reset:1767312060");
  EXPECT_EQ(describe().code, "");
  EXPECT_EQ(describe().code, "Throttling.Api");
  EXPECT_EQ(ask(small.cloud, "DescribeInstances", {}).code, "");
  small.clock.advance(seconds(10));
  EXPECT_EQ(describe().code, "");
}

TEST(SimCloud, RefusesAsToldAndThenGoesOn) {
  SmallCloud small;
  small.cloud.tune([](Knobs& knobs) {
    knobs.actions["AttachNetworkInterface"].refuse = {
        {500, "InternalError", "The request processing has failed."},
        {403, "Operation.Conflict", "An ECS task conflicts."}};
  });
  const std::string eni = make_eni(small.cloud);
  const Params both = {{"NetworkInterfaceId", eni}, {"InstanceId", "i-a"}};

  EXPECT_EQ(ask(small.cloud, "AttachNetworkInterface", both).status, 500);
  EXPECT_EQ(ask(small.cloud, "AttachNetworkInterface", both).code,
            "Operation.Conflict");
  EXPECT_EQ(ask(small.cloud, "AttachNetworkInterface", both).code, "");
}

TEST(SimCloud, SpellsAnExhaustedVSwitchEitherWay) {
  SmallCloud small;
  small.cloud.tune([](Knobs& knobs) {
    knobs.exhausted["vsw-pod-a"] = "QuotaExceeded.PrivateIpAddress";
  });

  const Reply reply =
      ask(small.cloud, "CreateNetworkInterface",
          {{"VSwitchId", "vsw-pod-a"}, {"SecurityGroupId", "sg-1"}});
  const std::string body =
      ask_ok(small.cloud, "DescribeVSwitches", {{"VSwitchId", "vsw-pod-a"}});

  EXPECT_EQ(reply.code, "QuotaExceeded.PrivateIpAddress");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(at(body, "/VSwitches/VSwitch/0/AvailableIpAddressCount"), "0");
}

TEST(SimCloud, DeniesActionsByKnob) {
  SmallCloud small;
  small.cloud.tune(
      [](Knobs& knobs) { knobs.actions["DescribeVpcs"].denied = true; });

  const Reply reply = ask(small.cloud, "DescribeVpcs", {});

  EXPECT_EQ(reply.code, "Forbidden.RAM");
  EXPECT_EQ(reply.status, 403);
}

TEST(SimCloud, PagesByTokenWithAFloorOfTen) {
  SmallCloud small;
  for (int i = 0; i < 12; ++i)
    make_eni(small.cloud);

  const std::string first =
      ask_ok(small.cloud, "DescribeNetworkInterfaces", {{"MaxResults", "2"}});
  const std::string token = at(first, "/NextToken");
  const std::string second =
      ask_ok(small.cloud, "DescribeNetworkInterfaces",
             {{"MaxResults", "2"}, {"NextToken", token}});

  const std::string list = "/NetworkInterfaceSets/NetworkInterfaceSet";
  EXPECT_EQ(size_at(first, list), 10U);
  EXPECT_NE(token, "");
  EXPECT_EQ(size_at(second, list), 4U);
  EXPECT_EQ(at(second, "/NextToken"), "");
  EXPECT_EQ(at(first, "/TotalCount"), "");
}

TEST(SimCloud, PagesByNumberToo) {
  SmallCloud small;
  for (int i = 0; i < 3; ++i)
    make_eni(small.cloud);

  const std::string body = ask_ok(small.cloud, "DescribeNetworkInterfaces",
                                  {{"PageNumber", "2"}, {"PageSize", "4"}});

  EXPECT_EQ(size_at(body, "/NetworkInterfaceSets/NetworkInterfaceSet"), 1U);
  EXPECT_EQ(at(body, "/TotalCount"), "5");
}

TEST(SimCloud, FindsEnisByTagInstanceAndAddress) {
  SmallCloud small;
  const std::string eni =
      attached_eni(small.cloud, {{"Tag.1.Key", "owner"},
                                 {"Tag.1.Value", "linsey"},
                                 {"PrivateIpAddress.1", "172.16.16.9"}});
  make_eni(small.cloud);
  const auto only = [&](Params params) {
    const std::string body =
        ask_ok(small.cloud, "DescribeNetworkInterfaces", std::move(params));
    const std::string list = "/NetworkInterfaceSets/NetworkInterfaceSet";
    return size_at(body, list) == 1 ? at(body, list + "/0/NetworkInterfaceId")
                                    : "not one";
  };

  EXPECT_EQ(only({{"Tag.1.Key", "owner"}}), eni);
  EXPECT_EQ(only({{"InstanceId", "i-a"}, {"Type", "Secondary"}}), eni);
  EXPECT_EQ(only({{"PrivateIpAddress.1", "172.16.16.9"}}), eni);
}

TEST(SimCloud, DescribesTypesInstancesAndVpcs) {
  SmallCloud small;

  const std::string types = ask_ok(small.cloud, "DescribeInstanceTypes",
                                   {{"InstanceTypes.1", "ecs.g7.large"}});
  const std::string instances =
      ask_ok(small.cloud, "DescribeInstances", {{"InstanceIds", "[\"i-b\"]"}});
  const std::string vpcs =
      ask_ok(small.cloud, "DescribeVpcs", {{"VpcId", "vpc-1"}});
  const std::string none = ask_ok(small.cloud, "DescribeInstanceTypes",
                                  {{"InstanceTypes.1", "ecs.none"}});

  EXPECT_EQ(at(types, "/InstanceTypes/InstanceType/0/EniQuantity"), "3");
  EXPECT_EQ(
      at(types, "/InstanceTypes/InstanceType/0/EniPrivateIpAddressQuantity"),
      "6");
  EXPECT_EQ(at(instances, "/Instances/Instance/0/ZoneId"), "cn-sim-b");
  EXPECT_EQ(at(vpcs, "/Vpcs/Vpc/0/CidrBlock"), "172.16.0.0/16");
  EXPECT_EQ(size_at(none, "/InstanceTypes/InstanceType"), 0U);
}

TEST(SimCloud, ReleasingAnInstanceFreesItsEnis) {
  SmallCloud small;
  const std::string kept = attached_eni(small.cloud);
  const std::string gone =
      attached_eni(small.cloud, {{"DeleteOnRelease", "true"}});

  ASSERT_TRUE(small.cloud.release_instance("i-a"));

  EXPECT_EQ(eni_status(small.cloud, kept), "Available");
  EXPECT_EQ(eni_status(small.cloud, gone), "");
}

TEST(SimCloud, EqualSeedsGiveEqualBooks) {
  SmallCloud one;
  SmallCloud two;

  attached_eni(one.cloud, {{"SecondaryPrivateIpAddressCount", "5"}});
  attached_eni(two.cloud, {{"SecondaryPrivateIpAddressCount", "5"}});

  EXPECT_EQ(one.cloud.books(), two.cloud.books());
}

TEST(SimCloud, RefusesAVSwitchOutsideItsVpc) {
  SmallCloud small;

  const Result<void> added =
      small.cloud.add(VSwitchSpec{.id = "vsw-x",
                                  .vpc = "vpc-1",
                                  .zone = "cn-sim-a",
                                  .cidr = Cidr::parse("10.0.0.0/24").value(),
                                  .cidr_v6 = {}});

  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, Code::kInvalidConfig);
}

}  // namespace
}  // namespace linsey::sim::tests
