#include "agent/metrics.h"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "base/result.h"

namespace linsey::agent {
namespace {

std::string escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
  return out;
}

std::string number(double value) {
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (std::isnan(value)) return "NaN";
  return fmt::format("{}", value);
}

/// {a="b",c="d"}, or nothing.
std::string label_text(const MetricLabels& labels) {
  std::string out;
  for (const auto& [key, value] : labels) {
    out += fmt::format("{}{}=\"{}\"", out.empty() ? "" : ",", key,
                       escaped(value, true));
  }
  return out.empty() ? out : "{" + out + "}";
}

MetricLabels with(MetricLabels labels, const std::string& bound) {
  labels.emplace_back("le", bound);
  return labels;
}

}  // namespace

Metrics::FamilyOfSeries& Metrics::family(const std::string& name, Kind kind) {
  const auto [it, is_new] = families_.try_emplace(name);
  if (is_new) it->second.kind = kind;
  if (it->second.kind != kind) {
    panic(fmt::format("metric {} is used as two kinds", name));
  }
  return it->second;
}

void Metrics::describe_counter(const std::string& name,
                               const std::string& help) {
  FamilyOfSeries& found = family(name, Kind::kCounter);
  found.help = help;
}

void Metrics::describe_gauge(const std::string& name, const std::string& help) {
  family(name, Kind::kGauge).help = help;
}

void Metrics::describe_histogram(const std::string& name,
                                 const std::string& help,
                                 std::vector<double> bounds) {
  FamilyOfSeries& found = family(name, Kind::kHistogram);
  found.help = help;
  found.bounds = std::move(bounds);
}

void Metrics::count(const std::string& name, const MetricLabels& labels,
                    double by) {
  family(name, Kind::kCounter).series[labels].value += by;
}

void Metrics::set(const std::string& name, double value,
                  const MetricLabels& labels) {
  family(name, Kind::kGauge).series[labels].value = value;
}

void Metrics::clear(const std::string& name) {
  family(name, Kind::kGauge).series.clear();
}

void Metrics::observe(const std::string& name, double value,
                      const MetricLabels& labels) {
  FamilyOfSeries& found = family(name, Kind::kHistogram);
  Series& series = found.series[labels];
  series.buckets.resize(found.bounds.size());
  const auto bucket = std::ranges::lower_bound(found.bounds, value);
  if (bucket != found.bounds.end()) {
    ++series.buckets[static_cast<std::size_t>(bucket - found.bounds.begin())];
  }
  series.value += value;
  ++series.observations;
}

void Metrics::on_collect(std::function<void()> collect) {
  collectors_.push_back(std::move(collect));
}

std::string Metrics::text() {
  for (const auto& collect : collectors_) {
    collect();
  }
  std::string out;
  for (const auto& [name, found] : families_) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name,
                       escaped(found.help, false), name, type_name(found.kind));
    if (found.kind == Kind::kCounter && found.series.empty()) {
      out += fmt::format("{} 0\n", name);
    }
    for (const auto& [labels, series] : found.series) {
      if (found.kind == Kind::kHistogram) {
        print_histogram(name, found, labels, out);
      } else {
        out += fmt::format("{}{} {}\n", name, label_text(labels),
                           number(series.value));
      }
    }
  }
  return out;
}

std::string_view Metrics::type_name(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return "counter";
    case Kind::kGauge:
      return "gauge";
    default:
      return "histogram";
  }
}

void Metrics::print_histogram(const std::string& name,
                              const FamilyOfSeries& found,
                              const MetricLabels& labels, std::string& out) {
  const Series& series = found.series.at(labels);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < found.bounds.size(); ++i) {
    below += series.buckets[i];
    out +=
        fmt::format("{}_bucket{} {}\n", name,
                    label_text(with(labels, number(found.bounds[i]))), below);
  }
  out += fmt::format("{}_bucket{} {}\n{}_sum{} {}\n{}_count{} {}\n", name,
                     label_text(with(labels, "+Inf")), series.observations,
                     name, label_text(labels), number(series.value), name,
                     label_text(labels), series.observations);
}

}  // namespace linsey::agent
