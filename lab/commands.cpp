#include "lab/commands.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "lab/daemon.h"
#include "lab/inventory.h"
#include "lab/lab_directory.h"

namespace linsey::lab {
namespace {

constexpr int kEndLimitMs = 20000;
constexpr int kProofLimitMs = 3000;

std::string text_of(const Json& json, const char* key) {
  return json.value(key, std::string());
}

/// Prints `json` as it is, or what `human` makes of it.
int show(const Target& target, const Result<Answer>& answer,
         const std::function<std::string(const Json&)>& human) {
  if (!answer) return complain(answer.error());
  const std::string text = target.json ? dump_json(*answer->result, 2) + "\n"
                                       : human(*answer->result);
  (void)std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace

std::string addresses_of(const Json& pod) {
  std::string out;
  for (const Json& address : pod.value("addresses", Json::array())) {
    out += (out.empty() ? "" : " ") + address.get<std::string>();
  }
  return out;
}

namespace {

std::string node_table(const Json& nodes) {
  std::vector<std::vector<std::string>> rows{{"NODE", "SITE", "ZONE", "ADDRESS",
                                              "MODE", "READY", "FREE", "HELD",
                                              "WHY"}};
  for (const Json& node : nodes) {
    const bool ready = node.value("ready", false);
    rows.push_back({text_of(node, "name"), text_of(node, "site"),
                    text_of(node, "zone"), text_of(node, "address"),
                    text_of(node, "mode"), ready ? "yes" : "no",
                    std::to_string(node.value("free", 0)),
                    std::to_string(node.value("held", 0)),
                    text_of(node, ready ? "modeWhy" : "why")});
  }
  return table(rows);
}

std::string pod_line(const Json& pod) {
  const std::string who =
      fmt::format("{}/{} on {}", text_of(pod, "namespace"),
                  text_of(pod, "name"), text_of(pod, "node"));
  if (const Json* error = find_member(pod, "error")) {
    return fmt::format("{}: FAILED: {}: {}\n", who, text_of(*error, "code"),
                       text_of(*error, "msg"));
  }
  return fmt::format("{}: {} ({} ms)\n", who, addresses_of(pod),
                     pod.value("ms", 0));
}

/// Waits until the process is gone.
bool wait_for_end(pid_t pid, int limit_ms) {
  const UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) return true;
  pollfd waiting{fd.get(), POLLIN, 0};
  return poll(&waiting, 1, limit_ms) > 0;
}

/// What a lab that runs, or one that crashed, left as its inventory.
Inventory inventory_of(const Target& target, const Result<Answer>& answer) {
  Result<Inventory> found =
      answer ? parse_inventory(dump_json(*answer->result))
      : context(read_file(target.directory() + "/inventory.json"), "")
              .has_value()
          ? parse_inventory(*read_file(target.directory() + "/inventory.json"))
          : Result<Inventory>(Error{});
  if (found) return std::move(found).value();
  Inventory bare;
  bare.name = target.name;
  bare.directory = target.directory();
  bare.host_links = host_links();
  return bare;
}

void remove_leftover_directory(const Target& target) {
  // Only when nobody is there who would remove it: claim it and let go.
  if (!path_exists(target.directory())) return;
  const Result<LabDirectory> claimed = LabDirectory::claim(target.directory());
  if (!claimed) (void)complain(claimed.error());
}

}  // namespace

Result<Answer> ask_lab(const Target& target, const Json& request,
                       const Progress& progress) {
  ControlClient client =
      TRY(ControlClient::connect(control_socket(target.directory())));
  return client.call(request, progress);
}

int complain(const Error& error) {
  (void)std::fprintf(stderr, "linsey-lab: %s\n", to_string(error).c_str());
  if (!error.details.empty()) {
    (void)std::fprintf(stderr, "  %s\n", error.details.c_str());
  }
  return 1;
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> width;
  for (const auto& row : rows) {
    width.resize(std::max(width.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      width[i] = std::max(width[i], row[i].size());
    }
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += fmt::format("{:<{}}  ", row[i], width[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

bool end_and_prove(const Target& target) {
  Result<ControlClient> lab =
      ControlClient::connect(control_socket(target.directory()));
  const Result<Answer> answer =
      lab ? lab->call({{"op", "down"}}) : Result<Answer>(lab.error());
  const Inventory inventory = inventory_of(target, answer);
  if (lab && !wait_for_end(lab->peer_pid(), kEndLimitMs)) {
    std::printf("the lab (process %d) did not end\n", lab->peer_pid());
    return false;
  }
  (void)wait_until_unclaimed(target.directory(), kEndLimitMs);
  remove_leftover_directory(target);
  Proof proof = prove_gone(inventory);
  // The kernel takes killed processes and their descriptors down in its time.
  for (int waited = 0; !proof.clean() && waited < kProofLimitMs; waited += 50) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    proof = prove_gone(inventory);
  }
  for (const std::string& line : proof.looked_at) {
    std::printf("  looked at %s\n", line.c_str());
  }
  for (const std::string& line : proof.left) {
    std::printf("  LEFT: %s\n", line.c_str());
  }
  std::printf("%s\n", proof.clean() ? "nothing is left" : "something is left");
  return proof.clean();
}

int command_down(const Target& target) {
  return end_and_prove(target) ? 0 : 1;
}

int command_nodes(const Target& target, bool wait) {
  const Progress progress = [](const std::string& text) {
    (void)std::fprintf(stderr, "%s\n", text.c_str());
  };
  return show(target,
              ask_lab(target, {{"op", wait ? "ready" : "nodes"}}, progress),
              node_table);
}

int command_join(const Target& target, const std::string& node) {
  const Result<Answer> joined =
      ask_lab(target, {{"op", "join"}, {"node", node}});
  if (!joined) return complain(joined.error());
  return show(
      target,
      ask_lab(target, {{"op", "ready"}, {"nodes", Json::array({node})}}),
      node_table);
}

int command_leave(const Target& target, const std::string& node) {
  return show(target, ask_lab(target, {{"op", "leave"}, {"node", node}}),
              [&](const Json&) { return node + " left\n"; });
}

int command_agent(const Target& target, const std::string& node,
                  const std::string& verb) {
  return show(
      target,
      ask_lab(target, {{"op", "agent"}, {"node", node}, {"verb", verb}}),
      [&](const Json&) { return fmt::format("{}: {} done\n", node, verb); });
}

int command_pods(const Target& target, const Json& request) {
  const Result<Answer> answer = ask_lab(target, request);
  const int shown = show(target, answer, [](const Json& all) {
    std::string out;
    for (const Json& pod : all) {
      out += pod_line(pod);
    }
    return out;
  });
  if (shown != 0) return shown;
  return std::ranges::any_of(
      *answer->result, [](const Json& pod) { return pod.contains("error"); });
}

int command_pod_list(const Target& target) {
  return show(
      target, ask_lab(target, {{"op", "pod.list"}}), [](const Json& pods) {
        std::vector<std::vector<std::string>> rows{
            {"NODE", "NAMESPACE", "POD", "ADDRESS", "FROM", "CONTAINER"}};
        for (const Json& pod : pods) {
          rows.push_back({text_of(pod, "node"), text_of(pod, "namespace"),
                          text_of(pod, "name"), addresses_of(pod),
                          text_of(pod, "source"),
                          text_of(pod, "containerId").substr(0, 12)});
        }
        return table(rows);
      });
}

int command_matrix(const Target& target) {
  const Result<Answer> answer = ask_lab(target, {{"op", "matrix"}});
  int failed = 0;
  const int shown = show(target, answer, [&](const Json& probes) {
    std::string out;
    for (const Json& probe : probes) {
      if (probe["icmp"] == true && probe["tcp"] == true) continue;
      ++failed;
      out += fmt::format(
          "{} -> {} ({}): icmp {}, tcp {} {}\n", text_of(probe, "from"),
          text_of(probe, "to"), text_of(probe, "address"),
          probe["icmp"] == true ? "yes" : "NO",
          probe["tcp"] == true ? "yes" : "NO", text_of(probe, "error"));
    }
    return out + fmt::format("{} of {} paths work, ICMP and TCP\n",
                             static_cast<int>(probes.size()) - failed,
                             probes.size());
  });
  return shown != 0 || failed != 0;
}

int command_calls(const Target& target, bool reset) {
  return show(target, ask_lab(target, {{"op", "calls"}, {"reset", reset}}),
              [](const Json& json) {
                std::vector<std::vector<std::string>> rows{{"CALL", "COUNT"}};
                for (const auto& [action, count] : json["calls"].items()) {
                  rows.push_back({action, dump_json(count)});
                }
                for (const auto& [code, count] : json["refused"].items()) {
                  rows.push_back({"refused: " + code, dump_json(count)});
                }
                rows.push_back({"packets with a foreign source, dropped",
                                dump_json(json["spoofed"])});
                return table(rows);
              });
}

int command_fault(const Target& target,
                  const std::vector<std::string>& settings) {
  Json knobs = Json::object();
  for (const std::string& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos) {
      return complain(make_error(Code::kUnsupportedField,
                                 "\"{}\" is not KEY=VALUE", setting));
    }
    knobs[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  return show(target, ask_lab(target, {{"op", "fault"}, {"knobs", knobs}}),
              [](const Json&) { return std::string("turned\n"); });
}

int command_routes(const Target& target, const std::string& command) {
  return show(target, ask_lab(target, {{"op", "routes"}, {"command", command}}),
              [](const Json& json) { return text_of(json, "text"); });
}

int command_topology(const Target& target) {
  return show(target, ask_lab(target, {{"op", "topology"}}),
              [](const Json& json) { return dump_json(json, 2) + "\n"; });
}

}  // namespace linsey::lab
