#include "ctl/cli.h"

#include <algorithm>
#include <functional>
#include <sstream>
#include <thread>
#include <utility>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "conf/agent_config.h"
#include "ctl/completion.h"
#include "ctl/explain.h"
#include "ctl/options.h"
#include "ctl/preflight.h"
#include "ctl/report.h"
#include "rpc/client.h"
#include "rpc/message.h"

namespace linsey::ctl {
namespace {

Outcome outcome(const Report& report) {
  return {report.findings ? kFindings : kFine, report.text, ""};
}

Result<Outcome> status(const Options& options) {
  const Json json = TRY(view(options, "/v1/status"));
  const rpc::Status status = TRY(rpc::parse_status(dump_json(json)));
  Outcome result = outcome(status_report(status));
  if (options.json()) result.out = pretty(json);
  return result;
}

Result<Outcome> ipam_show(const Options& options) {
  const Json json = TRY(view(options, "/v1/ipam"));
  Outcome result = outcome(ipam_report(json, options.all));
  if (options.json()) result.out = pretty(json);
  return result;
}

Result<Outcome> node_status(const Options& options) {
  Json node = TRY(view(options, "/v1/node"));
  const Json ipam = TRY(view(options, "/v1/ipam"));
  const auto found = ipam.is_object() ? ipam.find("supply") : ipam.end();
  const Json supply =
      ipam.is_object() && found != ipam.end() ? *found : Json(nullptr);
  Outcome result = outcome(node_report(node, supply));
  if (options.json()) {
    if (node.is_object()) node["supply"] = supply;
    result.out = pretty(node);
  }
  return result;
}

Result<Json> drain_state(const Options& options) {
  const Json ipam = TRY(view(options, "/v1/ipam"));
  const Json::json_pointer where("/supply/drain");
  if (ipam.contains(where)) return ipam.at(where);
  return make_error(Code::kStateMismatch, "this node announces no routes");
}

bool is_withdrawn(const Json& drain) {
  return drain.is_object() && drain.value("state", "") == "withdrawn";
}

/// Waits until the routes are gone. Ends when the agent says so, which it does
/// at its own time limit at the latest.
Result<Outcome> drain_routes(const Options& options) {
  Json wish{{"cancel", options.cancel}};
  if (options.limit >= 0) {
    wish["timeoutMs"] = static_cast<std::int64_t>(options.limit * 1000);
  }
  rpc::Client client = client_of(options);
  TRY(client.post("/v1/drain-routes", dump_json(wish)));
  Json drain = TRY(drain_state(options));
  while (!options.cancel && !options.no_wait && !is_withdrawn(drain)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    drain = TRY(drain_state(options));
    if (drain.is_object() && drain.value("state", "") == "off") break;
  }
  const std::string why = drain.value("why", "");
  Outcome result;
  result.out =
      options.json()
          ? pretty(drain)
          : fmt::format("routes: {}{}\n", drain.value("state", "unknown"),
                        why.empty() ? "" : " (" + why + ")");
  return result;
}

/// The finished check with at least this number. Ends with the agent, which
/// answers also when BIRD does not.
Result<Json> finished_check(const Options& options, std::uint64_t number) {
  const Json::json_pointer where("/supply/propagation");
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::duration<double>(options.timeout + 30);
  while (std::chrono::steady_clock::now() < end) {
    const Json ipam = TRY(view(options, "/v1/ipam"));
    if (ipam.contains(where) &&
        ipam.at(where).value("number", std::uint64_t{0}) >= number) {
      return ipam.at(where);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return make_error(Code::kTimeout, "the agent does not finish the check");
}

Result<Outcome> bgp_check(const Options& options) {
  rpc::Client client = client_of(options);
  const Json begun = TRY(parse_json(TRY(client.post("/v1/bgp-check", "{}"))));
  if (!begun.is_object()) {
    return make_error(Code::kDecode, "the agent's answer is no object");
  }
  const Json check =
      TRY(finished_check(options, begun.value("number", std::uint64_t{1})));
  if (check.contains("failed") && check["failed"].is_string()) {
    return make_error(Code::kBirdDown, "{}",
                      check["failed"].get<std::string>());
  }
  Outcome result = outcome(check_report(check));
  if (options.json()) result.out = pretty(check);
  return result;
}

Result<Outcome> pod_explain(const Options& options) {
  const auto slash = options.pod.find('/');
  const bool whole = slash != std::string::npos;
  const Json asked = {
      {"namespace", whole ? options.pod.substr(0, slash) : "default"},
      {"name", whole ? options.pod.substr(slash + 1) : options.pod}};
  rpc::Client client = client_of(options);
  const std::string body = TRY(client.post("/v1/explain", dump_json(asked)));
  const Json answer = TRY(parse_json(body));
  Outcome result = outcome(explain_report(answer));
  if (options.json()) result.out = pretty(answer);
  return result;
}

std::string config_summary(const conf::AgentConfig& config) {
  std::size_t blocks = 0;
  for (const auto& [node, list] : config.blocks.assignments) {
    blocks += list.size();
  }
  return fmt::format(
      "{} mode rules, {} pools, {} blocks on {} nodes, {} BGP peers, {} zones",
      config.modes.size(), config.pools.size(), blocks,
      config.blocks.assignments.size(), config.bgp.peers.size(),
      config.eni.zones.size());
}

/// A file that cannot be read is no finding about its content.
Result<Outcome> config_check(const Options& options) {
  const std::string text = TRY(read_file(options.file));
  const Result<conf::AgentConfig> config = conf::parse_agent_config(text);
  Json json = {{"file", options.file}, {"valid", config.has_value()}};
  Outcome result;
  if (config) {
    result.out =
        fmt::format("{}: valid: {}\n", options.file, config_summary(*config));
  } else {
    result.exit_code = kFindings;
    result.out =
        fmt::format("{}: {}\n", options.file, to_string(config.error()));
    if (!config.error().details.empty()) {
      result.out += fmt::format("  {}\n", config.error().details);
    }
    json["error"] = *parse_json(rpc::to_json(config.error()));
  }
  if (options.json()) result.out = pretty(json);
  return result;
}

Result<Outcome> run_preflight(const Options& options) {
  PreflightOptions asked = options.preflight;
  asked.all = options.all;
  asked.json = options.json();
  return outcome(TRY(preflight(asked)));
}

Outcome failed(const Options& options, const Error& error) {
  Outcome result;
  result.exit_code = kCannot;
  result.err = fmt::format("linseyctl: {}\n", to_string(error));
  if (!error.details.empty())
    result.err += fmt::format("  {}\n", error.details);
  if (options.json()) result.out = pretty(*parse_json(rpc::to_json(error)));
  return result;
}

using Command = Result<Outcome> (*)(const Options&);

template <typename AddCommand>
void declare_preflight(CLI::App& app, Options& options, AddCommand command) {
  CLI::App* sub = app.add_subcommand(
      "preflight", "does the plan hold? networks, zones, routes, rights");
  sub->add_option("--plan", options.preflight.plan_file,
                  "a plan (docs/preflight.md); without one, and without "
                  "--config, this node is looked at");
  sub->add_option("--config", options.preflight.config_file,
                  "an agent.json, whose networks join the plan");
  sub->add_flag("--node", options.preflight.node, "look at this node too");
  sub->add_option("--root", options.preflight.root,
                  "the node's files are below this");
  sub->add_flag("--all", options.all, "list what holds, and every pair");
  command(sub, run_preflight);
}

template <typename AddCommand>
void declare_ipam_check(CLI::App& ipam, Options& options, AddCommand command) {
  CLI::App* sub = ipam.add_subcommand(
      "check", "do ledger, kernel, API server, cloud and routes agree?");
  CLI::Option* plan =
      sub->add_flag("--plan", options.plan, "say what would be done about it");
  sub->add_option("--apply", options.apply,
                  "do it; the hash that --plan printed")
      ->excludes(plan);
  sub->add_option("--settle", options.settle,
                  "seconds between the two looks that must agree")
      ->check(CLI::Range(0.0, 60.0))
      ->capture_default_str();
  command(sub, ipam_check);
}

void declare(CLI::App& app, Options& options, Command& chosen);

void add_words(const CLI::App& app, const std::string& path, Words& words) {
  std::vector<std::string>& own = words[path];
  for (const CLI::App* sub : app.get_subcommands({})) {
    own.push_back(sub->get_name());
    add_words(*sub,
              path.empty() ? sub->get_name() : path + " " + sub->get_name(),
              words);
  }
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional() && !option->get_lnames().empty()) {
      own.push_back("--" + option->get_lnames().front());
    }
  }
}

Result<Outcome> completion(const Options& options) {
  Options unused;
  Command none = nullptr;
  CLI::App app("", "linseyctl");
  declare(app, unused, none);
  Words words;
  add_words(app, "", words);
  return Outcome{kFine, TRY(completion_script(options.shell, words)), ""};
}

/// Declares the command line. The chosen command is left in `chosen`.
void declare(CLI::App& app, Options& options, Command& chosen) {
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--socket", options.socket, "the agent's socket")
      ->envname("LINSEY_SOCKET")
      ->capture_default_str();
  app.add_option("-o,--output", options.output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_option("--timeout", options.timeout, "seconds to wait for the agent")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();

  const auto command = [&chosen](CLI::App* sub, Command run) {
    sub->callback([&chosen, run] { chosen = run; });
  };
  command(app.add_subcommand("status", "can this node serve new pods?"),
          status);
  CLI::App* ipam = app.add_subcommand("ipam", "addresses of this node");
  ipam->require_subcommand(1);
  CLI::App* show = ipam->add_subcommand("show", "who holds which address");
  show->add_flag("--all", options.all, "list free addresses too");
  command(show, ipam_show);
  declare_ipam_check(*ipam, options, command);
  CLI::App* node = app.add_subcommand("node", "what this node is");
  node->require_subcommand(1);
  command(node->add_subcommand("status",
                               "mode, evidence, blocks and peers, or ENIs"),
          node_status);
  command(node->add_subcommand("mode", "bgp or eni, and what speaks for it"),
          node_mode);
  CLI::App* drain = node->add_subcommand(
      "drain-routes", "let traffic go, then withdraw this node's routes");
  drain->add_flag("--cancel", options.cancel, "bring the routes back");
  drain->add_flag("--no-wait", options.no_wait, "do not wait for the end");
  drain->add_option("--limit", options.limit,
                    "seconds until they go with traffic (bgp.drain.timeout)");
  command(drain, drain_routes);
  CLI::App* bgp = app.add_subcommand("bgp", "what BGP brought to this node");
  bgp->require_subcommand(1);
  command(bgp->add_subcommand("check",
                              "do routes lead to every other node's blocks?"),
          bgp_check);
  CLI::App* pod = app.add_subcommand("pod", "pods of this node");
  pod->require_subcommand(1);
  CLI::App* explain = pod->add_subcommand(
      "explain", "why a pod has its address, or why it has none");
  explain->add_option("POD", options.pod, "NAMESPACE/NAME")->required();
  command(explain, pod_explain);
  CLI::App* config = app.add_subcommand("config", "the agent's configuration");
  config->require_subcommand(1);
  CLI::App* check = config->add_subcommand(
      "check", "read and cross-check a file, without an agent");
  check->add_option("FILE", options.file, "an agent.json")->required();
  command(check, config_check);
  declare_preflight(app, options, command);
  CLI::App* about = app.add_subcommand(
      "version", "of this program, the agent and the plugin; do they differ?");
  about->add_option("--bin-dir", options.bin_dir, "the runtime's plugins");
  command(about, version);
  CLI::App* bundle = app.add_subcommand(
      "diag", "write what is to be known of this node, without secrets");
  bundle->add_option("-f,--file", options.bundle,
                     "the archive (linsey-diag.tar)");
  bundle->add_option("--config", options.config, "the agent's configuration");
  command(bundle, diag);
  CLI::App* shell = app.add_subcommand(
      "completion", "a script that completes these words in a shell");
  shell->add_option("SHELL", options.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command(shell, completion);
}

}  // namespace

Outcome run(const std::vector<std::string>& args) {
  Options options;
  Command chosen = nullptr;
  CLI::App app(
      "linseyctl asks the Linsey agent of this node.\n"
      "exit codes: 0 all is well, 1 findings, 2 could not be told",
      "linseyctl");
  // CLI11 reports by exceptions; they end here.
  try {
    declare(app, options, chosen);
    std::vector<std::string> reversed(args.rbegin(), args.rend());
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    const int code = app.exit(error, out, err);
    return {code == 0 ? kFine : kCannot, out.str(), err.str()};
  }
  Result<Outcome> result = chosen(options);
  return result ? std::move(result).value() : failed(options, result.error());
}

}  // namespace linsey::ctl
