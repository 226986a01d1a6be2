#include "base/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

namespace linsey {
namespace {

constexpr int kMaxDepth = 200;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_caseless(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

/// Edit distance, for "did you mean".
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t cost =
          diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0U : 1U);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, cost});
    }
  }
  return row.back();
}

}  // namespace

Result<Json> parse_json(std::string_view text) {
  // The first exception of a static program costs a millisecond.
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return make_error(Code::kDecode, "not a JSON document: it is empty");
  }
  // nlohmann's parser itself is iterative, but destroying and walking a very
  // deep document recurses; the callback refuses it while parsing.
  bool too_deep = false;
  const auto limit = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  Json json = Json::parse(text.begin(), text.end(), limit, false);
  if (too_deep) {
    return make_error(Code::kDecode, "JSON nested deeper than {} levels",
                      kMaxDepth);
  }
  if (!json.is_discarded()) return json;

  // Only now, off the usual path, is the position worth an exception.
  try {
    const Json again = Json::parse(text.begin(), text.end());
    return Error{Code::kDecode, "not a JSON document", again.type_name()};
  } catch (const Json::exception& e) {
    return Error{Code::kDecode, "not a JSON document", e.what()};
  }
}

std::string dump_json(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

const Json* find_member(const Json& json, std::string_view key) {
  if (!json.is_object()) return nullptr;
  const auto exact = json.find(std::string(key));
  if (exact != json.end()) return &*exact;
  for (const auto& [name, value] : json.items()) {
    if (equal_caseless(name, key)) return &value;
  }
  return nullptr;
}

std::string pointer_token(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

ObjectReader::ObjectReader(const Json* json, std::string pointer, Code code)
    : json_(json), pointer_(std::move(pointer)), code_(code) {
  if (json_ != nullptr && !json_->is_object()) {
    fail("", fmt::format("must be an object, is {}", json_->type_name()));
    json_ = nullptr;
  }
}

const Json* ObjectReader::raw(std::string_view key) {
  if (strict_) known_.emplace_back(key);
  if (json_ == nullptr) return nullptr;
  const auto it = json_->find(key);
  return it == json_->end() ? nullptr : &*it;
}

bool ObjectReader::has(std::string_view key) const {
  return json_ != nullptr && json_->contains(key);
}

void ObjectReader::require(std::string_view key) {
  if (!has(key)) fail(key, "is required");
}

void ObjectReader::fail(std::string_view key, std::string_view what) {
  if (error_) return;
  const std::string where = key.empty() ? (pointer_.empty() ? "/" : pointer_)
                                        : fmt::format("{}/{}", pointer_, key);
  error_ = make_error(code_, "{}: {}", where, what);
}

void ObjectReader::fail_type(std::string_view key, std::string_view wanted,
                             const Json& found) {
  fail(pointer_token(key),
       fmt::format("must be {}, is {}", wanted, found.type_name()));
}

void ObjectReader::get(std::string_view key, std::string& target) {
  const Json* value = raw(key);
  if (value == nullptr) return;
  if (!value->is_string()) return fail_type(key, "a string", *value);
  target = value->get<std::string>();
}

void ObjectReader::get(std::string_view key, bool& target) {
  const Json* value = raw(key);
  if (value == nullptr) return;
  if (!value->is_boolean()) return fail_type(key, "true or false", *value);
  target = value->get<bool>();
}

void ObjectReader::get(std::string_view key, std::vector<std::string>& target) {
  const Json* value = raw(key);
  if (value == nullptr) return;
  if (!value->is_array()) return fail_type(key, "a list of strings", *value);
  std::vector<std::string> list;
  for (const Json& item : *value) {
    if (!item.is_string()) {
      return fail_type(fmt::format("{}/{}", key, list.size()), "a string",
                       item);
    }
    list.push_back(item.get<std::string>());
  }
  target = std::move(list);
}

void ObjectReader::get(std::string_view key,
                       std::map<std::string, std::string>& target) {
  const Json* value = raw(key);
  if (value == nullptr) return;
  if (!value->is_object()) {
    return fail_type(key, "an object of strings", *value);
  }
  std::map<std::string, std::string> members;
  for (const auto& [name, item] : value->items()) {
    if (!item.is_string()) {
      fail(fmt::format("{}/{}", pointer_token(key), pointer_token(name)),
           fmt::format("must be a string, is {}", item.type_name()));
      return;
    }
    members[name] = item.get<std::string>();
  }
  target = std::move(members);
}

void ObjectReader::get_int(std::string_view key, std::int64_t& target,
                           std::int64_t low, std::int64_t high) {
  const Json* value = raw(key);
  if (value == nullptr) return;
  if (!value->is_number_integer()) {
    return fail_type(key, "a whole number", *value);
  }
  const bool too_large =
      value->is_number_unsigned() &&
      value->get<std::uint64_t>() >
          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const std::int64_t number = too_large ? 0 : value->get<std::int64_t>();
  if (too_large || number < low || number > high) {
    return fail(pointer_token(key), fmt::format("must lie in {}..{}, is {}",
                                                low, high, value->dump()));
  }
  target = number;
}

void ObjectReader::get_duration(std::string_view key,
                                std::chrono::nanoseconds& target) {
  get_parsed(key, target, parse_duration);
}

void ObjectReader::read_child(const Json& child, const std::string& pointer,
                              const std::function<void(ObjectReader&)>& read) {
  ObjectReader reader(&child, pointer, code_);
  reader.strict_ = strict_;
  if (!reader.failed()) read(reader);
  const Result<void> done = reader.finish();
  if (!done && !error_) error_ = done.error();
}

void ObjectReader::object(std::string_view key,
                          const std::function<void(ObjectReader&)>& read) {
  const Json* value = raw(key);
  if (value == nullptr || error_) return;
  read_child(*value, fmt::format("{}/{}", pointer_, pointer_token(key)), read);
}

void ObjectReader::each(std::string_view key,
                        const std::function<void(ObjectReader&)>& read) {
  const Json* value = raw(key);
  if (value == nullptr || error_) return;
  if (!value->is_array()) return fail_type(key, "a list", *value);
  std::size_t index = 0;
  for (const Json& item : *value) {
    read_child(item,
               fmt::format("{}/{}/{}", pointer_, pointer_token(key), index++),
               read);
  }
}

void ObjectReader::each_member(
    std::string_view key,
    const std::function<void(const std::string&, ObjectReader&)>& read) {
  const Json* value = raw(key);
  if (value == nullptr || error_) return;
  if (!value->is_object()) return fail_type(key, "an object", *value);
  for (const auto& [name, item] : value->items()) {
    const std::string& member = name;
    read_child(item,
               fmt::format("{}/{}/{}", pointer_, pointer_token(key),
                           pointer_token(member)),
               [&](ObjectReader& reader) { read(member, reader); });
  }
}

Result<void> ObjectReader::finish() {
  if (error_) return *error_;
  if (json_ == nullptr || !strict_) return {};
  for (const auto& [name, value] : json_->items()) {
    const std::string& key = name;
    if (std::ranges::find(known_, key) != known_.end()) continue;
    std::ranges::sort(known_);
    const auto nearest = std::ranges::min_element(
        known_, {}, [&](const std::string& k) { return distance(k, key); });
    std::string text = "unknown key";
    if (nearest != known_.end() &&
        distance(*nearest, key) <= std::max<std::size_t>(2, key.size() / 3)) {
      text += fmt::format("; did you mean \"{}\"?", *nearest);
    } else {
      text += "; remove it";
    }
    fail(pointer_token(key), text);
    return *error_;
  }
  return {};
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view suffix;
    std::int64_t ns;
  };
  constexpr auto kUnits = std::to_array<Unit>({{"ms", 1'000'000},
                                               {"us", 1'000},
                                               {"ns", 1},
                                               {"s", 1'000'000'000},
                                               {"m", 60'000'000'000},
                                               {"h", 3'600'000'000'000}});
  std::int64_t number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view suffix(end, text.data() + text.size());
  for (const Unit& unit : kUnits) {
    if (error != std::errc() || suffix != unit.suffix) continue;
    std::int64_t total = 0;
    if (number >= 0 && !__builtin_mul_overflow(number, unit.ns, &total)) {
      return std::chrono::nanoseconds(total);
    }
  }
  return make_error(Code::kInvalidConfig,
                    "\"{}\" is not a duration; write for example 500ms, 30s, "
                    "2m or 1h",
                    text);
}

std::string format_duration(std::chrono::nanoseconds duration) {
  const std::int64_t ns = duration.count();
  if (ns % 3'600'000'000'000 == 0 && ns != 0) {
    return fmt::format("{}h", ns / 3'600'000'000'000);
  }
  if (ns % 60'000'000'000 == 0 && ns != 0) {
    return fmt::format("{}m", ns / 60'000'000'000);
  }
  if (ns % 1'000'000'000 == 0) return fmt::format("{}s", ns / 1'000'000'000);
  if (ns % 1'000'000 == 0) return fmt::format("{}ms", ns / 1'000'000);
  if (ns % 1'000 == 0) return fmt::format("{}us", ns / 1'000);
  return fmt::format("{}ns", ns);
}

}  // namespace linsey
