#include "agent/node_kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linsey::agent {
namespace {

using conf::Mode;
using ::testing::HasSubstr;

conf::AgentConfig config() {
  conf::AgentConfig config;
  config.modes = {
      {"metal", conf::Selector::parse("place=dc").value(), Mode::kBgp},
      {"cloud", conf::Selector::parse("place=ecs").value(), Mode::kEni},
      {"gpu", conf::Selector::parse("gpu").value(), Mode::kBgp}};
  config.cidrs.vpc = {Cidr::parse("172.16.0.0/12").value()};
  config.cidrs.data_centre = {Cidr::parse("10.0.0.0/16").value()};
  return config;
}

conf::Node node(const std::string& place) {
  conf::Node node;
  node.name = "n1";
  node.labels = {{"place", place}};
  return node;
}

const Observed kNothing;
const Observed kEcs{.dmi_product = "Alibaba Cloud ECS",
                    .metadata_instance = "i-abc",
                    .metadata_silence = {}};

TEST(NodeKind, OneRuleAndSilenceIsEnoughForBgp) {
  const Result<Verdict> verdict =
      decide(config(), node("dc"), kNothing, std::nullopt);

  ASSERT_TRUE(verdict) << to_string(verdict.error());
  EXPECT_EQ(verdict->mode, Mode::kBgp);
  EXPECT_EQ(verdict->rule, "metal");
}

TEST(NodeKind, NoRuleIsModeUnknownAndNamesThemAll) {
  const Result<Verdict> verdict =
      decide(config(), node("moon"), kNothing, std::nullopt);

  EXPECT_EQ(verdict.error().code, Code::kModeUnknown);
  EXPECT_THAT(verdict.error().msg, HasSubstr("metal (place=dc)"));
  EXPECT_THAT(verdict.error().msg, HasSubstr("node n1"));
}

TEST(NodeKind, TwoRulesAreModeUnknownAndBothAreNamed) {
  conf::Node both = node("dc");
  both.labels["gpu"] = "a100";

  const Result<Verdict> verdict =
      decide(config(), both, kNothing, std::nullopt);

  EXPECT_EQ(verdict.error().code, Code::kModeUnknown);
  EXPECT_THAT(verdict.error().msg, HasSubstr("metal and gpu"));
}

TEST(NodeKind, ALabelAloneDoesNotMakeAnEcsInstance) {
  const Result<Verdict> verdict =
      decide(config(), node("ecs"), kNothing, std::nullopt);

  EXPECT_EQ(verdict.error().code, Code::kModeConflict);
  EXPECT_THAT(verdict.error().msg, HasSubstr("nothing but a label"));
}

TEST(NodeKind, SilenceDoesNotUndoWhatWasProvenBefore) {
  const Result<Verdict> verdict =
      decide(config(), node("ecs"), kNothing, Mode::kEni);

  ASSERT_TRUE(verdict) << to_string(verdict.error());
  EXPECT_EQ(verdict->mode, Mode::kEni);
}

TEST(NodeKind, EvidenceAgainstIsAConflictAlsoWhenProvenBefore) {
  const Observed dell{.dmi_product = "PowerEdge R640",
                      .metadata_instance = std::nullopt,
                      .metadata_silence = "no answer"};

  const Result<Verdict> verdict =
      decide(config(), node("ecs"), dell, Mode::kEni);

  EXPECT_EQ(verdict.error().code, Code::kModeConflict);
  EXPECT_THAT(verdict.error().msg,
              HasSubstr("against: DMI product name \"PowerEdge R640\""));
  EXPECT_THAT(verdict.error().msg, HasSubstr("silent: provider ID absent"));
}

/// One row: what is seen beside the label, and what comes of it.
struct Row {
  const char* place;
  const char* provider_id;
  const char* dmi;       // nullptr: absent
  const char* instance;  // nullptr: no answer
  const char* address;
  bool accepted;
};

class NodeKindTable : public ::testing::TestWithParam<Row> {};

TEST_P(NodeKindTable, EveryPieceOfEvidenceIsWeighed) {
  const Row& row = GetParam();
  conf::Node seen = node(row.place);
  seen.provider_id = row.provider_id;
  if (*row.address != '\0') {
    seen.addresses = {IpAddr::parse(row.address).value()};
  }
  Observed observed;
  if (row.dmi != nullptr) observed.dmi_product = row.dmi;
  if (row.instance != nullptr) observed.metadata_instance = row.instance;

  const Result<Verdict> verdict =
      decide(config(), seen, observed, std::nullopt);

  EXPECT_EQ(verdict.has_value(), row.accepted)
      << (verdict ? verdict->why : to_string(verdict.error()));
  if (!verdict) {
    EXPECT_EQ(verdict.error().code, Code::kModeConflict);
  }
}

constexpr const char* kEcsName = "Alibaba Cloud ECS";
constexpr const char* kMetalName = "PowerEdge R640";

INSTANTIATE_TEST_SUITE_P(
    Rows, NodeKindTable,
    ::testing::Values(
        // Each piece alone proves an ECS instance.
        Row{"ecs", "cn-x.i-abc", nullptr, nullptr, "", true},
        Row{"ecs", "alicloud://cn-x.i-abc", nullptr, nullptr, "", true},
        Row{"ecs", "", kEcsName, nullptr, "", true},
        Row{"ecs", "", nullptr, "i-abc", "", true},
        Row{"ecs", "", nullptr, nullptr, "172.16.3.4", true},
        Row{"ecs", "cn-x.i-abc", kEcsName, "i-abc", "172.16.3.4", true},
        // One piece against is enough.
        Row{"ecs", "aws:///eu/i-1", kEcsName, "i-abc", "172.16.3.4", false},
        Row{"ecs", "cn-x.i-abc", kMetalName, "i-abc", "172.16.3.4", false},
        Row{"ecs", "cn-x.i-other", kEcsName, "i-abc", "172.16.3.4", false},
        Row{"ecs", "cn-x.i-abc", kEcsName, "i-abc", "10.0.1.2", false},
        // The same for bare metal.
        Row{"dc", "", kMetalName, nullptr, "10.0.1.2", true},
        Row{"dc", "", nullptr, nullptr, "192.168.1.1", true},
        Row{"dc", "cn-x.i-abc", nullptr, nullptr, "", false},
        Row{"dc", "", kEcsName, nullptr, "", false},
        Row{"dc", "", nullptr, "i-abc", "", false},
        Row{"dc", "", nullptr, nullptr, "172.16.3.4", false}));

TEST(NodeKind, MetadataIsNotAskedOnBareMetal) {
  EXPECT_FALSE(ask_metadata(Mode::kBgp, "PowerEdge R640"));
  EXPECT_FALSE(ask_metadata(Mode::kBgp, std::nullopt));
  EXPECT_FALSE(ask_metadata(std::nullopt, std::nullopt));
  EXPECT_TRUE(ask_metadata(Mode::kBgp, "Alibaba Cloud ECS"));
  EXPECT_TRUE(ask_metadata(Mode::kEni, std::nullopt));
}

TEST(NodeKind, AChangeIsBlockedByPodsOfTheOldMode) {
  const Result<void> blocked =
      check_change(Mode::kBgp, Mode::kEni, {"default/web-0", "default/web-1"});

  EXPECT_EQ(blocked.error().code, Code::kModeChangeBlocked);
  EXPECT_THAT(blocked.error().msg, HasSubstr("default/web-0, default/web-1"));
  EXPECT_TRUE(check_change(Mode::kBgp, Mode::kEni, {}));
  EXPECT_TRUE(check_change(Mode::kBgp, Mode::kBgp, {"default/web-0"}));
  EXPECT_TRUE(check_change(std::nullopt, Mode::kEni, {"default/web-0"}));
}

TEST(NodeKind, TheVerdictSurvivesItsFile) {
  const Verdict verdict =
      decide(config(), node("ecs"), kEcs, std::nullopt).value();

  EXPECT_EQ(parse_cached_mode(to_json(verdict)).value(), Mode::kEni);
  EXPECT_FALSE(parse_cached_mode("{\"version\":1,\"mode\":\"x\"}"));
  EXPECT_FALSE(parse_cached_mode("{\"version\":9,\"mode\":\"eni\"}"));
  EXPECT_FALSE(parse_cached_mode(""));
}

}  // namespace
}  // namespace linsey::agent
