#include "bench/report.h"

#include <nlohmann/json.hpp>

#include "base/json.h"

namespace linsey::bench {
namespace {

double milliseconds(double us) {
  return us / 1000;
}

double ratio(double a, double b) {
  return b > 0 ? a / b : 0;
}

const Figures& of(const Findings& findings, const std::string& name,
                  const std::string& verb) {
  static const Figures kNone;
  const auto found = findings.figures.find({name, verb});
  return found == findings.figures.end() ? kNone : found->second;
}

/// "alone" compares one call; "together" the time a batch takes for each.
double compare(const Findings& findings, const std::string& verb,
               const std::string& other, bool alone) {
  const Figures& ours = of(findings, "linsey", verb);
  const Figures& theirs = of(findings, other, verb);
  return alone ? ratio(ours.alone.median(), theirs.alone.median())
               : ratio(ours.share.median(), theirs.share.median());
}

double check_to_add(const Findings& findings) {
  return ratio(of(findings, "linsey", "CHECK").alone.median(),
               of(findings, "linsey", "ADD").alone.median());
}

Bar bar(const Findings& findings, const std::string& verb,
        const std::string& other, std::pair<bool, double> which) {
  const auto [alone, limit] = which;
  return {
      fmt::format("{} linsey/{}, {}", verb, other,
                  alone ? "alone" : fmt::format("{} at once", findings.batch)),
      compare(findings, verb, other, alone), limit};
}

Json json_of(const Samples& samples) {
  return {{"count", samples.count()},
          {"medianUs", samples.median()},
          {"p90Us", samples.quantile(0.9)},
          {"p99Us", samples.p99()},
          {"minUs", samples.quantile(0)}};
}

std::string rows_of(const Findings& findings, const std::string& verb) {
  std::string text;
  for (const auto& [name, what] : findings.contenders) {
    const Figures& f = of(findings, name, verb);
    if (f.alone.count() + f.together.count() == 0) continue;
    text += fmt::format(
        "{:<5} {:<18} {:>5} {:>9.2f} {:>9.2f} {:>7} {:>9.2f} {:>9.2f} {:>11.2f}"
        "\n",
        verb, what, f.alone.count(), milliseconds(f.alone.median()),
        milliseconds(f.alone.p99()), f.together.count(),
        milliseconds(f.together.median()), milliseconds(f.together.p99()),
        milliseconds(f.share.median()));
  }
  return text;
}

std::string phases_of(const Findings& findings) {
  std::string text;
  for (const auto& [verb, phases] : findings.phases) {
    text += fmt::format("\nwhere one {} of Linsey goes (medians, us):\n", verb);
    for (const Phase& phase : phases) {
      text += fmt::format("  {:<28} {:>8.0f}\n", phase.name, phase.us);
    }
  }
  text += fmt::format(
      "  durable commit in the agent  {:>8.0f} (within the round trip; a plain "
      "4 KiB fdatasync here takes {:.0f})\n",
      findings.commit_us, findings.disk_sync_us);
  return text;
}

std::string sizes_of(const Findings& findings) {
  std::string text = "\n";
  for (const auto& [name, samples] : findings.version) {
    text += fmt::format("VERSION of {:<8} median {:.2f} ms, p99 {:.2f} ms\n",
                        name, milliseconds(samples.median()),
                        milliseconds(samples.p99()));
  }
  constexpr double kMiB = 1024.0 * 1024.0;
  text += fmt::format("plugin, stripped    {:.2f} MiB\n",
                      static_cast<double>(findings.plugin_bytes) / kMiB);
  text += fmt::format(
      "agent, resident     {:.1f} MiB idle, {:.1f} MiB at {} pods\n",
      static_cast<double>(findings.agent_rss_idle) / kMiB,
      static_cast<double>(findings.agent_rss_full) / kMiB, findings.agent_pods);
  return text;
}

}  // namespace

std::vector<Bar> bars_of(const Findings& findings) {
  constexpr bool kAlone = true;
  constexpr bool kTogether = false;
  return {bar(findings, "ADD", "ptp", {kAlone, 0.20}),
          bar(findings, "ADD", "ptp", {kTogether, 0.20}),
          bar(findings, "ADD", "floor", {kAlone, 1.6}),
          bar(findings, "ADD", "floor", {kTogether, 1.6}),
          bar(findings, "DEL", "ptp", {kAlone, 0.9}),
          bar(findings, "DEL", "ptp", {kTogether, 0.9})};
}

std::string table_of(const Findings& findings) {
  std::string text = fmt::format(
      "                         one after the other (ms)  {:>2} at once (ms)\n"
      "verb  contender              n    median       p99       n    median"
      "       p99    for each\n",
      findings.batch);
  text += rows_of(findings, "ADD") + rows_of(findings, "CHECK") +
          rows_of(findings, "DEL");
  text +=
      phases_of(findings) + sizes_of(findings) +
      fmt::format(
          "load of the machine at the start {:.1f} on {} "
          "processors{}\n\n",
          findings.load, findings.processors,
          findings.load > findings.processors ? ": BUSY, the figures say little"
                                              : "");
  text += fmt::format("      CHECK of linsey / its ADD, alone   {:.2f}\n",
                      check_to_add(findings));
  for (const Bar& b : bars_of(findings)) {
    text +=
        fmt::format("{} {:<34} {:.2f} (at most {:.2f})\n",
                    b.holds() ? "holds" : "FAILS", b.name, b.found, b.limit);
  }
  return text;
}

std::string json_of(const Findings& findings) {
  Json json;
  for (const auto& [subject, f] : findings.figures) {
    json["figures"][subject.first][subject.second] = {
        {"alone", json_of(f.alone)},
        {"together", json_of(f.together)},
        {"togetherForEach", json_of(f.share)}};
  }
  for (const auto& [verb, phases] : findings.phases) {
    for (const Phase& phase : phases) {
      json["phasesUs"][verb].push_back({{phase.name, phase.us}});
    }
  }
  for (const auto& [name, samples] : findings.version) {
    json["version"][name] = json_of(samples);
  }
  for (const Bar& b : bars_of(findings)) {
    json["bars"].push_back({{"name", b.name},
                            {"found", b.found},
                            {"limit", b.limit},
                            {"holds", b.holds()}});
  }
  json["checkToAdd"] = check_to_add(findings);
  json["batch"] = findings.batch;
  json["load"] = findings.load;
  json["processors"] = findings.processors;
  json["commitUs"] = findings.commit_us;
  json["diskSyncUs"] = findings.disk_sync_us;
  json["pluginBytes"] = findings.plugin_bytes;
  json["agentRssBytes"] = {{"idle", findings.agent_rss_idle},
                           {"full", findings.agent_rss_full},
                           {"pods", findings.agent_pods}};
  return dump_json(json, 2) + "\n";
}

}  // namespace linsey::bench
