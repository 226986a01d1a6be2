#include "base/code.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/golden.h"

namespace linsey {
namespace {

TEST(Code, EveryNumberAndNameIsUnique) {
  std::set<unsigned> numbers;
  std::set<std::string_view> names;
  for (const CodeInfo& c : all_codes()) {
    EXPECT_TRUE(numbers.insert(static_cast<unsigned>(c.code)).second) << c.name;
    EXPECT_TRUE(names.insert(c.name).second) << c.name;
    EXPECT_EQ(code_from_name(c.name), c.code);
  }
  EXPECT_FALSE(code_from_name("zonenotmapped").has_value());
}

TEST(Code, TransientOnesReachTheRuntimeAsTryAgainLater) {
  EXPECT_EQ(cni_number(Code::kAgentDown), 11U);
  EXPECT_EQ(cni_number(Code::kCloudThrottled), 11U);
  EXPECT_EQ(cni_number(Code::kAddressesExhausted), 11U);
  EXPECT_EQ(cni_number(Code::kZoneNotMapped), 200U);
  EXPECT_EQ(cni_number(Code::kInvalidNetns), 8U);
}

TEST(Code, EveryOneHasAHeadingInTheDocs) {
  const Result<std::string> page =
      read_file(tests::source_dir() + "/docs/errors.md");
  ASSERT_TRUE(page.has_value());
  for (const CodeInfo& c : all_codes()) {
    const std::string heading = "\n### " + std::string(c.name) + "\n";
    EXPECT_NE(page->find(heading), std::string::npos)
        << c.name << " has no heading in docs/errors.md";
  }
}

}  // namespace
}  // namespace linsey
