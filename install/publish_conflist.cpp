#include "install/publish_conflist.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"

namespace linsey::install {
namespace {

constexpr std::string_view kOwnType = "linsey";
constexpr std::string_view kStatusVersion = "1.1.0";

struct List {
  Json json;
  std::vector<std::string> types;
  std::vector<std::string> versions;
};

Error bad_list(const std::string& source, std::string_view what) {
  return make_error(Code::kInvalidConfig, "conflist {}: {}", source, what);
}

Result<std::vector<std::string>> strings_at(const Json& json,
                                            std::string_view key) {
  std::vector<std::string> out;
  ObjectReader reader(&json, "");
  reader.ignore_unknown();
  reader.get(key, out);
  TRY(reader.finish());
  return out;
}

Result<List> parse_list(const std::string& source, std::string_view text) {
  List list;
  list.json = TRY(context(parse_json(text), "conflist {}", source));
  const Json* plugins = find_member(list.json, "plugins");
  if (plugins == nullptr || !plugins->is_array() || plugins->empty()) {
    return bad_list(source, "/plugins must be a list of plugins");
  }
  for (const Json& plugin : *plugins) {
    const Json* type = find_member(plugin, "type");
    if (type == nullptr || !type->is_string()) {
      return bad_list(source, "every plugin needs a type");
    }
    list.types.push_back(type->get<std::string>());
  }
  if (std::ranges::find(list.types, kOwnType) == list.types.end()) {
    return bad_list(source, "no plugin has the type linsey");
  }
  list.versions = TRY(strings_at(list.json, "cniVersions"));
  const Json* version = find_member(list.json, "cniVersion");
  if (version == nullptr || !version->is_string()) {
    return bad_list(source, "/cniVersion is missing");
  }
  if (list.versions.empty()) list.versions = {version->get<std::string>()};
  return list;
}

Result<std::string> plugin_path(const conf::Cni& cni, const std::string& type) {
  const std::string path = cni.bin_dir + "/" + type;
  struct stat about {};
  if (stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) &&
      (about.st_mode & S_IXUSR) != 0) {
    return path;
  }
  return make_error(Code::kChainPluginMissing,
                    "plugin {} is not in {} (or cannot be run)", type,
                    cni.bin_dir);
}

Result<std::vector<std::string>> versions_of(const conf::Cni& cni,
                                             const std::string& type) {
  Command command;
  command.argv = {TRY(plugin_path(cni, type))};
  command.env = {{"CNI_COMMAND", "VERSION"}, {"CNI_PATH", cni.bin_dir}};
  command.stdin_data = R"({"cniVersion":"1.0.0"})";
  command.timeout = std::chrono::seconds(5);
  const std::string out =
      TRY(context(run_ok(command), "ask plugin {} for its versions", type));
  const Json json =
      TRY(context(parse_json(out), "versions of plugin {}", type));
  return strings_at(json, "supportedVersions");
}

/// Cuts the list's versions to those that all plugins speak.
Result<void> cut_versions(const conf::Cni& cni, List& list) {
  for (const std::string& type : list.types) {
    if (type == kOwnType) {
      TRY(plugin_path(cni, type));
      continue;
    }
    const std::vector<std::string> spoken = TRY(versions_of(cni, type));
    std::erase_if(list.versions, [&](const std::string& version) {
      return std::ranges::find(spoken, version) == spoken.end();
    });
  }
  if (list.versions.empty()) {
    return make_error(Code::kInvalidConfig,
                      "the plugins of the conflist have no version in common");
  }
  return {};
}

/// The list's text with the versions that are left.
std::string final_text(List& list) {
  Json& json = list.json;
  json["cniVersions"] = list.versions;
  const auto chosen = json["cniVersion"].get<std::string>();
  if (std::ranges::find(list.versions, chosen) == list.versions.end()) {
    json["cniVersion"] = list.versions.back();
  }
  return dump_json(json, 2) + "\n";
}

}  // namespace

Result<Published> publish_conflist(const conf::Cni& cni) {
  const bool own = cni.conflist_source.empty();
  const std::string source = own ? "built in" : cni.conflist_source;
  const std::string given =
      own ? std::string(shipped_conflist()) : TRY(read_file(source));
  List list = TRY(parse_list(source, given));
  const std::vector<std::string> before = list.versions;
  TRY(cut_versions(cni, list));

  Published published;
  published.versions = list.versions;
  if (std::ranges::find(before, kStatusVersion) != before.end() &&
      std::ranges::find(list.versions, kStatusVersion) == list.versions.end()) {
    published.warnings.push_back(
        make_error(Code::kChainWithoutStatus,
                   "a plugin of conflist {} does not speak CNI 1.1.0, so the "
                   "runtime never asks for STATUS and GC",
                   source));
  }
  // Untouched when nothing was cut: the bytes an operator wrote stay his.
  const std::string text = list.versions == before ? given : final_text(list);
  const std::string path = cni.conf_dir + "/" + cni.conflist;
  const Result<std::string> there = read_file(path);
  if (there && *there == text) return published;
  TRY(make_directories(cni.conf_dir));
  TRY(write_file_atomic(path, text));
  published.changed = true;
  return published;
}

}  // namespace linsey::install
