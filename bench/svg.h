// The picture of a benchmark: one bar for each contender, grouped by verb and
// way of calling. Plain SVG text, readable on light and dark pages.
#pragma once

#include <string>

#include "bench/report.h"

namespace linsey::bench {

std::string svg_of(const Findings& findings);

}  // namespace linsey::bench
