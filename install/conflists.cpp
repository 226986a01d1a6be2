#include "install/conflists.h"

#include <dirent.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"

namespace linsey::install {
namespace {

constexpr std::string_view kAside = ".linsey-set-aside";

bool is_read_by_runtimes(std::string_view name) {
  constexpr auto kEndings =
      std::to_array<std::string_view>({".conf", ".conflist", ".json"});
  return std::ranges::any_of(kEndings, [&](std::string_view ending) {
    return name.ends_with(ending);
  });
}

Result<std::vector<std::string>> names_in(const std::string& dir) {
  std::vector<std::string> names;
  const auto close = [](DIR* open) { (void)closedir(open); };
  const std::unique_ptr<DIR, decltype(close)> open(opendir(dir.c_str()), close);
  if (!open && errno == ENOENT) return names;
  if (!open) return errno_error(errno, fmt::format("list {}", dir));
  while (const dirent* entry = readdir(open.get())) {
    if (is_read_by_runtimes(entry->d_name)) names.emplace_back(entry->d_name);
  }
  std::ranges::sort(names);
  return names;
}

bool names_us(const Json& json) {
  const auto is_us = [](const Json& plugin) {
    const Json* type = find_member(plugin, "type");
    return type != nullptr && *type == "linsey";
  };
  const Json* plugins = find_member(json, "plugins");
  if (plugins == nullptr || !plugins->is_array()) return is_us(json);
  return std::ranges::any_of(*plugins, is_us);
}

ForeignConflist read_conflist(const Host& host, const std::string& name) {
  ForeignConflist found{.name = name, .first = name < host.conflist};
  const Result<std::string> text =
      read_file(host.at(host.conf_dir + "/" + name));
  const Result<Json> json =
      text ? parse_json(*text) : Result<Json>(text.error());
  if (!json || !json->is_object()) return found;
  const Json* network = find_member(*json, "name");
  if (network != nullptr && network->is_string()) {
    found.network = network->get<std::string>();
    found.readable = true;
  }
  found.ours = names_us(*json);
  return found;
}

}  // namespace

Result<std::vector<ForeignConflist>> foreign_conflists(const Host& host) {
  std::vector<ForeignConflist> found;
  for (const std::string& name : TRY(names_in(host.at(host.conf_dir)))) {
    if (name != host.conflist) found.push_back(read_conflist(host, name));
  }
  return found;
}

Error warning_of(const Host& host, const ForeignConflist& conflist) {
  std::string what = conflist.readable
                         ? fmt::format("network \"{}\"", conflist.network)
                         : std::string("no readable configuration");
  if (conflist.ours) what += ", one of ours under another name";
  const std::string effect =
      conflist.first ? fmt::format(
                           "sorts before {}, so the runtime uses it "
                           "and not Linsey",
                           host.conflist)
                     : fmt::format(
                           "sorts after {} and is not used as long as "
                           "that is there",
                           host.conflist);
  return make_error(Code::kForeignConflist,
                    "{}/{} ({}) {}; remove it, or run linsey-install with "
                    "--set-aside-conflists",
                    host.conf_dir, conflist.name, what, effect);
}

Result<void> set_aside(const Host& host, const ForeignConflist& conflist,
                       Record& record) {
  const std::string path = host.conf_dir + "/" + conflist.name;
  const std::string aside = path + std::string(kAside);
  record.set_aside[path] = aside;
  TRY(save_record(host, record));
  if (std::rename(host.at(path).c_str(), host.at(aside).c_str()) != 0) {
    return errno_error(errno, fmt::format("rename {} to {}", path, aside));
  }
  return {};
}

Result<void> restore_aside(const Host& host, const std::string& path,
                           const std::string& aside) {
  if (!path_exists(host.at(aside)) || path_exists(host.at(path))) return {};
  if (std::rename(host.at(aside).c_str(), host.at(path).c_str()) != 0) {
    return errno_error(errno, fmt::format("rename {} to {}", aside, path));
  }
  return {};
}

}  // namespace linsey::install
