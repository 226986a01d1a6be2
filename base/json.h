// JSON without exceptions: parse, typed getters, case-blind look-up, and a
// strict reader for documents where an unknown key is an error.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

namespace linsey {

using Json = nlohmann::json;

/// Parses one JSON document; nothing but white space may follow. Depth is
/// limited to 200 levels. Errors: kDecode with the byte position.
Result<Json> parse_json(std::string_view text);

/// Compact text. Invalid UTF-8 is replaced, never thrown on.
std::string dump_json(const Json& json, int indent = -1);

/// The member of an object whose key equals `key`, exactly first, without
/// regard to ASCII case second (Go's decoders do so, and containerd relies on
/// it). nullptr when there is none, or `json` is no object.
const Json* find_member(const Json& json, std::string_view key);

/// RFC 6901 escaping of one reference token.
std::string pointer_token(std::string_view key);

/// Reads one JSON object key by key and keeps account of what was asked for.
/// Errors name a JSON pointer: "/eni/zones/cn-x-a/vSwitches: must be a list".
///
/// Use: construct, call the getters for every known key, then finish(), which
/// returns the first error, or names an unknown key with the nearest known one.
/// A getter that found nothing leaves its target (the default) alone.
class ObjectReader {
 public:
  /// `json` must outlive the reader. A null pointer reads as an empty object.
  ObjectReader(const Json* json, std::string pointer,
               Code code = Code::kInvalidConfig);

  void get(std::string_view key, std::string& target);
  void get(std::string_view key, bool& target);
  void get(std::string_view key, std::vector<std::string>& target);
  void get(std::string_view key, std::map<std::string, std::string>& target);
  /// Whole number within [low, high].
  void get_int(std::string_view key, std::int64_t& target, std::int64_t low,
               std::int64_t high);
  template <typename T>
  void get_int(std::string_view key, T& target, std::int64_t low,
               std::int64_t high) {
    std::int64_t wide = static_cast<std::int64_t>(target);
    get_int(key, wide, low, high);
    target = static_cast<T>(wide);
  }
  /// "500ms", "30s", "2m", "1h" or "0s".
  void get_duration(std::string_view key, std::chrono::nanoseconds& target);

  /// A string that `parse` turns into a value; its error gets the pointer.
  template <typename T>
  void get_parsed(std::string_view key, T& target,
                  Result<T> (*parse)(std::string_view)) {
    std::string text;
    if (!has(key)) return;
    get(key, text);
    if (failed()) return;
    Result<T> value = parse(text);
    if (value) {
      target = std::move(value).value();
    } else {
      fail(key, value.error().msg);
    }
  }
  template <typename T>
  void get_parsed_list(std::string_view key, std::vector<T>& target,
                       Result<T> (*parse)(std::string_view)) {
    std::vector<std::string> texts;
    if (!has(key)) return;
    get(key, texts);
    if (failed()) return;
    target.clear();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      Result<T> value = parse(texts[i]);
      if (!value) {
        fail(std::string(key) + "/" + std::to_string(i), value.error().msg);
        return;
      }
      target.push_back(std::move(value).value());
    }
  }

  /// Calls `read` with a reader of the object under `key`, if it is there.
  void object(std::string_view key,
              const std::function<void(ObjectReader&)>& read);
  /// Calls `read` for each element of the list of objects under `key`.
  void each(std::string_view key,
            const std::function<void(ObjectReader&)>& read);
  /// Calls `read` for each member of the object of objects under `key`.
  void each_member(
      std::string_view key,
      const std::function<void(const std::string&, ObjectReader&)>& read);

  /// The raw value, marked as known; nullptr when absent.
  const Json* raw(std::string_view key);
  bool has(std::string_view key) const;
  void require(std::string_view key);

  /// Records an error at `key` ("" = this object); the first one stands.
  void fail(std::string_view key, std::string_view what);
  bool failed() const { return error_.has_value(); }
  /// Unknown keys are fine from here on, in child objects too: for documents
  /// that a newer version may have written.
  void ignore_unknown() { strict_ = false; }
  const std::string& pointer() const { return pointer_; }

  /// The first error, else an unknown key's, else success.
  Result<void> finish();

 private:
  void fail_type(std::string_view key, std::string_view wanted,
                 const Json& found);
  void read_child(const Json& child, const std::string& pointer,
                  const std::function<void(ObjectReader&)>& read);

  const Json* json_;
  std::string pointer_;
  Code code_;
  bool strict_ = true;
  std::vector<std::string> known_;  // keys are few and mostly short
  std::optional<Error> error_;
};

/// "500ms", "30s", "2m", "1h". Errors: kInvalidConfig.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
std::string format_duration(std::chrono::nanoseconds duration);

}  // namespace linsey
