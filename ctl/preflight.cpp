#include "ctl/preflight.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "ctl/table.h"

namespace linsey::ctl {
namespace {

using conf::Check;
using conf::Finding;

std::string word_of(const conf::NamedNetwork& network) {
  std::string text(conf::name(network.kind));
  if (!network.name.empty()) text += " " + network.name;
  return fmt::format("{} {}", text, network.cidr.to_string());
}

Json checks_json(const std::vector<Check>& checks) {
  Json list = Json::array();
  for (const Check& check : checks) {
    Json one = {{"topic", check.topic}, {"verdict", name(check.finding)}};
    if (check.finding == Finding::kAgainst) {
      one["reason"] = name(check.why.code);
      one["message"] = check.why.msg;
      one["remedy"] = info(check.why.code).remedy;
    } else {
      one["message"] = check.text;
    }
    list.push_back(std::move(one));
  }
  return list;
}

Json pairs_json(const std::vector<conf::NamedNetwork>& networks) {
  Json list = Json::array();
  for (const conf::PairVerdict& pair : conf::prove(networks)) {
    list.push_back({{"first", word_of(networks[pair.first])},
                    {"second", word_of(networks[pair.second])},
                    {"verdict", conf::name(pair.verdict)}});
  }
  return list;
}

std::string pairs_text(const std::vector<conf::NamedNetwork>& networks) {
  Table table({"VERDICT", "NETWORK", "AND"});
  for (const conf::PairVerdict& pair : conf::prove(networks)) {
    table.add({std::string(conf::name(pair.verdict)),
               word_of(networks[pair.first]), word_of(networks[pair.second])});
  }
  return table.text() + "\n";
}

std::string checks_text(const std::vector<Check>& checks, bool all) {
  Table table({"VERDICT", "TOPIC", "WHAT"});
  std::size_t against = 0;
  std::size_t unknown = 0;
  for (const Check& check : checks) {
    const bool bad = check.finding == Finding::kAgainst;
    against += bad ? 1 : 0;
    unknown += check.finding == Finding::kUnknown ? 1 : 0;
    if (check.finding == Finding::kHolds && !all) continue;
    table.add({std::string(name(check.finding)), check.topic,
               bad ? to_string(check.why) : check.text});
  }
  const bool shown = all ? !checks.empty() : against + unknown > 0;
  return (shown ? table.text() + "\n" : std::string()) +
         fmt::format("{} checks: {} ok, {} in conflict, {} unknown\n",
                     checks.size(), checks.size() - against - unknown, against,
                     unknown);
}

Result<conf::Plan> read_plan(const std::string& file) {
  if (file.empty()) return conf::Plan{};
  const std::string text = TRY(read_file(file));
  return context(conf::parse_plan(text), "plan {}", file);
}

}  // namespace

Result<Report> preflight(const PreflightOptions& options) {
  conf::Plan plan = TRY(read_plan(options.plan_file));
  conf::AgentConfig config;
  if (!options.config_file.empty()) {
    const std::string text = TRY(read_file(options.config_file));
    config = TRY(context(conf::parse_agent_config(text), "configuration {}",
                         options.config_file));
    conf::add_config(plan, config);
  }
  std::vector<Check> checks;
  const bool told = !options.plan_file.empty() || !options.config_file.empty();
  if (told) checks = conf::examine(plan);
  if (options.node || !told) {
    std::ranges::move(examine_node(options.root, config),
                      std::back_inserter(checks));
  }
  const std::vector<conf::NamedNetwork> networks = conf::networks_of(plan);
  Report report;
  report.findings = std::ranges::any_of(checks, [](const Check& check) {
    return check.finding == Finding::kAgainst;
  });
  if (options.json) {
    const Json json = {{"ok", !report.findings},
                       {"checks", checks_json(checks)},
                       {"pairs", pairs_json(networks)}};
    report.text = dump_json(json, 2) + "\n";
  } else {
    if (options.all && !networks.empty()) report.text = pairs_text(networks);
    report.text += checks_text(checks, options.all);
  }
  return report;
}

}  // namespace linsey::ctl
