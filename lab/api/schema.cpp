#include "lab/api/schema.h"

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <utility>

#include "lab/api/cel.h"

namespace linsey::lab::api {
namespace {

/// Keywords that are checked, or that need no check.
const std::set<std::string> kKnown{"type",
                                   "properties",
                                   "items",
                                   "required",
                                   "enum",
                                   "minimum",
                                   "maximum",
                                   "minLength",
                                   "maxLength",
                                   "pattern",
                                   "maxItems",
                                   "minItems",
                                   "description",
                                   "default",
                                   "format",
                                   "additionalProperties",
                                   "maxProperties",
                                   "nullable",
                                   "x-kubernetes-list-type",
                                   "x-kubernetes-list-map-keys",
                                   "x-kubernetes-validations"};

const std::string kDateTime =
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
    "([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$";

struct Finder {
  std::vector<std::string> wrong;

  void add(const std::string& path, const std::string& why) {
    wrong.push_back((path.empty() ? "<nil>" : path.substr(1)) + ": " + why);
  }
};

bool has_type(const std::string& type, const Json& value) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  return type == "number" && value.is_number();
}

/// Length in code points, as the real server counts.
std::int64_t length_of(const std::string& text) {
  return std::ranges::count_if(text, [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80;
  });
}

const std::regex& compiled(const std::string& pattern) {
  thread_local std::map<std::string, std::regex> known;
  const auto found = known.find(pattern);
  if (found != known.end()) return found->second;
  return known.emplace(pattern, std::regex(pattern)).first->second;
}

void check_text(const Json& schema, const Json& value, const std::string& path,
                Finder& found) {
  const auto& text = value.get_ref<const std::string&>();
  const std::int64_t length = length_of(text);
  if (length < schema.value("minLength", std::int64_t{0})) {
    found.add(path, "Invalid value: should be longer");
  }
  if (schema.contains("maxLength") &&
      length > schema["maxLength"].get<std::int64_t>()) {
    found.add(path, "Too long: may not be more than " +
                        schema["maxLength"].dump() + " bytes");
  }
  if (schema.value("format", "") == "date-time" &&
      !std::regex_search(text, compiled(kDateTime))) {
    found.add(path, fmt::format("Invalid value: \"{}\": must be of type "
                                "date-time",
                                text));
  }
  if (schema.contains("pattern")) {
    const auto pattern = schema["pattern"].get<std::string>();
    if (!std::regex_search(text, compiled(pattern))) {
      found.add(path, fmt::format("Invalid value: \"{}\": should match '{}'",
                                  text, pattern));
    }
  }
}

void check_number(const Json& schema, const Json& value,
                  const std::string& path, Finder& found) {
  const double number = value.get<double>();
  if (schema.contains("minimum") && number < schema["minimum"].get<double>()) {
    found.add(path, "Invalid value: should be greater than or equal to " +
                        schema["minimum"].dump());
  }
  if (schema.contains("maximum") && number > schema["maximum"].get<double>()) {
    found.add(path, "Invalid value: should be less than or equal to " +
                        schema["maximum"].dump());
  }
}

void check(const Json& schema, const Json& value, const std::string& path,
           Finder& found);

void check_object(const Json& schema, const Json& value,
                  const std::string& path, Finder& found) {
  for (const Json& name : schema.value("required", Json::array())) {
    if (!value.contains(name.get<std::string>())) {
      found.add(path + "." + name.get<std::string>(), "Required value");
    }
  }
  const Json& properties = child(schema, "properties");
  for (const auto& [name, member] : value.items()) {
    const std::string at = fmt::format("{}.{}", path, name);
    if (properties.contains(name)) check(properties[name], member, at, found);
    if (schema.contains("additionalProperties")) {
      check(schema["additionalProperties"], member, at, found);
    }
  }
}

void check_list(const Json& schema, const Json& value, const std::string& path,
                Finder& found) {
  if (schema.contains("maxItems") &&
      value.size() > schema["maxItems"].get<std::size_t>()) {
    found.add(path, "Too many: must have at most " + schema["maxItems"].dump() +
                        " items");
  }
  const Json keys = schema.value("x-kubernetes-list-map-keys", Json::array());
  std::set<Json> seen;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string at = path + "[" + std::to_string(i) + "]";
    check(child(schema, "items"), value[i], at, found);
    if (keys.empty() || !value[i].is_object()) continue;
    Json key = Json::array();
    for (const Json& name : keys) {
      key.push_back(value[i].value(name.get<std::string>(), Json()));
    }
    if (!seen.insert(key).second) found.add(at, "Duplicate value");
  }
}

void check(const Json& schema, const Json& value, const std::string& path,
           Finder& found) {
  const std::string type = schema.value("type", "");
  if (value.is_null() && schema.value("nullable", false)) return;
  if (!type.empty() && !has_type(type, value)) {
    found.add(path, fmt::format("Invalid value: \"{}\": must be of type {}",
                                value.type_name(), type));
    return;
  }
  if (schema.contains("enum")) {
    const Json& allowed = schema["enum"];
    if (std::ranges::find(allowed, value) == allowed.end()) {
      found.add(path, fmt::format("Unsupported value: {}: supported values: {}",
                                  value.dump(), allowed.dump()));
    }
  }
  if (value.is_string()) check_text(schema, value, path, found);
  if (value.is_number()) check_number(schema, value, path, found);
  if (value.is_object()) check_object(schema, value, path, found);
  if (value.is_array()) check_list(schema, value, path, found);
}

/// Rules with oldSelf speak of changes only.
void check_rules(const Json& schema, const Json& value, const Json* old,
                 const std::string& path, Finder& found) {
  for (const Json& rule :
       schema.value("x-kubernetes-validations", Json::array())) {
    const auto text = rule.value("rule", "");
    if (text.find("oldSelf") != std::string::npos && old == nullptr) continue;
    const CelScope self{nullptr, "self", &value};
    const CelScope both{&self, "oldSelf", old};
    const Result<Json> holds = run_cel(text, old == nullptr ? self : both);
    if (holds && *holds == Json(true)) continue;
    found.add(path, "Invalid value: " +
                        (holds ? rule.value("message", "failed rule: " + text)
                               : holds.error().msg));
  }
  if (!value.is_object()) return;
  for (const auto& [name, member] : child(schema, "properties").items()) {
    if (!value.contains(name)) continue;
    const Json* before =
        old != nullptr && old->contains(name) ? &(*old)[name] : nullptr;
    check_rules(member, value[name], before, fmt::format("{}.{}", path, name),
                found);
  }
}

void find_unknown(const Json& schema, const std::string& path, Finder& found) {
  for (const auto& [key, value] : schema.items()) {
    if (!kKnown.contains(key)) {
      found.add(fmt::format("{}.{}", path, key),
                "the simulator does not know this keyword");
    }
  }
  for (const Json& rule :
       schema.value("x-kubernetes-validations", Json::array())) {
    const auto parsed = parse_cel(rule.value("rule", ""));
    if (!parsed) found.add(path, parsed.error().msg);
  }
  for (const auto& [name, member] : child(schema, "properties").items()) {
    find_unknown(member, fmt::format("{}.{}", path, name), found);
  }
  if (schema.contains("items")) find_unknown(schema["items"], path, found);
}

void prune(const Json& schema, Json& value, bool root) {
  if (value.is_array() && schema.contains("items")) {
    for (Json& item : value) {
      prune(schema["items"], item, false);
    }
  }
  if (!value.is_object()) return;
  const Json& properties = child(schema, "properties");
  const bool open = schema.contains("additionalProperties");
  const auto system = [&](const std::string& name) {
    return root &&
           (name == "metadata" || name == "apiVersion" || name == "kind");
  };
  Json kept = Json::object();
  for (auto& [name, member] : value.items()) {
    if (!properties.contains(name) && !open && !system(name)) continue;
    kept[name] = std::move(member);
  }
  for (const auto& [name, sub] : properties.items()) {
    if (system(name)) continue;
    if (!kept.contains(name) && sub.contains("default")) {
      kept[name] = sub["default"];
    }
    if (kept.contains(name)) prune(sub, kept[name], false);
  }
  value = std::move(kept);
}

}  // namespace

std::vector<std::string> definition_faults(const Json& crd) {
  Finder found;
  for (const Json& version :
       child(crd, "spec").value("versions", Json::array())) {
    const Json& schema = child(child(version, "schema"), "openAPIV3Schema");
    if (schema.value("type", "") != "object") {
      found.add(".spec.versions.schema", "Required value: a structural schema");
    }
    find_unknown(schema, "", found);
  }
  return found.wrong;
}

void prune_and_default(const Json& schema, Json& object) {
  prune(schema, object, true);
}

std::vector<std::string> violations(const Json& schema, const Json& object,
                                    const Json* old) {
  Finder found;
  check(schema, object, "", found);
  // Rules may take the structure for granted.
  if (found.wrong.empty()) check_rules(schema, object, old, "", found);
  return found.wrong;
}

}  // namespace linsey::lab::api
