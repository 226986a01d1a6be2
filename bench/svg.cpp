#include "bench/svg.h"

#include <algorithm>
#include <vector>

namespace linsey::bench {
namespace {

constexpr int kWidth = 720;
constexpr int kLeft = 170;   // names
constexpr int kRight = 110;  // figures
constexpr int kBar = 18;
constexpr int kGap = 4;
constexpr int kTitle = 30;

struct Row {
  std::string label;
  double ms = 0;
  std::string colour;
};

struct Group {
  std::string title;
  std::vector<Row> rows;
};

std::string colour_of(const std::string& contender) {
  if (contender == "linsey") return "#2f6fdf";
  if (contender == "ptp") return "#9a6b3c";
  return "#8a8f98";
}

Group group_of(const Findings& findings, const std::string& verb, bool alone) {
  Group group;
  group.title =
      alone
          ? fmt::format("{}, one after the other: median of one call", verb)
          : fmt::format("{}, {} at once: time for each", verb, findings.batch);
  for (const auto& [name, what] : findings.contenders) {
    const auto found = findings.figures.find({name, verb});
    if (found == findings.figures.end()) continue;
    const Figures& f = found->second;
    const double us = alone ? f.alone.median() : f.share.median();
    group.rows.push_back({what, us / 1000, colour_of(name)});
  }
  return group;
}

std::string bar_of(const Row& row, double scale, int y) {
  const double width = std::max(1.0, row.ms * scale);
  const int middle = y + kBar - 5;
  return fmt::format(
      "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n"
      "<rect x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\" fill=\"{}\" "
      "rx=\"2\"/>\n"
      "<text x=\"{:.1f}\" y=\"{}\">{:.2f} ms</text>\n",
      kLeft - 8, middle, row.label, kLeft, y, width, kBar, row.colour,
      kLeft + width + 6, middle, row.ms);
}

}  // namespace

std::string svg_of(const Findings& findings) {
  const std::vector<Group> groups = {
      group_of(findings, "ADD", true), group_of(findings, "ADD", false),
      group_of(findings, "DEL", true), group_of(findings, "DEL", false)};
  std::string body;
  int y = 8;
  for (const Group& group : groups) {
    double largest = 0.001;
    for (const Row& row : group.rows) {
      largest = std::max(largest, row.ms);
    }
    const double scale = (kWidth - kLeft - kRight) / largest;
    body += fmt::format(
        "<text x=\"8\" y=\"{}\" font-weight=\"bold\">{}"
        "</text>\n",
        y + 16, group.title);
    y += kTitle - 4;
    for (const Row& row : group.rows) {
      body += bar_of(row, scale, y);
      y += kBar + kGap;
    }
    y += 12;
  }
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
      "width=\"{0}\" height=\"{1}\" font-family=\"sans-serif\" "
      "font-size=\"13\">\n"
      "<style>text {{ fill: #24292f }} @media (prefers-color-scheme: dark) "
      "{{ text {{ fill: #e6edf3 }} }}</style>\n{2}</svg>\n",
      kWidth, y, body);
}

}  // namespace linsey::bench
