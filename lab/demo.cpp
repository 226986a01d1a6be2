// The demo: a lab of its own from nothing to nothing, told step by step. Each
// step checks what it shows; one that fails is marked and decides the exit
// code, and the lab is taken down all the same, also on SIGINT and SIGTERM.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <thread>

#include <nlohmann/json.hpp>

#include "lab/commands.h"

namespace linsey::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kPodsPerNode = 3;
constexpr milliseconds kRoutesWithin{15000};

std::string text_of(const Json& json, const char* key) {
  return json.value(key, std::string());
}

class Demo {
 public:
  Demo(Target target, UpOptions options)
      : target_(std::move(target)), options_(std::move(options)) {}

  int run();

 private:
  using Step = bool (Demo::*)();

  bool step(const char* title, Step what);
  bool start() { return start_lab(target_, options_); }
  bool wait_for_agents();
  bool add_pods();
  bool list_pods();
  bool probe();
  bool show_routes();
  bool refuse_unmapped_zone() { return refuse("c3", "ZoneNotMapped"); }
  bool refuse_lying_label() { return refuse("x1", "ModeConflict"); }
  bool end() { return end_and_prove(target_); }

  bool refuse(const std::string& node, const std::string& code);
  bool complete(const Json& probes) const;
  Result<Json> ask(const Json& request);
  void watch_signals();
  /// Returns only by a signal, in the thread that watches for them.
  [[noreturn]] void wait_for_signal();
  [[noreturn]] static void wait_for_ever();

  Target target_;
  UpOptions options_;
  steady_clock::time_point began_ = steady_clock::now();
  int number_ = 0;
  std::atomic<bool> kept_ = false;
  std::atomic<bool> interrupted_ = false;
};

double seconds_since(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

Result<Json> Demo::ask(const Json& request) {
  const Answer answer =
      TRY(ask_lab(target_, request, [](const std::string& text) {
        std::printf("  %s\n", text.c_str());
        (void)std::fflush(stdout);
      }));
  return *answer.result;
}

/// Any end but SIGKILL takes the lab down first; that one does it by itself.
void Demo::watch_signals() {
  sigset_t wanted;
  (void)sigemptyset(&wanted);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    (void)sigaddset(&wanted, number);
  }
  (void)pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  std::thread([this, wanted] {
    int number = 0;
    (void)sigwait(&wanted, &number);
    interrupted_ = true;
    std::printf("\n%s; taking the lab down\n", kept_ ? "seen" : "interrupted");
    const bool clean = end_and_prove(target_);
    (void)std::fflush(stdout);
    _exit(!clean ? 1 : (kept_ ? 0 : 128 + number));
  }).detach();
}

void Demo::wait_for_signal() {
  std::printf(
      "\nthe lab stays until ^C; look around, for example by\n"
      "  linsey-lab --help\n  linsey-lab node list\n"
      "  linsey-lab exec m1/p1 -- ip route\n  linsey-lab calls\n");
  (void)std::fflush(stdout);
  kept_ = true;
  wait_for_ever();
}

void Demo::wait_for_ever() {
  while (true) {
    (void)pause();
  }
}

bool Demo::step(const char* title, Step what) {
  const auto start = steady_clock::now();
  std::printf("\n[%d] %s\n", ++number_, title);
  (void)std::fflush(stdout);
  bool good = false;
  try {
    good = (this->*what)();
  } catch (const Json::exception& wrong) {
    std::printf("  the lab's answer is not understood: %s\n", wrong.what());
  }
  if (interrupted_) wait_for_ever();  // the other thread ends the process
  std::printf("[%d] %s, %.1f s\n", number_, good ? "done" : "FAILED",
              seconds_since(start));
  (void)std::fflush(stdout);
  return good;
}

bool Demo::wait_for_agents() {
  const Result<Json> nodes = ask({{"op", "ready"}});
  if (!nodes) return complain(nodes.error()) == 0;
  bool all = true;
  for (const Json& node : *nodes) {
    all = all && node["ready"] == true;
  }
  return all;
}

bool Demo::add_pods() {
  const Result<Json> nodes = ask({{"op", "nodes"}});
  if (!nodes) return complain(nodes.error()) == 0;
  Json pods = Json::array();
  for (const Json& node : *nodes) {
    for (int i = 1; i <= kPodsPerNode; ++i) {
      pods.push_back({{"node", node["name"]}, {"name", fmt::format("p{}", i)}});
    }
  }
  const Result<Json> added = ask({{"op", "pod.add"}, {"pods", pods}});
  if (!added) return complain(added.error()) == 0;
  bool all = true;
  for (const Json& pod : *added) {
    const Json* error = find_member(pod, "error");
    if (error == nullptr) continue;
    all = false;
    std::printf("  %s on %s: %s: %s\n", text_of(pod, "name").c_str(),
                text_of(pod, "node").c_str(), text_of(*error, "code").c_str(),
                text_of(*error, "msg").c_str());
  }
  std::printf("  %zu ADDs at once, by the real plugin\n", added->size());
  return all;
}

bool Demo::list_pods() {
  const Result<Json> nodes = ask({{"op", "nodes"}});
  const Result<Json> pods = ask({{"op", "pod.list"}});
  if (!nodes) return complain(nodes.error()) == 0;
  if (!pods) return complain(pods.error()) == 0;
  std::map<std::string, Json> by_name;
  for (const Json& node : *nodes) {
    by_name[text_of(node, "name")] = node;
    std::printf("  %s is %s: %s\n", text_of(node, "name").c_str(),
                text_of(node, "mode").c_str(),
                text_of(node, "modeWhy").c_str());
  }
  std::vector<std::vector<std::string>> rows{
      {"POD", "NODE", "MODE", "ZONE", "ADDRESS", "FROM"}};
  bool all = !pods->empty();
  for (const Json& pod : *pods) {
    const Json& node = by_name[text_of(pod, "node")];
    rows.push_back({text_of(pod, "name"), text_of(pod, "node"),
                    text_of(node, "mode"), text_of(node, "zone"),
                    addresses_of(pod), text_of(pod, "source")});
    all = all && !rows.back()[4].empty() && !rows.back()[5].empty();
  }
  std::printf("\n%s", table(rows).c_str());
  return all;
}

bool Demo::complete(const Json& probes) const {
  std::vector<std::string> names;
  std::map<std::pair<std::string, std::string>, bool> works;
  std::size_t good = 0;
  for (const Json& probe : probes) {
    const bool both = probe["icmp"] == true && probe["tcp"] == true;
    good += both ? 1U : 0U;
    works[{text_of(probe, "from"), text_of(probe, "to")}] = both;
    if (names.empty() || names.back() != text_of(probe, "from")) {
      names.push_back(text_of(probe, "from"));
    }
  }
  std::printf("  rows ask, columns answer; + both ICMP and TCP, x not\n");
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string line = fmt::format("  {:>6} {:>3} ", names[i], i + 1);
    for (const std::string& to : names) {
      const auto found = works.find({names[i], to});
      line += found == works.end() ? " ." : (found->second ? " +" : " x");
    }
    std::printf("%s\n", line.c_str());
  }
  std::printf("  %zu of %zu paths work\n", good, probes.size());
  return good == probes.size() && !probes.empty();
}

bool Demo::probe() {
  const Result<Json> probes = ask({{"op", "matrix"}});
  if (!probes) return complain(probes.error()) == 0;
  return complete(*probes);
}

/// BGP takes its time to meet; the blocks of both nodes must be there.
bool Demo::show_routes() {
  const Result<Json> topology = ask({{"op", "topology"}});
  if (!topology) return complain(topology.error()) == 0;
  std::vector<std::string> wanted;
  for (const auto& [name, node] : (*topology)["nodes"].items()) {
    if (text_of(node, "join") == "later") continue;
    for (const Json& block : node.value("blocks", Json::array())) {
      wanted.push_back(block.get<std::string>());
    }
  }
  const auto end = steady_clock::now() + kRoutesWithin;
  while (true) {
    const Result<Json> routes = ask({{"op", "routes"}});
    if (!routes) return complain(routes.error()) == 0;
    const std::string text = text_of(*routes, "text");
    std::size_t found = 0;
    for (const std::string& block : wanted) {
      found += text.find(block) != std::string::npos ? 1U : 0U;
    }
    if (found == wanted.size() || steady_clock::now() >= end) {
      std::printf("%s", text.c_str());
      return found == wanted.size();
    }
    std::this_thread::sleep_for(milliseconds(50));
  }
}

/// A node that must not give addresses: its pod is refused, with `code`.
bool Demo::refuse(const std::string& node, const std::string& code) {
  const Result<Json> joined = ask({{"op", "join"}, {"node", node}});
  if (!joined) return complain(joined.error()) == 0;
  const Result<Json> ready =
      ask({{"op", "ready"}, {"nodes", Json::array({node})}});
  if (!ready) return complain(ready.error()) == 0;
  // A runtime would not even ask: the agent publishes no list there.
  const Result<Json> added =
      ask({{"op", "pod.add"},
           {"unpublished", true},
           {"pods", Json::array({{{"node", node}, {"name", "refused"}}})}});
  if (!added) return complain(added.error()) == 0;
  const Json* error = find_member(added->at(0), "error");
  if (error == nullptr) {
    std::printf("  the pod got %s\n", addresses_of(added->at(0)).c_str());
    return false;
  }
  const std::string text = text_of(*error, "msg");
  std::printf(
      "  no CNI configuration is published on %s; ADD all the same:\n"
      "  %s\n",
      node.c_str(), text.c_str());
  return text.find(code) != std::string::npos ||
         text_of(*error, "code") == code;
}

int Demo::run() {
  if (!step("a data centre, a leased line, a cloud", &Demo::start)) {
    (void)end();
    return 1;
  }
  watch_signals();
  const std::pair<const char*, Step> steps[] = {
      {"the agents find out where they are", &Demo::wait_for_agents},
      {"three pods on each node", &Demo::add_pods},
      {"where each address comes from", &Demo::list_pods},
      {"what the data centre's reflector holds", &Demo::show_routes},
      {"who reaches whom: pods and nodes, ICMP and TCP", &Demo::probe},
      {"a node in a zone without a pod vSwitch", &Demo::refuse_unmapped_zone},
      {"a node whose label lies", &Demo::refuse_lying_label}};
  int failed = 0;
  for (const auto& [title, what] : steps) {
    failed += step(title, what) ? 0 : 1;
  }
  if (options_.keep && failed == 0) wait_for_signal();
  failed += step("take it all down and look what is left", &Demo::end) ? 0 : 1;
  if (failed == 0) {
    std::printf("\nall steps done, %.1f s\n", seconds_since(began_));
  } else {
    std::printf("\n%d steps FAILED, %.1f s\n", failed, seconds_since(began_));
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace

int command_demo(const Target& target, const UpOptions& options) {
  return Demo(target, options).run();
}

}  // namespace linsey::lab
