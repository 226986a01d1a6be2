#include "plugin/result.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "tests/support/golden.h"

namespace linsey::plugin {
namespace {

/// A result in which every field of 1.1.0 is set.
constexpr std::string_view kFull = R"({
  "cniVersion": "1.1.0",
  "interfaces": [
    {"name": "cali1", "mac": "ee:ee:ee:ee:ee:ee", "mtu": 1450},
    {"name": "eth0", "mac": "02:00:00:00:00:01", "mtu": 1450,
     "sandbox": "/n/1", "socketPath": "/s", "pciID": "0000:00:1f.6"}],
  "ips": [
    {"address": "10.64.0.9/32", "gateway": "169.254.1.1", "interface": 1},
    {"address": "fd00::9/128", "interface": 0}],
  "routes": [
    {"dst": "0.0.0.0/0", "gw": "169.254.1.1", "mtu": 1400, "advmss": 1360,
     "priority": 7, "table": 100, "scope": 0},
    {"dst": "::/0", "gw": "fe80::1"}],
  "dns": {"nameservers": ["10.96.0.10"], "domain": "d", "search": ["s"],
          "options": ["ndots:5"]}
})";

CniResult read(std::string_view text, Version version) {
  return parse_result(*parse_json(text), version).value();
}

std::string write(const CniResult& result, Version version) {
  return format_result(result, version).value();
}

TEST(CniResult, KeepsEveryFieldAtTheNewestVersion) {
  EXPECT_EQ(*parse_json(write(read(kFull, Version::k110), Version::k110)),
            *parse_json(kFull));
}

TEST(CniResult, HasItsOwnFormInEachVersion) {
  const CniResult full = read(kFull, Version::k110);
  for (const std::string_view version : kVersionNames) {
    const std::string text = write(full, *find_version(version));
    tests::expect_golden(fmt::format("result-{}.json", version),
                         dump_json(*parse_json(text), 2) + "\n");
  }
}

TEST(CniResult, ReadsBackWhatItWroteInEachVersion) {
  const CniResult full = read(kFull, Version::k110);
  for (const std::string_view name : kVersionNames) {
    const Version version = *find_version(name);
    const std::string text = write(full, version);
    EXPECT_EQ(write(read(text, version), version), text) << name;
  }
}

TEST(CniResult, CarriesUnknownMembersAtEveryLevel) {
  constexpr std::string_view kNovel = R"({
    "cniVersion": "1.1.0", "novel": [1],
    "interfaces": [{"name": "eth0", "novel": {"a": 1}}],
    "ips": [{"address": "10.0.0.1/24", "novel": true}],
    "routes": [{"dst": "10.0.0.0/8", "novel": null}],
    "dns": {"novel": "x"}})";
  EXPECT_EQ(*parse_json(write(read(kNovel, Version::k110), Version::k110)),
            *parse_json(kNovel));
}

TEST(CniResult, UnderTheFirstVersionsRoutesGoToTheHalfOfTheirFamily) {
  const Json json =
      *parse_json(write(read(kFull, Version::k110), Version::k020));
  EXPECT_EQ(json["ip4"]["routes"].dump(),
            R"([{"dst":"0.0.0.0/0","gw":"169.254.1.1"}])");
  EXPECT_EQ(json["ip6"]["routes"].dump(), R"([{"dst":"::/0","gw":"fe80::1"}])");
  EXPECT_FALSE(json.contains("interfaces"));
}

TEST(CniResult, WithoutAnAddressCannotBeSaidInTheFirstVersions) {
  CniResult result;
  result.interfaces.push_back({.name = "eth0"});
  const Result<std::string> r = format_result(result, Version::k020);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kUnsupportedField);
  EXPECT_TRUE(format_result(result, Version::k030));
}

TEST(CniResult, EmptyIsAValidResultThatPassesThrough) {
  EXPECT_EQ(write(read("{}", Version::k110), Version::k110),
            R"({"cniVersion":"1.1.0"})");
  EXPECT_EQ(write(read("{}", Version::k020), Version::k020),
            R"({"cniVersion":"0.2.0","dns":{}})");
}

TEST(CniResult, TakesOldIndicesAndEmptyGateways) {
  const CniResult result = read(
      R"({"ips": [{"version": "4", "address": "10.0.0.1/24", "gateway": "",
                   "interface": -1}]})",
      Version::k031);
  EXPECT_EQ(result.ips[0].interface, -1);
  EXPECT_EQ(result.ips[0].gateway, std::nullopt);
}

TEST(CniResult, RefusesWhatItCannotRead) {
  for (const char* text :
       {"[]", "5", R"({"ips": 5})", R"({"ips": [{"address": "10.0.0.5"}]})",
        R"({"ips": [{}]})", R"({"ips": [{"address": 5}]})",
        R"({"ips": [{"address": "10.0.0.1/24", "gateway": "x"}]})",
        R"({"ips": [{"address": "10.0.0.1/24", "interface": "0"}]})",
        R"({"interfaces": [{"name": "e", "mtu": "1500"}]})",
        R"({"routes": [{"gw": "10.0.0.1"}]})",
        R"({"routes": [{"dst": "10.0.0.0/8", "table": -1}]})",
        R"({"dns": {"nameservers": "x"}})"}) {
    const Result<CniResult> r = parse_result(*parse_json(text), Version::k110);
    ASSERT_FALSE(r) << text;
    EXPECT_EQ(r.error().code, Code::kDecode) << text;
  }
}

TEST(MergeResults, AppendsAndMovesTheIndices) {
  const CniResult ours = read(kFull, Version::k110);
  const CniResult merged = merge_results(ours, ours);

  EXPECT_EQ(merged.interfaces.size(), 4U);
  EXPECT_EQ(merged.ips[1].interface, 0);
  EXPECT_EQ(merged.ips[2].interface, 3);
  EXPECT_EQ(merged.ips[3].interface, 2);
  EXPECT_EQ(merged.routes.size(), 4U);
  EXPECT_EQ(merged.dns, ours.dns);
}

TEST(CheckMergeable, RefusesWhereOneOfTheTwoWouldBeLost) {
  const CniResult ours = read(kFull, Version::k110);
  EXPECT_FALSE(check_mergeable(ours, Version::k020));
  EXPECT_TRUE(check_mergeable({}, Version::k020));
  EXPECT_TRUE(check_mergeable(ours, Version::k030));
}

}  // namespace
}  // namespace linsey::plugin
