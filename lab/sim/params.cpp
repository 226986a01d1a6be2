#include "lab/sim/params.h"

#include <charconv>

#include <fmt/core.h>

namespace linsey::sim {
namespace {

constexpr std::size_t kTagLimit = 20;
constexpr std::size_t kTagLength = 128;

bool has_scheme(const std::string& text) {
  return text.find("http://") != std::string::npos ||
         text.find("https://") != std::string::npos;
}

Fault check_tag(const std::string& key, const std::string& value) {
  const bool bad_key = key.empty() || key.size() > kTagLength ||
                       key.starts_with("aliyun") || key.starts_with("acs:") ||
                       has_scheme(key);
  if (bad_key) {
    return {400, "InvalidTagKey.Malformed",
            fmt::format("The tag key \"{}\" is malformed.", key)};
  }
  if (value.size() > kTagLength || has_scheme(value)) {
    return {400, "InvalidTagValue.Malformed",
            fmt::format("The tag value \"{}\" is malformed.", value)};
  }
  return {};
}

}  // namespace

Fault missing_parameter(const std::string& name, int status) {
  return {status, "MissingParameter",
          fmt::format("The input parameter \"{}\" that is mandatory for "
                      "processing this request is not supplied.",
                      name)};
}

Fault invalid_parameter(const std::string& name, std::string_view why) {
  return {400, "InvalidParameter",
          fmt::format("The specified parameter \"{}\" is not valid: {}.", name,
                      why)};
}

const std::string* Params::find(const std::string& name) {
  known_.insert(name);
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

bool Params::has(const std::string& name) const {
  return values_.contains(name);
}

std::string Params::text(const std::string& name) {
  const std::string* value = find(name);
  return value == nullptr ? std::string() : *value;
}

std::string Params::required(const std::string& name) {
  std::string value = text(name);
  if (value.empty()) fail(missing_parameter(name, missing_status_));
  return value;
}

std::int64_t Params::number(const std::string& name, std::int64_t fallback,
                            std::int64_t low, std::int64_t high) {
  const std::string* value = find(name);
  if (value == nullptr) return fallback;
  std::int64_t number = 0;
  const char* end = value->data() + value->size();
  const auto [stop, error] = std::from_chars(value->data(), end, number);
  if (error != std::errc() || stop != end || number < low || number > high) {
    fail(invalid_parameter(name, fmt::format("\"{}\" is no number of {} to {}",
                                             *value, low, high)));
    return fallback;
  }
  return number;
}

bool Params::flag(const std::string& name, bool fallback) {
  const std::string* value = find(name);
  if (value == nullptr) return fallback;
  if (*value == "true") return true;
  if (*value == "false") return false;
  fail(invalid_parameter(name, "it must be true or false"));
  return fallback;
}

std::vector<std::string> Params::list(const std::string& name,
                                      std::size_t limit) {
  std::vector<std::string> found;
  while (const std::string* value =
             find(fmt::format("{}.{}", name, found.size() + 1))) {
    found.push_back(*value);
  }
  if (found.size() > limit) {
    fail(invalid_parameter(name, fmt::format("more than {} entries", limit)));
  }
  return found;
}

std::vector<IpAddr> Params::addresses(const std::string& name, Family family,
                                      std::size_t limit) {
  std::vector<IpAddr> found;
  for (const std::string& text : list(name, limit)) {
    const Result<IpAddr> ip = IpAddr::parse(text);
    if (!ip || ip->family() != family) {
      fail({403, "InvalidIp.Address",
            fmt::format("The specified Ip \"{}\" is not valid.", text)});
      return {};
    }
    found.push_back(*ip);
  }
  return found;
}

std::optional<IpAddr> Params::address(const std::string& name, Family family) {
  const std::string* value = find(name);
  if (value == nullptr) return std::nullopt;
  const Result<IpAddr> ip = IpAddr::parse(*value);
  if (ip && ip->family() == family) return *ip;
  fail({403, "InvalidIp.Address",
        fmt::format("The specified Ip \"{}\" is not valid.", *value)});
  return std::nullopt;
}

std::map<std::string, std::string> Params::tags() {
  std::map<std::string, std::string> found;
  for (std::size_t i = 1;; ++i) {
    const std::string* key = find(fmt::format("Tag.{}.Key", i));
    const std::string value = text(fmt::format("Tag.{}.Value", i));
    if (key == nullptr) return found;
    if (i > kTagLimit) fail({400, "NumberExceed.Tags", "More than 20 tags."});
    if (Fault fault = check_tag(*key, value)) fail(fault);
    if (!found.emplace(*key, value).second) {
      fail({400, "Duplicate.TagKey", "The Tag.N.Key contains duplicates."});
    }
  }
}

void Params::fail(Fault fault) {
  if (!fault_) fault_ = std::move(fault);
}

Fault Params::finish() {
  if (fault_) return fault_;
  for (const auto& [name, value] : values_) {
    if (known_.contains(name)) continue;
    return {400, "UnsupportedParameter",
            fmt::format("The parameter \"{}\" is not known here.", name)};
  }
  return {};
}

}  // namespace linsey::sim
