#include "conf/selector.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linsey::conf {
namespace {

using ::testing::HasSubstr;

struct MatchCase {
  const char* selector;
  Labels labels;
  bool matches;
};

class SelectorMatch : public ::testing::TestWithParam<MatchCase> {};

TEST_P(SelectorMatch, FollowsKubernetes) {
  const MatchCase& c = GetParam();

  const Result<Selector> selector = Selector::parse(c.selector);

  ASSERT_TRUE(selector) << selector.error().msg;
  EXPECT_EQ(selector->matches(c.labels), c.matches) << c.selector;
}

INSTANTIATE_TEST_SUITE_P(
    Table, SelectorMatch,
    ::testing::Values(
        MatchCase{"", {}, true}, MatchCase{"  \t\n", {{"x", "y"}}, true},
        MatchCase{"x=y", {{"x", "y"}}, true},
        MatchCase{"x==y", {{"x", "y"}}, true},
        MatchCase{"x=y,z=w", {{"x", "y"}, {"z", "w"}}, true},
        MatchCase{"x=y,z=w", {{"x", "y"}}, false},
        MatchCase{" x = y , z == w ", {{"x", "y"}, {"z", "w"}}, true},
        MatchCase{"x=y", {{"x", "z"}}, false}, MatchCase{"x=y", {}, false},
        MatchCase{"x!=y", {{"x", "z"}}, true},
        MatchCase{"x!=y", {{"x", "y"}}, false}, MatchCase{"x!=y", {}, true},
        MatchCase{"x!=y,z!=w", {{"x", "z"}, {"z", "a"}}, true},
        MatchCase{"x=", {{"x", ""}}, true}, MatchCase{"x=", {}, false},
        MatchCase{"x= ,y", {{"x", ""}, {"y", "1"}}, true},
        MatchCase{"x!=", {{"x", ""}}, false}, MatchCase{"x!=", {}, true},
        MatchCase{"x in (a)", {{"x", "a"}}, true},
        MatchCase{"x in (a,b)", {{"x", "b"}}, true},
        MatchCase{"x in ( a , b )", {{"x", "b"}}, true},
        MatchCase{"x in(a,b)", {{"x", "b"}}, true},
        MatchCase{"x in (a,b)", {{"x", "c"}}, false},
        MatchCase{"x in (a,b)", {}, false},
        MatchCase{"x in (a,)", {{"x", ""}}, true},
        MatchCase{"x in (,a)", {{"x", ""}}, true},
        MatchCase{"x in (,)", {{"x", "a"}}, false},
        MatchCase{"x notin (a,b)", {{"x", "c"}}, true},
        MatchCase{"x notin (a,b)", {{"x", "a"}}, false},
        MatchCase{"x notin (a,b)", {}, true}, MatchCase{"x", {{"x", ""}}, true},
        MatchCase{"x", {}, false}, MatchCase{"!x", {}, true},
        MatchCase{"! x", {}, true}, MatchCase{"!x", {{"x", ""}}, false},
        MatchCase{"x,!y,z in (1,2)", {{"x", "1"}, {"z", "2"}}, true},
        MatchCase{"in in (in,notin)", {{"in", "notin"}}, true},
        MatchCase{"notin", {{"notin", "1"}}, true},
        MatchCase{"x=in", {{"x", "in"}}, true},
        MatchCase{"x>1", {{"x", "2"}}, true},
        MatchCase{"x>2", {{"x", "2"}}, false},
        MatchCase{"x<10", {{"x", "9"}}, true},
        MatchCase{"x<10", {{"x", "nine"}}, false}, MatchCase{"x<10", {}, false},
        MatchCase{"X=y", {{"x", "y"}}, false},
        MatchCase{"x=Y", {{"x", "y"}}, false},
        MatchCase{"example.com/tier=a_b.c-d",
                  {{"example.com/tier", "a_b.c-d"}},
                  true},
        MatchCase{"topology.kubernetes.io/zone in (cn-x-a, cn-x-b)",
                  {{"topology.kubernetes.io/zone", "cn-x-b"}},
                  true}));

struct ErrorCase {
  std::string selector;
  std::string says;
};

class SelectorError : public ::testing::TestWithParam<ErrorCase> {};

TEST_P(SelectorError, NamesPositionAndExpectation) {
  const ErrorCase& c = GetParam();

  const Result<Selector> selector = Selector::parse(c.selector);

  ASSERT_FALSE(selector) << c.selector;
  EXPECT_EQ(selector.error().code, Code::kInvalidConfig);
  EXPECT_THAT(selector.error().msg, HasSubstr(c.says));
}

INSTANTIATE_TEST_SUITE_P(
    Table, SelectorError,
    ::testing::Values(
        ErrorCase{",", "position 1: expected a label key"},
        ErrorCase{"x,", "position 3: expected a label key"},
        ErrorCase{"x,,y", "position 3: expected a label key"},
        ErrorCase{",x", "position 1: expected a label key"},
        ErrorCase{"x=a||y=b", "position 3: \"a||y\""},
        ErrorCase{"x y", "position 3: expected one of"},
        ErrorCase{"x=a b", "position 5: expected \",\""},
        ErrorCase{"x===a", "position 4: expected a value"},
        ErrorCase{"x=!a", "position 3: expected a value"},
        ErrorCase{"=a", "position 1: expected a label key"},
        ErrorCase{"!", "position 2: expected a label key"},
        ErrorCase{"!!x", "position 2: expected a label key"},
        ErrorCase{"!x=a", "position 3: expected \",\""},
        ErrorCase{"!x in (a)", "position 4: expected \",\""},
        ErrorCase{"x in a", "position 6: expected \"(\""},
        ErrorCase{"x in ()", "position 7: expected at least one value"},
        ErrorCase{"x in (a",
                  "position 8: expected \",\" or \")\", found the "
                  "end"},
        ErrorCase{"x in (a b)", "position 9: expected \",\" or \")\""},
        ErrorCase{"x in (a))", "position 9: expected \",\""},
        ErrorCase{"x in (a,!b)", "position 9: expected a value"},
        ErrorCase{"x notin", "position 8: expected \"(\""},
        ErrorCase{"x IN (a)", "position 3: expected one of"},
        ErrorCase{"x>a", "is no whole number"},
        ErrorCase{"x>", "is no whole number"},
        ErrorCase{"x=\"a\"", "without quotes"}, ErrorCase{"x='a'", "quotes"},
        ErrorCase{"-x=a", "is no label key"}, ErrorCase{"x_=a", "label key"},
        ErrorCase{"/x", "prefix"}, ErrorCase{"Ex.com/x", "prefix"},
        ErrorCase{"ex..com/x", "prefix"}, ErrorCase{"a/b/c", "label key"},
        ErrorCase{"ex.com/", "label key"}, ErrorCase{"x=-a", "label value"},
        ErrorCase{"x=a/b", "label value"},
        ErrorCase{"x=" + std::string(64, 'a'), "at most 63"},
        ErrorCase{std::string(64, 'a'), "1 to 63"},
        ErrorCase{std::string(254, 'a') + "/x", "at most 253"}));

TEST(Selector, TakesTheLongestKeyAndValue) {
  const std::string prefix = std::string(63, 'a') + "." + std::string(63, 'b');
  const std::string key = prefix + "/" + std::string(63, 'k');
  const std::string value(63, 'v');

  const Result<Selector> selector = Selector::parse(key + "=" + value);

  ASSERT_TRUE(selector) << selector.error().msg;
  EXPECT_TRUE(selector->matches({{key, value}}));
}

TEST(Selector, KeepsItsText) {
  EXPECT_EQ(Selector::parse("b = 1, a")->text(), "b = 1, a");
}

TEST(Selector, EqualsOneOfOtherOrderAndSpelling) {
  EXPECT_EQ(*Selector::parse("a=b,c,c"), *Selector::parse(" c , a == b"));
  EXPECT_EQ(*Selector::parse("x in (1,2)"), *Selector::parse("x in (2,1)"));
  EXPECT_FALSE(*Selector::parse("a=b") == *Selector::parse("a!=b"));
}

TEST(Selector, SelectsEverythingByDefault) {
  EXPECT_TRUE(Selector().empty());
  EXPECT_TRUE(Selector().matches({{"a", "b"}}));
}

}  // namespace
}  // namespace linsey::conf
