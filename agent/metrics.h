// Metrics: counters, gauges and histograms of the agent, printed as Prometheus
// text (exposition format 0.0.4) at GET /metrics.
//
// A family is described once, its series come into being on first use. Names
// begin with "linsey_", counters end in "_total", durations are in seconds.
// Labels are kept few and closed (codes, verbs, states), never a pod's name:
// the number of series must not grow with the cluster. Loop only, so a plain
// map; rejected: the prometheus-cpp client, which is not in Debian and locks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace linsey::agent {

/// Label names and values, in the order they are printed.
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Metrics {
 public:
  /// What `name` means; printed as # HELP. A counter that is described is
  /// printed with the value 0 before its first use.
  void describe_counter(const std::string& name, const std::string& help);
  void describe_gauge(const std::string& name, const std::string& help);
  /// `bounds` are the upper bounds of the buckets, ascending, without +Inf.
  void describe_histogram(const std::string& name, const std::string& help,
                          std::vector<double> bounds);

  /// Adds to a counter. An undescribed name is described as "".
  void count(const std::string& name, const MetricLabels& labels = {},
             double by = 1);
  void set(const std::string& name, double value,
           const MetricLabels& labels = {});
  /// Forgets all series of a gauge, before they are set anew.
  void clear(const std::string& name);
  /// Adds one observation to a histogram that was described.
  void observe(const std::string& name, double value,
               const MetricLabels& labels = {});

  /// Called before every print: sets gauges from what is counted elsewhere.
  void on_collect(std::function<void()> collect);

  std::string text();

 private:
  enum class Kind { kCounter, kGauge, kHistogram };
  struct Series {
    double value = 0;                    // counter, gauge; sum of a histogram
    std::vector<std::uint64_t> buckets;  // cumulative only when printed
    std::uint64_t observations = 0;
  };
  struct FamilyOfSeries {
    Kind kind = Kind::kCounter;
    std::string help;
    std::vector<double> bounds;
    std::map<MetricLabels, Series> series;
  };

  FamilyOfSeries& family(const std::string& name, Kind kind);
  static std::string_view type_name(Kind kind);
  static void print_histogram(const std::string& name,
                              const FamilyOfSeries& found,
                              const MetricLabels& labels, std::string& out);

  std::map<std::string, FamilyOfSeries> families_;
  std::vector<std::function<void()>> collectors_;
};

}  // namespace linsey::agent
