#include "lab/api/cel.h"

#include <gtest/gtest.h>

namespace linsey::lab::api {
namespace {

Json eval(const std::string& text) {
  const Json self = {{"cidr", "10.244.3.64/26"},
                     {"size", 26},
                     {"labels", {{"a", "1"}, {"b", "2"}}},
                     {"list", {1, 2, 3}},
                     {"nothing", nullptr}};
  const CelScope scope{nullptr, "self", &self};
  const Result<Json> value = run_cel(text, scope);
  return value ? *value : Json("error: " + value.error().msg);
}

struct Row {
  const char* text;
  Json value;
};

TEST(Cel, EvaluatesWhatOurRulesUse) {
  const std::vector<Row> rows{
      {"1 + 2 * 3 - 4 / 2", 5},
      {"-(3) % 2", -1},
      {"'a' + \"b\" == 'ab' && !(1 > 2)", true},
      {"self.size >= 20 && self.size <= 32", true},
      {"has(self.size) == !has(self.other)", true},
      {"has(self.nothing)", false},
      {"self.cidr.contains(':') ? 1 : int(self.cidr.split('/')[1])", 26},
      {"self.cidr.split('/')[0].split('.').map(o, "
       "'0123456789abcdef'.charAt(int(o) / 16) + "
       "'0123456789abcdef'.charAt(int(o) % 16)).join('')",
       "0af40340"},
      {"self.labels.all(k, k in ['a', 'b'] && self.labels[k] != '')", true},
      {"self.list.exists(x, x == 2) && self.list.filter(x, x > 1) == [2, 3]",
       true},
      {"self.list.exists_one(x, x > 2) && size(self.list) == 3", true},
      {"'4-0a'.matches('^4-[0-9a-f]+$') && 'abc'.endsWith('bc')", true},
      {"{} == {} && [] == [] && 'a' in {'a': 1}", true},
      {"string(5) + 'abc'.charAt('abc'.indexOf('c'))", "5c"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(eval(row.text), row.value) << row.text;
  }
}

TEST(Cel, AnOperandThatDecidesHidesTheOthersError) {
  EXPECT_EQ(eval("self.gone == 1 || true"), true);
  EXPECT_EQ(eval("false && self.gone == 1"), false);
  EXPECT_EQ(eval("self.gone == 1 || false"), "error: no such key: gone");
}

TEST(Cel, RefusesWhatItDoesNotKnow) {
  EXPECT_FALSE(parse_cel("1 +"));
  EXPECT_FALSE(parse_cel("self.x("));
  EXPECT_FALSE(parse_cel("'open"));
  EXPECT_EQ(eval("cidr('10.0.0.0/8')"), "error: cidr(): undeclared reference");
}

}  // namespace
}  // namespace linsey::lab::api
