#include "lab/api/manifest.h"

#include <algorithm>
#include <charconv>
#include <exception>
#include <filesystem>
#include <system_error>

#include <yaml-cpp/yaml.h>

#include "base/file.h"

namespace linsey::lab::api {
namespace {

namespace fs = std::filesystem;

/// A plain scalar is a number, a truth value or null where YAML 1.2 says so.
Json scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;  // it was quoted
  if (text == "true" || text == "false") return text == "true";
  if (text.empty() || text == "~" || text == "null") return nullptr;
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, bad] = std::from_chars(text.data(), end, number);
  if (bad == std::errc() && stop == end) return number;
  return text;
}

Json to_json(const YAML::Node& node) {
  if (node.IsScalar()) return scalar(node);
  if (node.IsSequence()) {
    Json out = Json::array();
    for (const YAML::Node& item : node) {
      out.push_back(to_json(item));
    }
    return out;
  }
  if (!node.IsMap()) return nullptr;
  Json out = Json::object();
  for (const auto& pair : node) {
    out[pair.first.Scalar()] = to_json(pair.second);
  }
  return out;
}

Result<std::vector<Json>> read_one(const std::string& path) {
  const std::string text = TRY(read_file(path));
  try {
    std::vector<Json> out;
    for (const YAML::Node& document : YAML::LoadAll(text)) {
      if (!document.IsNull()) out.push_back(to_json(document));
    }
    return out;
  } catch (const std::exception& failed) {
    return make_error(Code::kDecode, "{}: {}", path, failed.what());
  }
}

}  // namespace

Result<std::vector<Json>> read_manifests(const std::string& path) {
  std::error_code failed;
  if (!fs::is_directory(path, failed)) return read_one(path);
  std::vector<std::string> files;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(path, failed)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  if (failed) return errno_error(failed.value(), "read directory " + path);
  std::ranges::sort(files);
  std::vector<Json> out;
  for (const std::string& file : files) {
    for (Json& object : TRY(read_one(file))) {
      out.push_back(std::move(object));
    }
  }
  return out;
}

Result<kube::Resource> resource_of(const Json& object) {
  const std::string kind = object.value("kind", "");
  const std::string version = object.value("apiVersion", "");
  std::string plural = kind;
  std::ranges::transform(plural, plural.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  if (kind.empty() || version.empty()) {
    return make_error(Code::kDecode, "an object without apiVersion and kind");
  }
  if (plural.ends_with("policy")) {
    plural.replace(plural.size() - 1, 1, "ies");
  } else {
    plural += "s";
  }
  const auto slash = version.find('/');
  if (slash == std::string::npos) return kube::Resource{"", version, plural};
  return kube::Resource{version.substr(0, slash), version.substr(slash + 1),
                        plural};
}

Result<Json> apply(kube::Client& client, const Json& object) {
  const kube::Resource type = TRY(resource_of(object));
  const std::string ns = metadata_text(object, "namespace");
  const std::string name = metadata_text(object, "name");
  Result<Json> made = client.create(type, ns, object);
  if (made || made.error().code != Code::kApiExists) {
    return context(std::move(made), "{} {}", type.plural, name);
  }
  const Json now = TRY(client.get(type, ns, name));
  Json next = object;
  next["metadata"]["resourceVersion"] = metadata_text(now, "resourceVersion");
  return context(client.update(type, ns, next), "{} {}", type.plural, name);
}

}  // namespace linsey::lab::api
