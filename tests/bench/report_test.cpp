#include "bench/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "bench/svg.h"

namespace linsey::bench {
namespace {

using ::testing::HasSubstr;

Samples of(std::initializer_list<double> values) {
  Samples samples;
  for (const double value : values) {
    samples.add(Time(value));
  }
  return samples;
}

TEST(Samples, GivesNearestRanks) {
  const Samples samples = of({5, 1, 4, 2, 3});

  EXPECT_EQ(samples.median(), 3);
  EXPECT_EQ(samples.p99(), 5);
  EXPECT_EQ(samples.quantile(0), 1);
  EXPECT_EQ(samples.quantile(0.2), 1);
}

TEST(Samples, IsZeroWithoutAny) {
  EXPECT_EQ(Samples().median(), 0);
}

Findings findings(double ours) {
  Findings f;
  f.contenders = {{"linsey", "Linsey"}, {"ptp", "ptp"}, {"floor", "floor"}};
  for (const char* verb : {"ADD", "DEL"}) {
    f.figures[{"linsey", verb}] = {of({ours}), of({ours}), of({ours})};
    f.figures[{"ptp", verb}] = {of({1000}), of({1000}), of({1000})};
    f.figures[{"floor", verb}] = {of({100}), of({100}), of({100})};
  }
  return f;
}

TEST(Bars, HoldUpToTheirLimit) {
  for (const Bar& bar : bars_of(findings(160))) {
    EXPECT_TRUE(bar.holds()) << bar.name << " " << bar.found;
  }
}

TEST(Bars, FailBeyondTheirLimit) {
  for (const Bar& bar : bars_of(findings(950))) {
    EXPECT_FALSE(bar.holds()) << bar.name << " " << bar.found;
  }
}

TEST(Bars, FailWithoutMeasurements) {
  for (const Bar& bar : bars_of({})) {
    EXPECT_FALSE(bar.holds()) << bar.name;
  }
}

TEST(Report, NamesEachBarAndItsVerdict) {
  const std::string table = table_of(findings(300));

  EXPECT_THAT(table, HasSubstr("FAILS ADD linsey/ptp, alone"));
  EXPECT_THAT(table, HasSubstr("holds DEL linsey/ptp, 32 at once"));
}

TEST(Report, IsJsonAsWell) {
  const Result<Json> json = parse_json(json_of(findings(160)));

  ASSERT_TRUE(json);
  EXPECT_EQ((*json)["bars"].size(), 6U);
  EXPECT_EQ((*json)["figures"]["linsey"]["ADD"]["alone"]["medianUs"], 160);
}

TEST(Picture, HasABarForEachContenderInEachGroup) {
  const std::string svg = svg_of(findings(160));

  std::size_t bars = 0;
  for (auto at = svg.find("<rect"); at != std::string::npos;
       at = svg.find("<rect", at + 1)) {
    ++bars;
  }
  EXPECT_EQ(bars, 12U);
  EXPECT_THAT(svg, HasSubstr("0.16 ms"));
}

}  // namespace
}  // namespace linsey::bench
