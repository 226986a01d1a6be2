#include "ctl/redact.h"

#include <algorithm>
#include <regex>

#include <nlohmann/json.hpp>

#include "base/json.h"

namespace linsey::ctl {
namespace {

constexpr std::size_t kShortest = 6;  // a shorter one would hit by chance

void collect(const Json& json, std::vector<std::string>& out) {
  if (json.is_string()) {
    std::string value = json.get<std::string>();
    if (value.size() >= kShortest) out.push_back(std::move(value));
  }
  if (!json.is_structured()) return;
  for (const Json& one : json) {
    collect(one, out);
  }
}

void replace_all(std::string& text, const std::string& what) {
  for (auto at = text.find(what); at != std::string::npos;
       at = text.find(what, at + kRemoved.size())) {
    text.replace(at, what.size(), kRemoved);
  }
}

}  // namespace

std::string redact(std::string text, const std::vector<std::string>& secrets) {
  std::vector<std::string> longest_first = secrets;
  std::ranges::sort(longest_first, [](const auto& a, const auto& b) {
    return a.size() > b.size();
  });
  for (const std::string& secret : longest_first) {
    if (secret.empty()) continue;
    replace_all(text, secret);
    const std::string quoted = Json(secret).dump();
    replace_all(text, quoted.substr(1, quoted.size() - 2));
  }
  // Not names that end in File or Path: where a secret is is none.
  static const std::regex member(
      R"re(("(?:[a-zA-Z-]*(?:password|passwd|secret|token|privateKey)|accessKey[a-zA-Z]*)"\s*:\s*)"(?:[^"\\]|\\.)*")re",
      std::regex::icase);
  text =
      std::regex_replace(text, member, "$1\"" + std::string(kRemoved) + "\"");
  static const std::regex bird(R"re(\b(password\s+)"(?:[^"\\\n]|\\.)*")re");
  return std::regex_replace(text, bird, "$1\"" + std::string(kRemoved) + "\"");
}

std::vector<std::string> secrets_in(std::string_view content) {
  std::vector<std::string> out;
  while (!content.empty() &&
         (content.back() == '\n' || content.back() == '\r')) {
    content.remove_suffix(1);
  }
  if (!content.empty()) out.emplace_back(content);
  const Result<Json> json = parse_json(content);
  if (json) collect(*json, out);
  return out;
}

}  // namespace linsey::ctl
