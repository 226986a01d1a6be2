// What the benchmark of ADD and DEL found, as a table, as JSON and as bars.
//
// A bar is a promise about a ratio of medians of one run. Ratios, not times:
// machines differ and a busy one slows all contenders alike.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bench/samples.h"

namespace linsey::bench {

/// Contender and verb: {"linsey", "ADD"}.
using Subject = std::pair<std::string, std::string>;

/// Where the time of one call of ours goes; medians in microseconds.
struct Phase {
  std::string name;
  double us = 0;
};

struct Findings {
  std::vector<std::pair<std::string, std::string>> contenders;  // name, what
  std::map<Subject, Figures> figures;
  std::map<std::string, std::vector<Phase>> phases;  // by verb
  std::map<std::string, Samples> version;            // start-up, by contender
  double commit_us = 0;     // one commit of the agent's ledger, mean
  double disk_sync_us = 0;  // write and fdatasync of 4 KiB beside it, median
  std::uint64_t plugin_bytes = 0;
  std::uint64_t agent_rss_idle = 0;  // bytes
  std::uint64_t agent_rss_full = 0;
  unsigned agent_pods = 0;
  unsigned batch = 32;
  double load = 0;  // of the machine at the start, one-minute average
  unsigned processors = 0;
};

struct Bar {
  std::string name;
  double found = 0;
  double limit = 0;
  bool holds() const { return found > 0 && found <= limit; }
};

std::vector<Bar> bars_of(const Findings& findings);
std::string table_of(const Findings& findings);
std::string json_of(const Findings& findings);

}  // namespace linsey::bench
