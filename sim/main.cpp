// linsey-sim: the cluster's simulation; see cluster.h.
#include <cstdio>
#include <map>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/log.h"
#include "sim/cluster.h"

namespace {

using namespace linsey;

Json to_json(const sim::SimOptions& options, const sim::Outcome& out) {
  const sim::Writes& w = out.writes;
  return {{"nodes", options.nodes},
          {"pods", options.pods},
          {"seed", options.seed},
          {"created", out.created},
          {"deleted", out.deleted},
          {"mostAlive", out.most_alive},
          {"waited", out.waited},
          {"crashes", out.crashes},
          {"nodesDied", out.died},
          {"nodesJoined", out.joined},
          {"checks", out.checks},
          {"blocksClaimed", w.create},
          {"blocksReleased", w.remove},
          {"blocksFreed", w.freed},
          {"poolWrites", w.status},
          {"looks", w.looks},
          {"lists", w.lists},
          {"writesPerClaim", out.writes_per_claim},
          {"refusedPerClaim", out.refused_per_claim},
          {"writesPerRelease", out.writes_per_release},
          {"writesPerPod", out.writes_per_pod},
          {"watchBytesPerNodeHour", out.watch_bytes_hour},
          {"violations", out.violation_count},
          {"firstViolations", out.violations},
          {"hash", fmt::format("{:016x}", out.hash)}};
}

void print(const Json& json) {
  for (const auto& [key, value] : json.items()) {
    fmt::print("{:<24}{}\n", key, dump_json(value));
  }
}

}  // namespace

int main(int argc, char** argv) {
  sim::SimOptions options;
  std::string output = "text";
  std::string plant = "none";
  const std::map<std::string, sim::Plant> plants{
      {"none", sim::Plant::kNothing},
      {"double-address", sim::Plant::kDoubleAddress},
      {"lost-address", sim::Plant::kLostAddress},
      {"double-block", sim::Plant::kDoubleBlock},
      {"many-writes", sim::Plant::kManyWrites}};
  CLI::App app(
      "Runs Linsey's ledger, block claims and controller for a whole cluster "
      "under a seeded history and checks every step. Exit code: 0 no "
      "violation, 1 violations, 2 usage.");
  app.add_option("--nodes", options.nodes)
      ->check(CLI::Range(3, 100000))
      ->capture_default_str();
  app.add_option("--pods", options.pods, "alive; ten times as many are created")
      ->check(CLI::Range(1, 5000000))
      ->capture_default_str();
  app.add_option("--seed", options.seed)->capture_default_str();
  app.add_option("-o,--output", output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_option("--plant", plant,
                 "a fault that the checks must find: double-address, "
                 "lost-address, double-block or many-writes")
      ->check(CLI::IsMember(plants))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.plant = plants.at(plant);
  (void)log::configure({.level = log::Level::kError});
  unsigned told = 0;
  const sim::Outcome out = sim::Cluster(options).run([&](unsigned percent) {
    constexpr unsigned kStep = 5;
    if (percent < told + kStep) return;
    told = percent;
    fmt::print(stderr, "{} %\n", percent);
  });
  const Json json = to_json(options, out);
  if (output == "json") {
    fmt::print("{}\n", dump_json(json, 2));
  } else {
    print(json);
  }
  return out.violation_count == 0 ? 0 : 1;
}
