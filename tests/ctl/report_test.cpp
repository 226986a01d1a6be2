#include "ctl/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.h"

namespace linsey::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Json parsed(const char* text) {
  return *parse_json(text);
}

TEST(StatusReport, OfAReadyNodeHasNoFindings) {
  rpc::Status status;
  status.ready = true;
  status.node = "m1";
  status.mode = "bgp";
  status.mode_why = "rule metal selects the node";
  status.free = 60;
  status.held = 3;
  status.cooling = 1;

  const Report report = status_report(status);

  EXPECT_FALSE(report.findings);
  EXPECT_EQ(report.text,
            "node:        m1\n"
            "ready:       yes\n"
            "mode:        bgp\n"
            "mode why:    rule metal selects the node\n"
            "addresses:   60 free, 3 held, 1 cooling\n");
}

TEST(StatusReport, OfANodeThatIsNotReadySaysWhy) {
  rpc::Status status;
  status.node = "c1";
  status.why = make_error(Code::kZoneNotMapped, "zone cn-x-f has no vSwitch");

  const Report report = status_report(status);

  EXPECT_TRUE(report.findings);
  EXPECT_THAT(report.text, HasSubstr("because:     ZoneNotMapped: zone cn-x-f "
                                     "has no vSwitch; add it under eni.zones"));
  EXPECT_THAT(report.text, HasSubstr("mode:        -\n"));
}

const char* const kIpam = R"({
  "counts": {"free": 1, "cooling": 1, "held": 1, "reserved": 0, "draining": 0},
  "addresses": [
    {"address": "10.244.0.1", "source": "10.244.0.0/26", "state": "free",
     "draining": false},
    {"address": "10.244.0.2", "source": "10.244.0.0/26", "state": "held",
     "draining": true, "holder": {"network": "linsey",
       "containerID": "0123456789abcdef", "ifname": "eth0"}},
    {"address": "10.244.0.3", "source": "10.244.0.0/26", "state": "cooling",
     "draining": false, "releasedSecondsAgo": 12}],
  "attachments": [{"attachment": {
     "key": {"network": "linsey", "containerID": "0123456789abcdef",
             "ifname": "eth0"},
     "pod": {"namespace": "default", "name": "web-0"}}, "allocation": {}}],
  "supply": null})";

TEST(IpamReport, ListsWhatIsNotFreeWithItsPod) {
  const Report report = ipam_report(parsed(kIpam), false);

  EXPECT_FALSE(report.findings);
  EXPECT_EQ(report.text,
            "addresses:   1 free, 1 held, 1 cooling, 0 reserved, 0 draining\n"
            "\n"
            "ADDRESS     STATE          SOURCE         POD            IFNAME  "
            "CONTAINER      RELEASED  NOTE\n"
            "10.244.0.2  held,draining  10.244.0.0/26  default/web-0  eth0    "
            "0123456789abc  -         -\n"
            "10.244.0.3  cooling        10.244.0.0/26  -              -       "
            "-              12s ago   -\n");
}

TEST(IpamReport, ListsFreeAddressesWhenAsked) {
  EXPECT_THAT(ipam_report(parsed(kIpam), false).text,
              Not(HasSubstr("10.244.0.1 ")));
  EXPECT_THAT(ipam_report(parsed(kIpam), true).text, HasSubstr("10.244.0.1 "));
}

TEST(IpamReport, SurvivesAViewWithoutAnything) {
  EXPECT_EQ(ipam_report(parsed("{}"), true).text, "addresses:   -\n");
  EXPECT_EQ(ipam_report(parsed("[]"), true).text, "addresses:   -\n");
}

const char* const kNode = R"({
  "node": "m1", "mode": "bgp", "rule": "metal", "why": "selected by metal",
  "quarantine": null, "labels": {}, "addresses": ["10.0.1.11", "fd00::11"],
  "evidence": [{"source": "dmi", "vote": "for", "text": "product X"}],
  "providerID": "", "configRefused": null, "nodeRefused": null})";

TEST(NodeReport, ShowsModeEvidenceAndWhatTheSupplierSays) {
  const Report report = node_report(parsed(kNode), parsed(R"({
    "table": 254,
    "blocks": [{"cidr": "10.244.0.0/26", "free": 60},
               {"cidr": "fd00:244::/122"}]})"));

  EXPECT_FALSE(report.findings);
  EXPECT_EQ(report.text,
            "node:        m1\n"
            "mode:        bgp\n"
            "rule:        metal\n"
            "why:         selected by metal\n"
            "providerID:  -\n"
            "addresses:   10.0.1.11, fd00::11\n"
            "\n"
            "EVIDENCE  VOTE  FACT\n"
            "dmi       for   product X\n"
            "\n"
            "table:       254\n"
            "\n"
            "blocks\n"
            "CIDR            FREE\n"
            "10.244.0.0/26   60\n"
            "fd00:244::/122  -\n");
}

struct FindingCase {
  const char* pointer;
  const char* value;
  const char* says;
};

class NodeFinding : public ::testing::TestWithParam<FindingCase> {};

TEST_P(NodeFinding, IsShownAndCounted) {
  Json node = parsed(kNode);
  node[Json::json_pointer(GetParam().pointer)] = parsed(GetParam().value);

  const Report report = node_report(node, nullptr);

  EXPECT_TRUE(report.findings);
  EXPECT_THAT(report.text, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Table, NodeFinding,
    ::testing::Values(
        FindingCase{"/quarantine",
                    R"({"code": "ModeUnknown", "msg": "ModeUnknown: none"})",
                    "quarantine:  ModeUnknown: none\n"},
        FindingCase{"/configRefused", R"({"msg": "InvalidConfig: /mtu"})",
                    "config:      InvalidConfig: /mtu\n"},
        FindingCase{"/nodeRefused", R"({"msg": "InvalidConfig: /metadata"})",
                    "file:        InvalidConfig: /metadata\n"},
        FindingCase{"/evidence/0/vote", "\"against\"", "against"}));

}  // namespace
}  // namespace linsey::ctl
