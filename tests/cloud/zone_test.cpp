#include "cloud/zone.h"

#include <gtest/gtest.h>

namespace linsey::cloud {
namespace {

Instance instance() {
  return {.id = "i-1",
          .type = "ecs.g7.large",
          .region = "cn-shenzhen",
          .zone = "cn-shenzhen-f",
          .vpc = "vpc-1",
          .v_switch = "vsw-host",
          .mac = {}};
}

VSwitch v_switch(const std::string& id) {
  return {.id = id,
          .vpc = "vpc-1",
          .zone = "cn-shenzhen-f",
          .cidr = *Cidr::parse("10.2.0.0/24"),
          .cidr6 = std::nullopt,
          .free = 100};
}

Result<std::vector<VSwitch>> validate(const std::vector<std::string>& listed,
                                      const std::vector<VSwitch>& found,
                                      bool allow_host = false) {
  return validate_zone(
      {.zones = {{"cn-shenzhen-f", listed}}, .allow_host_v_switch = allow_host},
      instance(), found);
}

TEST(Zone, AcceptsTheListedVSwitchesInTheirOrder) {
  const auto usable =
      validate({"vsw-2", "vsw-1"}, {v_switch("vsw-1"), v_switch("vsw-2")});

  ASSERT_TRUE(usable) << usable.error().msg;
  ASSERT_EQ(usable->size(), 2U);
  EXPECT_EQ(usable->at(0).id, "vsw-2");
}

TEST(Zone, RefusesAZoneWithoutVSwitch) {
  const auto usable = validate_zone({.zones = {{"cn-shenzhen-e", {"vsw-1"}}}},
                                    instance(), std::vector{v_switch("vsw-1")});

  ASSERT_FALSE(usable);
  EXPECT_EQ(usable.error().code, Code::kZoneNotMapped);
  EXPECT_EQ(usable.error().msg,
            "zone cn-shenzhen-f has no pod vSwitch; add it under eni.zones");
}

TEST(Zone, RefusesAnEmptyListAsUnmapped) {
  EXPECT_EQ(validate({}, {}).error().code, Code::kZoneNotMapped);
}

TEST(Zone, RefusesAVSwitchThatDoesNotExist) {
  const auto usable = validate({"vsw-1", "vsw-2"}, {v_switch("vsw-1")});

  ASSERT_FALSE(usable);
  EXPECT_EQ(usable.error().code, Code::kVSwitchNotFound);
  EXPECT_NE(usable.error().msg.find("vsw-2"), std::string::npos);
}

TEST(Zone, RefusesAVSwitchOfAnotherZone) {
  VSwitch other = v_switch("vsw-1");
  other.zone = "cn-shenzhen-e";

  const auto usable = validate({"vsw-1"}, {other});

  ASSERT_FALSE(usable);
  EXPECT_EQ(usable.error().code, Code::kVSwitchWrongZone);
  EXPECT_EQ(usable.error().msg,
            "vSwitch vsw-1 (eni.zones, zone cn-shenzhen-f) lies in zone "
            "cn-shenzhen-e");
}

TEST(Zone, RefusesAVSwitchOfAnotherVpc) {
  VSwitch other = v_switch("vsw-1");
  other.vpc = "vpc-2";

  EXPECT_EQ(validate({"vsw-1"}, {other}).error().code, Code::kVSwitchWrongVpc);
}

TEST(Zone, RefusesTheHostsVSwitchUnlessAllowed) {
  const std::vector<VSwitch> found{v_switch("vsw-host")};

  EXPECT_EQ(validate({"vsw-host"}, found).error().code, Code::kVSwitchIsHost);
  EXPECT_TRUE(validate({"vsw-host"}, found, true));
}

TEST(Zone, WaitsForAVSwitchThatIsStillBeingMade) {
  VSwitch pending = v_switch("vsw-1");
  pending.available = false;

  EXPECT_EQ(validate({"vsw-1"}, {pending}).error().code,
            Code::kCloudStatePending);
}

}  // namespace
}  // namespace linsey::cloud
