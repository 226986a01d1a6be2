#include "lab/sim/xml.h"

#include <nlohmann/json.hpp>

namespace linsey::sim {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

void element(const std::string& name, const Json& json, std::string& out) {
  if (json.is_array()) {
    for (const Json& one : json)
      element(name, one, out);
    return;
  }
  out += "<" + name + ">";
  if (json.is_object()) {
    for (const auto& [key, value] : json.items())
      element(key, value, out);
  } else {
    out += json.is_string() ? escaped(json.get<std::string>()) : json.dump();
  }
  out += "</" + name + ">";
}

}  // namespace

std::string to_xml(const std::string& root, const Json& json) {
  std::string out = "<?xml version='1.0' encoding='UTF-8'?>";
  element(root, json, out);
  return out;
}

}  // namespace linsey::sim
