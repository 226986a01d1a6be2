#include "plugin/version.h"

#include <gtest/gtest.h>

namespace linsey::plugin {
namespace {

TEST(AcceptVersion, AddAndDelWantAListedVersionLiterally) {
  for (const Verb verb : {Verb::kAdd, Verb::kDel}) {
    for (const std::string_view version : kVersionNames) {
      EXPECT_EQ(name(accept_version(verb, version).value()), version);
    }
    for (const char* version :
         {"1.2.0", "2.0.0", "0.3.2", "abc", "1.1", "v1.1.0", ""}) {
      const Result<Version> r = accept_version(verb, version);
      ASSERT_FALSE(r) << version;
      EXPECT_EQ(r.error().code, Code::kIncompatibleVersion) << version;
      EXPECT_NE(r.error().details.find("\"1.1.0\""), std::string::npos);
    }
  }
}

struct GateCase {
  Verb verb;
  const char* version;
  Code code;
};

class Gate : public testing::TestWithParam<GateCase> {};

TEST_P(Gate, RefusesWithTheRightCode) {
  const Result<Version> r = accept_version(GetParam().verb, GetParam().version);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, GetParam().code);
}

constexpr Code kOld = Code::kIncompatibleVersion;

INSTANTIATE_TEST_SUITE_P(
    AcceptVersion, Gate,
    testing::Values(GateCase{Verb::kCheck, "0.3.1", kOld},
                    GateCase{Verb::kCheck, "0.1.0", kOld},
                    GateCase{Verb::kCheck, "1.2.0", kOld},
                    GateCase{Verb::kCheck, "1.1", kOld},
                    GateCase{Verb::kCheck, "abc", Code::kDecode},
                    GateCase{Verb::kCheck, "v1.0.0", Code::kDecode},
                    GateCase{Verb::kCheck, "1.0.0.0", Code::kDecode},
                    GateCase{Verb::kGc, "1.0.0", kOld},
                    GateCase{Verb::kStatus, "0.4.0", kOld},
                    GateCase{Verb::kStatus, "2.0.0", kOld},
                    GateCase{Verb::kGc, "", Code::kDecode}));

TEST(AcceptVersion, LaterVerbsAreKnownFromTheirFirstVersion) {
  EXPECT_TRUE(accept_version(Verb::kCheck, "0.4.0"));
  EXPECT_TRUE(accept_version(Verb::kCheck, "1.1.0"));
  EXPECT_TRUE(accept_version(Verb::kGc, "1.1.0"));
  EXPECT_TRUE(accept_version(Verb::kStatus, "1.1.0"));
}

TEST(FindVerb, KnowsUpperCaseOnly) {
  EXPECT_EQ(find_verb("GC"), Verb::kGc);
  EXPECT_EQ(find_verb("add"), std::nullopt);
  EXPECT_EQ(find_verb("VERSION"), std::nullopt);
}

}  // namespace
}  // namespace linsey::plugin
