#include "ctl/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/code.h"
#include "base/json.h"

namespace linsey::ctl {
namespace {

using ::testing::HasSubstr;

Json held(const char* allocation) {
  Json json = *parse_json(R"({
    "pod": "default/web", "node": "n1", "verdict": "held", "refused": null,
    "waiting": [], "since": "2026-01-02T00:00:00Z",
    "now": {"ready": true, "mode": "eni", "modeWhy": "rule cloud",
            "zone": "cn-lab-a", "free": 3, "cooling": 1},
    "held": [{"attachment": {"key": {"network": "linsey", "containerID": "c1",
                                     "ifname": "eth0"}, "wantedIPs": []},
              "decided": {"at": "2026-01-02T00:00:01Z", "mode": "eni",
                          "why": "rule cloud selects it"},
              "earlierBoot": false}]})");
  json["held"][0]["allocation"] = *parse_json(allocation);
  return json;
}

TEST(Explain, NamesBlockAndGroundsOfABgpPod) {
  const Report report = explain_report(
      held(R"({"addresses": ["10.244.0.7"], "source": "10.244.0.0/26"})"));

  EXPECT_FALSE(report.findings);
  EXPECT_THAT(report.text, HasSubstr("default/web: has an address on n1"));
  EXPECT_THAT(report.text, HasSubstr("10.244.0.7"));
  EXPECT_THAT(report.text, HasSubstr("block 10.244.0.0/26"));
  EXPECT_THAT(report.text, HasSubstr("longest free"));
  EXPECT_THAT(report.text, HasSubstr("rule cloud selects it"));
}

TEST(Explain, NamesZoneVSwitchEniAndTableOfAnEniPod) {
  const Report report = explain_report(held(
      R"({"addresses": ["172.16.16.4"], "source": "vsw-1/eni-2",
          "eni": {"eniID": "eni-2", "table": 1001, "toPodPriority": 512,
                  "fromPodPriority": 2048}})"));

  EXPECT_THAT(report.text,
              HasSubstr("vSwitch vsw-1, a pod vSwitch of zone cn-lab-a, on "
                        "ENI eni-2; rules 512"));
  EXPECT_THAT(report.text, HasSubstr("by table 1001"));
}

TEST(Explain, SaysWhenAnAddressWasAskedFor) {
  Json json = held(R"({"addresses": ["10.244.0.7"], "source": "b"})");
  json["held"][0]["attachment"]["wantedIPs"] = {"10.244.0.7"};

  EXPECT_THAT(explain_report(json).text, HasSubstr("asked for this very"));
}

TEST(Explain, SaysWhenTheGroundsAreOlderThanTheAgent) {
  Json json = held(R"({"addresses": ["10.244.0.7"], "source": "b"})");
  json["held"][0].erase("decided");

  EXPECT_THAT(explain_report(json).text,
              HasSubstr("before this agent's start (2026-01-02T00:00:00Z)"));
}

TEST(Explain, APodWithoutAddIsToldWhatWouldBecomeOfOne) {
  const Report report = explain_report(*parse_json(R"({
    "pod": "default/web", "node": "n1", "verdict": "none", "released": [],
    "knownToAPI": false, "since": "T",
    "now": {"ready": false, "why": {"code": "NoBlock", "msg": "none",
                                    "remedy": "give it one"}}})"));

  EXPECT_TRUE(report.findings);
  EXPECT_THAT(report.text, HasSubstr("no ADD of this pod has reached"));
  EXPECT_THAT(report.text, HasSubstr("would be refused: NoBlock: none"));
  EXPECT_THAT(report.text, HasSubstr("has no such pod on this node"));
}

TEST(Explain, ANewerOrOlderAgentsAnswerIsReadAsFarAsItGoes) {
  EXPECT_TRUE(explain_report(*parse_json("{}")).findings);
  EXPECT_TRUE(explain_report(*parse_json("[1]")).findings);
  EXPECT_FALSE(
      explain_report(*parse_json(R"({"verdict": "held", "held": [{}]})"))
          .findings);
}

TEST(Explain, EveryReasonIsToldWithItsRemedy) {
  for (const CodeInfo& code : all_codes()) {
    const Json json = {{"pod", "default/web"},
                       {"node", "n1"},
                       {"verdict", "refused"},
                       {"refused",
                        {{"code", code.name},
                         {"msg", "because"},
                         {"details", ""},
                         {"remedy", code.remedy},
                         {"count", 3},
                         {"first", "A"},
                         {"last", "B"},
                         {"containerID", "c1"}}},
                       {"now", {{"ready", true}, {"free", 1}, {"cooling", 0}}}};

    const Report report = explain_report(json);

    EXPECT_TRUE(report.findings);
    EXPECT_THAT(report.text, HasSubstr(std::string(code.name)));
    EXPECT_THAT(report.text, HasSubstr(std::string(code.remedy)));
    EXPECT_THAT(report.text, HasSubstr("3 times, first A, last B"));
    EXPECT_THAT(report.text, HasSubstr("would be served"));
  }
}

}  // namespace
}  // namespace linsey::ctl
