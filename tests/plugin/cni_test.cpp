#include "plugin/cni.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.h"

namespace linsey::plugin {
namespace {

TEST(ErrorDocument, HasVersionNumberAndText) {
  const Error error{Code::kZoneNotMapped, "zone cn-x-f has no pod vSwitch",
                    "metadata says cn-x-f"};
  const Json json = *parse_json(error_document(error, "0.4.0", false));

  EXPECT_EQ(json["cniVersion"], "0.4.0");
  EXPECT_EQ(json["code"], 200);
  EXPECT_EQ(json["msg"],
            "ZoneNotMapped: zone cn-x-f has no pod vSwitch; add it under "
            "eni.zones");
  EXPECT_EQ(json["details"], "metadata says cn-x-f");
}

TEST(ErrorDocument, TransientTroubleIsTryAgainLater) {
  const Json json =
      *parse_json(error_document({Code::kAgentDown, "x", ""}, "1.1.0", false));
  EXPECT_EQ(json["code"], 11);
  EXPECT_FALSE(json.contains("details"));
}

TEST(ErrorDocument, OfADelNeverSaysWhatContainerdTakesForSuccess) {
  const std::string text = error_document(
      {Code::kKernel, "link not found, really not found", "not found"}, "1.1.0",
      true);
  EXPECT_EQ(text.find("not found"), std::string::npos) << text;
}

TEST(ErrorDocument, SurvivesTextThatIsNoUtf8) {
  EXPECT_TRUE(parse_json(
      error_document({Code::kIo, "bad \xff byte", ""}, "1.1.0", false)));
}

TEST(VersionDocument, EchoesAVersionWeSpeak) {
  const auto version = [](std::string_view input) {
    return parse_json(version_document(input))
        ->at("cniVersion")
        .get<std::string>();
  };
  EXPECT_EQ(version(R"({"cniVersion": "0.4.0"})"), "0.4.0");
  EXPECT_EQ(version(R"({"cniVersion": "9.9.9"})"), "1.1.0");
  EXPECT_EQ(version("garbage"), "1.1.0");
  EXPECT_EQ(version(""), "1.1.0");
}

TEST(VersionDocument, ListsAllSeven) {
  EXPECT_EQ(parse_json(version_document(""))->at("supportedVersions").size(),
            7U);
}

}  // namespace
}  // namespace linsey::plugin
