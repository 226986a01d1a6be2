#include "lab/cni_runner.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"

namespace linsey::lab {

/// One configuration list, with the version that was agreed on.
struct CniRunner::List {
  std::string name;
  std::string version;
  std::vector<Json> plugins;
};

struct CniRunner::Call {
  const Sandbox* sandbox = nullptr;  // nullptr: GC and STATUS
  std::string_view verb;
  std::size_t plugin = 0;
  Json extra = Json::object();  // prevResult, valid attachments
};

namespace {

constexpr std::array<std::string_view, 3> kVersions{"1.1.0", "1.0.0", "0.4.0"};

/// A plugin may print anything: never the throwing getters.
std::string text_of(const Json& json, const char* key) {
  const Json* member = find_member(json, key);
  return member != nullptr && member->is_string() ? member->get<std::string>()
                                                  : std::string();
}

Result<std::string> first_list(const std::string& directory) {
  std::error_code failed;
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(directory, failed)) {
    if (entry.path().extension() == ".conflist") {
      names.push_back(entry.path().string());
    }
  }
  if (names.empty()) {
    return make_error(Code::kInvalidNetworkConfig,
                      "no *.conflist in {}; is the agent up?", directory);
  }
  return *std::ranges::min_element(names);
}

Result<std::string> choose_version(const Json& list) {
  std::vector<std::string> offered{text_of(list, "cniVersion")};
  if (const Json* more = find_member(list, "cniVersions")) {
    for (const Json& version : *more) {
      if (version.is_string()) offered.push_back(version.get<std::string>());
    }
  }
  for (const std::string_view version : kVersions) {
    if (std::ranges::find(offered, version) != offered.end()) {
      return std::string(version);
    }
  }
  return make_error(Code::kIncompatibleVersion,
                    "the list offers none of 0.4.0, 1.0.0, 1.1.0");
}

/// Only what the plugin asked for and the runtime has.
Json runtime_config(const Json& plugin, const std::string& capabilities) {
  Json out = Json::object();
  const Result<Json> values = parse_json(capabilities);
  const Json* wanted = find_member(plugin, "capabilities");
  if (!values || wanted == nullptr || !wanted->is_object()) return out;
  for (const auto& [name, on] : wanted->items()) {
    if (on == true && values->contains(name)) out[name] = (*values)[name];
  }
  return out;
}

std::string cni_args(const Sandbox& sandbox) {
  return fmt::format(
      "IgnoreUnknown=1;K8S_POD_NAMESPACE={};K8S_POD_NAME={};"
      "K8S_POD_INFRA_CONTAINER_ID={};K8S_POD_UID={}",
      sandbox.name_space, sandbox.name, sandbox.container_id, sandbox.uid);
}

Error plugin_error(const std::string& type, const Finished& done) {
  const Result<Json> json = parse_json(done.out);
  if (!json || !json->is_object()) {
    Error error = make_error(Code::kIo, "plugin {} ended with exit code {}",
                             type, done.exit_code);
    error.details = "stdout: " + done.out + "; stderr: " + done.err;
    return error;
  }
  const Json* code = find_member(*json, "code");
  const unsigned number =
      code != nullptr && code->is_number_unsigned() ? code->get<unsigned>() : 0;
  const auto codes = all_codes();
  const auto known = std::ranges::find_if(codes, [&](const CodeInfo& entry) {
    return static_cast<unsigned>(entry.code) == number;
  });
  return {known == codes.end() ? Code::kIo : known->code,
          fmt::format("plugin {}: {}", type, text_of(*json, "msg")),
          text_of(*json, "details")};
}

Result<Attached> read_result(const std::string& text) {
  const Json json = TRY(parse_json(text));
  Attached out;
  out.result = text;
  const Json* ips = find_member(json, "ips");
  if (ips == nullptr || !ips->is_array()) return out;
  for (const Json& entry : *ips) {
    out.addresses.push_back(TRY(Cidr::parse(text_of(entry, "address"))));
  }
  return out;
}

std::string environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

}  // namespace

Result<CniRunner::List> CniRunner::load() const {
  const std::string path = TRY(first_list(host_.conf_dir));
  const Json json = TRY(context(parse_json(TRY(read_file(path))), "{}", path));
  List list;
  list.name = text_of(json, "name");
  list.version = TRY(context(choose_version(json), "{}", path));
  const Json* plugins = find_member(json, "plugins");
  if (list.name.empty() || plugins == nullptr || !plugins->is_array() ||
      plugins->empty()) {
    return make_error(Code::kInvalidNetworkConfig,
                      "{}: a list needs a name and plugins", path);
  }
  list.plugins.assign(plugins->begin(), plugins->end());
  return list;
}

std::string CniRunner::cache_file(const List& list,
                                  const Sandbox& sandbox) const {
  return fmt::format("{}/{}-{}-{}", host_.cache_dir, list.name,
                     sandbox.container_id, sandbox.ifname);
}

Result<std::string> CniRunner::run_plugin(const List& list,
                                          const Call& call) const {
  Json config = list.plugins[call.plugin];
  const std::string type = text_of(config, "type");
  config["name"] = list.name;
  config["cniVersion"] = list.version;
  config.update(call.extra);
  static const Sandbox nobody{"", "", "", "", "", "", "{}"};
  const Sandbox& sandbox = call.sandbox ? *call.sandbox : nobody;
  const Json runtime = runtime_config(config, sandbox.capabilities);
  if (!runtime.empty()) config["runtimeConfig"] = runtime;

  Command command;
  command.argv = {host_.bin_dir + "/" + type};
  if (!path_exists(command.argv[0])) {
    return make_error(Code::kChainPluginMissing, "no plugin {} in {}", type,
                      host_.bin_dir);
  }
  command.env = {{"PATH", environment("PATH", "/usr/sbin:/usr/bin")},
                 {"CNI_COMMAND", std::string(call.verb)},
                 {"CNI_CONTAINERID", sandbox.container_id},
                 {"CNI_NETNS", sandbox.netns},
                 {"CNI_IFNAME", sandbox.ifname},
                 {"CNI_ARGS", call.sandbox ? cni_args(sandbox) : ""},
                 {"CNI_PATH", host_.bin_dir},
                 {"LINSEY_LAB", environment("LINSEY_LAB", "")}};
  command.stdin_data = dump_json(config);
  command.timeout = host_.timeout;
  command.netns_fd = host_.netns_fd;
  Finished done = TRY(run(command));
  if (done.timed_out) {
    return make_error(Code::kTimeout, "plugin {} {} took more than {} ms", type,
                      call.verb, host_.timeout.count());
  }
  if (done.exit_code != 0) return plugin_error(type, done);
  return std::move(done.out);
}

Result<std::string> CniRunner::run_chain(const List& list,
                                         const Sandbox& sandbox,
                                         std::string_view verb) const {
  const bool backwards = verb == "DEL";
  Json previous;
  if (verb != "ADD") {
    const Result<std::string> cached = read_file(cache_file(list, sandbox));
    if (cached) {
      const Result<Json> json = parse_json(*cached);
      if (json) previous = *json;
    }
  }
  std::string last;
  for (std::size_t i = 0; i < list.plugins.size(); ++i) {
    Call call;
    call.sandbox = &sandbox;
    call.verb = verb;
    call.plugin = backwards ? list.plugins.size() - 1 - i : i;
    if (!previous.is_null()) call.extra["prevResult"] = previous;
    last = TRY(run_plugin(list, call));
    if (verb == "ADD") {
      previous = TRY(context(parse_json(last), "result of plugin {}",
                             text_of(list.plugins[call.plugin], "type")));
    }
  }
  return last;
}

namespace {

Sandbox loopback_of(const Sandbox& sandbox) {
  Sandbox lo = sandbox;
  lo.ifname = "lo";
  lo.capabilities = "{}";
  return lo;
}

Json loopback_plugin() {
  return {{"type", "loopback"}};
}

}  // namespace

Result<Attached> CniRunner::add(const Sandbox& sandbox) const {
  const List list = TRY(load());
  const List loopback{"cni-loopback", "0.4.0", {loopback_plugin()}};
  TRY(run_chain(loopback, loopback_of(sandbox), "ADD"));
  const Result<std::string> result = run_chain(list, sandbox, "ADD");
  if (!result) {
    Error error = result.error();
    const Result<std::string> undone = run_chain(list, sandbox, "DEL");
    if (!undone) {
      error.details += "; the DEL after it: " + to_string(undone.error());
    }
    return error;
  }
  TRY(make_directories(host_.cache_dir, 0700));
  TRY(write_file_atomic(cache_file(list, sandbox), *result,
                        {.mode = 0600, .sync = false}));
  return read_result(*result);
}

Result<void> CniRunner::del(const Sandbox& sandbox) const {
  const List list = TRY(load());
  const List loopback{"cni-loopback", "0.4.0", {loopback_plugin()}};
  TRY(run_chain(loopback, loopback_of(sandbox), "DEL"));
  TRY(run_chain(list, sandbox, "DEL"));
  return remove_file(cache_file(list, sandbox));
}

Result<void> CniRunner::check(const Sandbox& sandbox) const {
  const List list = TRY(load());
  TRY(run_chain(list, sandbox, "CHECK"));
  return {};
}

Result<void> CniRunner::gc(const std::vector<Sandbox>& keep) const {
  const List list = TRY(load());
  if (list.version != "1.1.0") return {};
  Json valid = Json::array();
  for (const Sandbox& sandbox : keep) {
    valid.push_back(
        {{"containerID", sandbox.container_id}, {"ifname", sandbox.ifname}});
  }
  for (std::size_t i = 0; i < list.plugins.size(); ++i) {
    TRY(run_plugin(list, {nullptr,
                          "GC",
                          i,
                          {{"cni.dev/valid-attachments", valid},
                           {"cni.dev/attachments", valid}}}));
  }
  return {};
}

Result<void> CniRunner::status() const {
  const List list = TRY(load());
  if (list.version != "1.1.0") return {};
  for (std::size_t i = 0; i < list.plugins.size(); ++i) {
    TRY(run_plugin(list, {nullptr, "STATUS", i, Json::object()}));
  }
  return {};
}

}  // namespace linsey::lab
