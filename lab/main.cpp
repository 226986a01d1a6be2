// linsey-lab: a virtual hybrid cluster on one machine.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "lab/commands.h"

namespace linsey::lab {
namespace {

/// What the options of all commands are read into.
struct Words {
  Target target;
  UpOptions up;
  ApiOptions api;
  std::string node;
  std::string verb;
  std::string name_space = "default";
  std::string capabilities = "{}";
  std::string birdc = "show route";
  std::vector<std::string> rest;
  bool wait = false;
  bool reset = false;
  bool unpublished = false;
};

using Action = std::function<int(const Words&)>;

/// Declares commands; `chosen` is what the command line asked for.
class Commands {
 public:
  Commands(CLI::App& app, Words& words) : app_(app), words_(words) {}

  CLI::App* add(CLI::App& parent, const std::string& name,
                const std::string& help, const Action& action) {
    CLI::App* command = parent.add_subcommand(name, help);
    command->callback([this, action] { chosen_ = action; });
    command->add_option("--name", words_.target.name, "Which lab")
        ->capture_default_str();
    command->add_option("--dir", words_.target.dir, "Where labs keep files")
        ->envname("LINSEY_LAB_DIR")
        ->capture_default_str();
    return command;
  }
  /// One that prints what it was answered.
  CLI::App* add_printing(CLI::App& parent, const std::string& name,
                         const std::string& help, const Action& action) {
    CLI::App* command = add(parent, name, help, action);
    command->add_option_function<std::string>(
        "-o,--output",
        [this](const std::string& format) {
          words_.target.json = format == "json";
        },
        "text or json");
    return command;
  }
  int run() const { return chosen_ ? chosen_(words_) : 2; }
  CLI::App& app() { return app_; }
  Words& words() { return words_; }

 private:
  CLI::App& app_;
  Words& words_;
  Action chosen_;
};

Json pods_of(const Words& words) {
  Json out = Json::array();
  for (const std::string& name : words.rest) {
    Json pod{
        {"node", words.node}, {"namespace", words.name_space}, {"name", name}};
    const Result<Json> capabilities = parse_json(words.capabilities);
    if (capabilities) pod["capabilities"] = *capabilities;
    out.push_back(std::move(pod));
  }
  return out;
}

void add_life(Commands& commands) {
  Words& words = commands.words();
  CLI::App* up = commands.add(
      commands.app(), "up",
      "Build a lab and keep it; ends with this process, or by `down`",
      [](const Words& w) { return command_up(w.target, w.up); });
  up->add_option("--topology", words.up.topology_file,
                 "A topology file; without it the shipped hybrid cluster");
  up->add_option("--programs", words.up.programs,
                 "Directory of linseyd and linsey; without it beside us");
  up->add_flag("-d,--detach", words.up.detach,
               "Return when the lab is up; it goes on in the background");
  CLI::App* demo = commands.add(
      commands.app(), "demo",
      "Show it all: nodes, pods, routes, who reaches whom, what is refused",
      [](const Words& w) { return command_demo(w.target, w.up); });
  demo->add_option("--programs", words.up.programs,
                   "Directory of linseyd and linsey; without it beside us");
  demo->add_flag("--keep", words.up.keep,
                 "Leave the lab running for a look around, until ^C");
  commands.add(commands.app(), "down",
               "End a lab and prove that nothing of it is left",
               [](const Words& w) { return command_down(w.target); });
}

void add_nodes(Commands& commands) {
  Words& words = commands.words();
  CLI::App& app = commands.app();
  CLI::App* node = app.add_subcommand("node", "The lab's nodes");
  node->require_subcommand(1);
  CLI::App* list = commands.add_printing(
      *node, "list", "Nodes with mode, reason and addresses",
      [](const Words& w) { return command_nodes(w.target, w.wait); });
  list->add_flag("--wait", words.wait,
                 "Wait until each is ready or refuses for good");
  const auto with_node = [&](CLI::App* command) {
    command->add_option("NODE", words.node, "A node's name")->required();
    return command;
  };
  with_node(commands.add_printing(
      app, "join", "Power a node on that the topology keeps for later",
      [](const Words& w) { return command_join(w.target, w.node); }));
  with_node(commands.add_printing(
      app, "leave", "Power a node off",
      [](const Words& w) { return command_leave(w.target, w.node); }));
  CLI::App* agent = with_node(commands.add_printing(
      app, "agent", "Start, stop or kill a node's agent",
      [](const Words& w) { return command_agent(w.target, w.node, w.verb); }));
  agent->add_option("VERB", words.verb, "start, stop or kill")->required();
  CLI::App* exec = commands.add(
      app, "exec", "Run a command in a node's or a pod's network namespace",
      [](const Words& w) { return command_exec(w.target, w.node, w.rest); });
  exec->add_option("WHERE", words.node, "NODE, or NODE/[NAMESPACE/]POD")
      ->required();
  exec->add_option("CMD", words.rest, "The command, best after a `--`")
      ->required();
  exec->positionals_at_end();
}

void add_pods(Commands& commands) {
  Words& words = commands.words();
  CLI::App* pod = commands.app().add_subcommand(
      "pod", "Pods: namespaces attached by the real plugin chain");
  pod->require_subcommand(1);
  const auto change = [&](const std::string& name, const std::string& help) {
    CLI::App* command =
        commands.add_printing(*pod, name, help, [name](const Words& w) {
          return command_pods(w.target, {{"op", "pod." + name},
                                         {"pods", pods_of(w)},
                                         {"unpublished", w.unpublished}});
        });
    command->add_flag("--unpublished", words.unpublished,
                      "Even where the agent has published no conflist yet");
    command->add_option("NODE", words.node, "A node's name")->required();
    command->add_option("POD", words.rest, "Names, all at the same time")
        ->required();
    command->add_option("--ns", words.name_space, "Kubernetes namespace")
        ->capture_default_str();
    return command;
  };
  change("add", "Make pods and run ADD")
      ->add_option("--capabilities", words.capabilities,
                   "JSON: {\"bandwidth\": {…}, \"portMappings\": […]}");
  change("del", "Run DEL and remove pods");
  change("check", "Run CHECK");
  commands.add_printing(
      *pod, "list", "Pods with their addresses",
      [](const Words& w) { return command_pod_list(w.target); });
}

void add_views(Commands& commands) {
  CLI::App& app = commands.app();
  commands.add_printing(
      app, "topo", "The topology that the lab was built from",
      [](const Words& w) { return command_topology(w.target); });
  commands.add_printing(
      app, "matrix", "Who reaches whom: pods and their nodes, ICMP and TCP",
      [](const Words& w) { return command_matrix(w.target); });
  commands
      .add_printing(
          app, "calls", "How often the cloud's API was called",
          [](const Words& w) { return command_calls(w.target, w.reset); })
      ->add_flag("--reset", commands.words().reset, "Count from zero then");
  commands
      .add(app, "fault",
           "Make the cloud or the line misbehave, such as attach=3s, "
           "AssignPrivateIpAddresses.per-minute=5, line=cut, rr1=silent",
           [](const Words& w) { return command_fault(w.target, w.rest); })
      ->add_option("KEY=VALUE", commands.words().rest, "See docs/lab.md")
      ->required();
  commands
      .add_printing(
          app, "routes", "What the data centre's route reflector holds",
          [](const Words& w) { return command_routes(w.target, w.birdc); })
      ->add_option("COMMAND", commands.words().birdc, "A command of birdc")
      ->capture_default_str();
}

void add_api(Commands& commands) {
  ApiOptions& options = commands.words().api;
  CLI::App* api =
      commands.add(commands.app(), "api",
                   "A simulated API server alone, until SIGTERM; prints its "
                   "URL first and what it was asked last",
                   [](const Words& w) { return command_api(w.api); });
  api->add_option("--listen", options.listen,
                  "ADDRESS:PORT; port 0: a free one")
      ->capture_default_str();
  api->add_option("--kubeconfig", options.kubeconfig,
                  "Write the administrator's kubeconfig there");
  api->add_option("--tokens", options.tokens_file,
                  "JSON: {\"TOKEN\": {\"name\": …, \"groups\": […], "
                  "\"extra\": {…}}}");
  api->add_option("--apply", options.manifests,
                  "Manifest files or directories to begin with");
  api->add_flag("--plain", options.plain, "HTTP instead of HTTPS");
}

}  // namespace
}  // namespace linsey::lab

int main(int argc, char** argv) {
  using namespace linsey::lab;  // NOLINT: main has no room of its own
  CLI::App app(
      "A virtual hybrid cluster on this machine: a data centre, a "
      "leased line and a simulated cloud, with the real agent and "
      "plugin");
  app.require_subcommand(1);
  Words words;
  Commands commands(app, words);
  add_life(commands);
  add_nodes(commands);
  add_pods(commands);
  add_views(commands);
  add_api(commands);
  CLI11_PARSE(app, argc, argv);
  // CLI11 hands the `--` through when options of the command follow it.
  if (!words.rest.empty() && words.rest.front() == "--") {
    words.rest.erase(words.rest.begin());
  }
  return commands.run();
}
