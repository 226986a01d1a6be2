#include "base/result.h"

#include <cerrno>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "base/rollback.h"

namespace linsey {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return make_error(Code::kDecode, "{} is odd", n);
  return n / 2;
}

Result<int> quarter(int n) {
  return half(TRY(half(n)));
}

Result<void> must_be_even(int n) {
  TRY(half(n));
  return {};
}

TEST(Result, TryYieldsTheValueOrReturnsTheError) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().msg, "3 is odd");
  EXPECT_TRUE(must_be_even(2).has_value());
  EXPECT_EQ(must_be_even(1).error().code, Code::kDecode);
}

TEST(Result, HoldsMoveOnlyValues) {
  Result<std::unique_ptr<int>> r = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = std::move(r).value();
  EXPECT_EQ(*taken, 7);
}

TEST(Result, ContextPutsTheCallerInFront) {
  EXPECT_EQ(context(half(3), "halve {}", "three").error().msg,
            "halve three: 3 is odd");
}

TEST(ResultDeathTest, ValueOfAnErrorPanics) {
  EXPECT_DEATH((void)*half(1), "broken invariant: 1 is odd");
}

TEST(Error, TextNamesCodeFactAndRemedyOnce) {
  const std::string wanted =
      "ZoneNotMapped: zone z has no pod vSwitch; add it under eni.zones";
  EXPECT_EQ(to_string(make_error(Code::kZoneNotMapped,
                                 "zone {} has no pod vSwitch", "z")),
            wanted);
  EXPECT_EQ(to_string(make_error(Code::kZoneNotMapped,
                                 "zone z has no pod vSwitch; add it under "
                                 "eni.zones")),
            wanted);
}

TEST(Error, FullDiskAndMissingRightsHaveTheirOwnCodes) {
  EXPECT_EQ(errno_error(ENOSPC, "write x").code, Code::kDiskFull);
  EXPECT_EQ(errno_error(EROFS, "write x").code, Code::kDiskFull);
  EXPECT_EQ(errno_error(EPERM, "setns").code, Code::kPermission);
  EXPECT_EQ(errno_error(ENOENT, "open y").msg,
            "open y: No such file or directory");
}

TEST(ErrorList, JoinsAllAndKeepsTheFirstCode) {
  ErrorList list;
  EXPECT_TRUE(list.result().has_value());
  list.add(make_error(Code::kKernel, "first"));
  list.add(Result<void>{});
  list.add(half(5));
  EXPECT_EQ(list.result().error().code, Code::kKernel);
  EXPECT_EQ(list.result().error().msg, "first; 5 is odd");
}

TEST(Rollback, RunsBackwardsPastFailuresUnlessCommitted) {
  std::string trace;
  const auto step = [&trace](const char* mark, bool good) {
    return [&trace, mark, good]() -> Result<void> {
      trace += mark;
      if (!good) return make_error(Code::kKernel, "no");
      return {};
    };
  };
  {
    Rollback undo;
    undo.add(step("1", true));
    undo.add(step("2", false));
    undo.add(step("3", true));
  }
  EXPECT_EQ(trace, "321");
  {
    Rollback undo;
    undo.add(step("4", true));
    undo.commit();
  }
  EXPECT_EQ(trace, "321");
}

}  // namespace
}  // namespace linsey
