#include "ctl/table.h"

#include <gtest/gtest.h>

namespace linsey::ctl {
namespace {

TEST(Table, AlignsColumnsAndLeavesNothingTrailing) {
  Table table({"A", "LONGER"});
  table.add({"wide cell", "x"});
  table.add({"y"});

  EXPECT_EQ(table.text(),
            "A          LONGER\n"
            "wide cell  x\n"
            "y          -\n");
}

TEST(Table, IsEmptyWithItsHeadAlone) {
  EXPECT_TRUE(Table({"A"}).empty());
}

TEST(Table, KeepsARowOnOneLine) {
  Table table({"A"});
  table.add({"x\ny"});

  EXPECT_EQ(table.text(), "A\nx y\n");
}

}  // namespace
}  // namespace linsey::ctl
