#include "lab/service.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "rpc/client.h"

namespace linsey::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kReadyEvery{50};

Answer answer(Json json) {
  return {std::make_shared<const Json>(std::move(json)), {}};
}

std::string text_of(const Json& request, const char* key) {
  return request.value(key, std::string());
}

/// What `node list` and `ready` tell of one node.
Json node_status(const NodeSpec& spec, const NodePaths& paths) {
  Json out{{"name", spec.name},
           {"site", spec.site == Site::kCloud ? "cloud" : "dc"},
           {"zone", spec.zone},
           {"address", spec.address.to_string()}};
  rpc::Client client({.socket = paths.socket(),
                      .connect_wait = milliseconds(0),
                      .timeout = std::chrono::seconds(2)});
  const Result<rpc::Status> status = client.status();
  // Ready for pods: the runtime must have seen the list as well.
  out["ready"] =
      status && status->ready && path_exists(paths.published_conflist());
  if (!status) {
    out["code"] = name(status.error().code);
    out["why"] = to_string(status.error());
    return out;
  }
  out["mode"] = status->mode;
  out["modeWhy"] = status->mode_why;
  if (!status->zone.empty()) out["zone"] = status->zone;
  out["free"] = status->free;
  out["held"] = status->held;
  out["cooling"] = status->cooling;
  if (!status->ready) {
    out["code"] = name(status->why.code);
    out["why"] = to_string(status->why);
  }
  return out;
}

/// Ready, or kept from it by something that waiting does not mend.
bool settled(const Json& status) {
  if (status["ready"] == true) return true;
  const auto code = code_from_name(text_of(status, "code"));
  if (!code) return false;  // ready but for the conflist
  const Class cls = info(*code).cls;
  return cls == Class::kConfig || cls == Class::kAuth;
}

}  // namespace

Result<Answer> Service::handle(const Json& request, const Progress& progress) {
  static constexpr std::array<std::pair<std::string_view, Operation>, 17>
      kOperations{{{"down", &Service::down},
                   {"inventory", &Service::inventory},
                   {"netns", &Service::netns},
                   {"nodes", &Service::nodes},
                   {"ready", &Service::ready},
                   {"join", &Service::join},
                   {"leave", &Service::leave},
                   {"agent", &Service::agent},
                   {"pod.add", &Service::pod_add},
                   {"pod.del", &Service::pod_del},
                   {"pod.check", &Service::pod_check},
                   {"pod.list", &Service::pod_list},
                   {"matrix", &Service::matrix},
                   {"routes", &Service::routes},
                   {"calls", &Service::calls},
                   {"fault", &Service::fault},
                   {"topology", &Service::topology}}};
  const std::string wanted = text_of(request, "op");
  for (const auto& [op, operation] : kOperations) {
    if (op != wanted) continue;
    try {
      return (this->*operation)(request, progress);
    } catch (const Json::exception& wrong) {
      return make_error(Code::kDecode, "{}: {}", wanted, wrong.what());
    }
  }
  return make_error(
      Code::kUnsupportedField,
      "the lab has no operation \"{}\"; is it of another version?", wanted);
}

Result<Answer> Service::down(const Json& request, const Progress& progress) {
  Result<Answer> out = inventory(request, progress);
  stop_();
  return out;
}

Result<Answer> Service::inventory(const Json&, const Progress&) {
  const Inventory all = desk_.ask([&] { return world_.inventory(); });
  return answer(TRY(parse_json(to_json(all))));
}

/// The namespace of a node, or of a pod on it, for `exec`.
Result<Answer> Service::netns(const Json& request, const Progress&) {
  const PodId id{text_of(request, "node"),
                 request.value("namespace", "default"),
                 text_of(request, "pod")};
  const std::string path = TRY(desk_.ask([&]() -> Result<std::string> {
    const auto& routers = world_.data_centre().routers();
    const auto router = routers.find(id.node);
    if (router != routers.end()) return router->second.ns().path();
    if (id.name.empty()) return TRY(world_.node(id.node))->ns().path();
    const auto pod = world_.pods().find(id);
    if (pod != world_.pods().end()) return pod->second.ns.path();
    return make_error(Code::kUnknownAttachment, "there is no pod {}",
                      id.to_string());
  }));
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_error(errno, fmt::format("open {}", path));
  Answer out = answer(Json::object());
  out.fd = std::move(fd);
  return out;
}

Result<Answer> Service::nodes(const Json&, const Progress&) {
  std::vector<std::pair<NodeSpec, NodePaths>> all;
  desk_.ask([&] {
    for (const auto& [name, node] : world_.nodes()) {
      all.emplace_back(node->spec(), node->paths());
    }
  });
  Json out = Json::array();
  for (const auto& [spec, paths] : all) {
    out.push_back(node_status(spec, paths));
  }
  return answer(std::move(out));
}

/// Waits until each node's agent is ready, or has a reason that waiting does
/// not mend.
Result<Answer> Service::ready(const Json& request, const Progress& progress) {
  const auto limit = milliseconds(request.value("timeoutMs", 20000));
  const auto end = steady_clock::now() + limit;
  const auto wanted = request.value("nodes", std::vector<std::string>());
  std::set<std::string> told;
  while (true) {
    Answer all = TRY(nodes(request, progress));
    Json out = Json::array();
    bool done = true;
    for (const Json& status : *all.result) {
      const auto who = status["name"].get<std::string>();
      if (!wanted.empty() && std::ranges::find(wanted, who) == wanted.end()) {
        continue;
      }
      done = done && settled(status);
      if (settled(status) && told.insert(who).second) {
        progress(fmt::format("{}: {}", who,
                             status["ready"] == true
                                 ? "ready, mode " + text_of(status, "mode")
                                 : text_of(status, "why")));
      }
      out.push_back(status);
    }
    if (done || cancelled_ || steady_clock::now() >= end) {
      return answer(std::move(out));
    }
    std::this_thread::sleep_for(kReadyEvery);
  }
}

Result<Answer> Service::join(const Json& request, const Progress&) {
  TRY(desk_.ask([&] { return world_.join(text_of(request, "node")); }));
  return answer(Json::object());
}

Result<Answer> Service::leave(const Json& request, const Progress&) {
  const std::string who = text_of(request, "node");
  std::optional<SimulatedCloud::Guest> guest;
  TRY(desk_.ask([&]() -> Result<void> {
    const bool cloud = TRY(world_.node(who))->spec().site == Site::kCloud;
    TRY(world_.leave(who));
    if (cloud) guest = world_.cloud().forget(who);
    return {};
  }));
  // Not at the desk: the cloud's hooks come there.
  if (guest) TRY(world_.cloud().remove(who, std::move(*guest)));
  return answer(Json::object());
}

Result<Answer> Service::agent(const Json& request, const Progress&) {
  const std::string who = text_of(request, "node");
  const std::string verb = text_of(request, "verb");
  TRY(desk_.ask([&]() -> Result<void> {
    if (verb == "start") return world_.start_agent(who);
    if (verb != "stop" && verb != "kill") {
      return make_error(Code::kUnsupportedField,
                        "an agent can be told start, stop or kill, not {}",
                        verb);
    }
    TRY(world_.node(who))->stop_agent(verb == "kill");
    return {};
  }));
  return answer(Json::object());
}

Result<Answer> Service::calls(const Json& request, const Progress&) {
  Json out = world_.cloud().counters();
  out["spoofed"] = TRY(desk_.ask([&] { return world_.vpc().spoofed(); }));
  out["refusedByGroups"] =
      TRY(desk_.ask([&] { return world_.vpc().refused(); }));
  if (request.value("reset", false)) world_.cloud().forget_calls();
  return answer(std::move(out));
}

Result<Answer> Service::fault(const Json& request, const Progress&) {
  const auto knobs =
      request.value("knobs", std::map<std::string, std::string>());
  for (const auto& [key, value] : knobs) {
    const bool line = key == "line";
    if (!line && !world_.topology().data_centre.routers.contains(key)) {
      TRY(world_.cloud().tune(key, value));
      continue;
    }
    const std::string_view bad = line ? "cut" : "silent";
    if (value != bad && value != "up") {
      return make_error(Code::kInvalidConfig, "{} is {} or up, not {}", key,
                        bad, value);
    }
    TRY(desk_.ask([&, key = key, broken = value == bad] {
      DataCentreNetwork& dc = world_.data_centre();
      return line ? dc.cut_line(broken) : dc.silence(key, broken);
    }));
  }
  return answer(Json::object());
}

Result<Answer> Service::routes(const Json& request, const Progress&) {
  const std::string command = request.value("command", "show route");
  // birdc answers in milliseconds; it may run at the desk.
  const std::string text =
      TRY(desk_.ask([&] { return world_.data_centre().birdc(command); }));
  return answer({{"text", text}});
}

Result<Answer> Service::topology(const Json&, const Progress&) {
  return answer(
      TRY(parse_json(TRY(read_file(world_.directory() + "/topology.json")))));
}

}  // namespace linsey::lab
