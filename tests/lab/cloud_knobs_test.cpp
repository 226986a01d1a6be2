#include "lab/cloud_knobs.h"

#include <gtest/gtest.h>

namespace linsey::lab {
namespace {

TEST(CloudKnobs, TurnsDurationsCountsAndSwitches) {
  sim::Knobs knobs;

  EXPECT_TRUE(turn_knob(knobs, "attach", "3s").has_value());
  EXPECT_TRUE(turn_knob(knobs, "fail-attaches", "2").has_value());
  EXPECT_TRUE(turn_knob(knobs, "hardened", "true").has_value());

  EXPECT_EQ(knobs.attach_time, std::chrono::seconds(3));
  EXPECT_EQ(knobs.fail_attaches, 2U);
  EXPECT_TRUE(knobs.hardened);
}

TEST(CloudKnobs, TurnsWhatBelongsToOneAction) {
  sim::Knobs knobs;

  EXPECT_TRUE(
      turn_knob(knobs, "AttachNetworkInterface.lose-replies", "1").has_value());
  EXPECT_TRUE(turn_knob(knobs, "CreateNetworkInterface.refuse",
                        "InvalidVSwitchId.IpNotEnough")
                  .has_value());

  EXPECT_EQ(knobs.actions["AttachNetworkInterface"].lose_replies, 1U);
  EXPECT_EQ(knobs.actions["CreateNetworkInterface"].refuse.at(0).code,
            "InvalidVSwitchId.IpNotEnough");
}

TEST(CloudKnobs, EmptiesAndRefillsAVSwitch) {
  sim::Knobs knobs;
  EXPECT_TRUE(turn_knob(knobs, "full.vsw-a", "InvalidVSwitchId.IpNotEnough")
                  .has_value());
  EXPECT_EQ(knobs.exhausted.at("vsw-a"), "InvalidVSwitchId.IpNotEnough");

  EXPECT_TRUE(turn_knob(knobs, "full.vsw-a", "none").has_value());

  EXPECT_TRUE(knobs.exhausted.empty());
}

TEST(CloudKnobs, NamesTheKnobsThereAreWhenOneIsUnknown) {
  sim::Knobs knobs;

  const Result<void> done = turn_knob(knobs, "atach", "3s");

  ASSERT_FALSE(done.has_value());
  EXPECT_NE(done.error().msg.find("attach, detach"), std::string::npos);
}

TEST(CloudKnobs, RefusesAValueOfTheWrongKind) {
  sim::Knobs knobs;

  EXPECT_FALSE(turn_knob(knobs, "fail-attaches", "many").has_value());
  EXPECT_FALSE(turn_knob(knobs, "hardened", "1").has_value());
  EXPECT_FALSE(turn_knob(knobs, "attach", "3").has_value());
}

}  // namespace
}  // namespace linsey::lab
