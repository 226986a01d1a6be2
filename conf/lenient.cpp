#include "conf/lenient.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"

namespace linsey::conf {

Result<LenientObject> LenientObject::of(const Json* json, std::string pointer,
                                        Code code) {
  if (json != nullptr && !json->is_null() && !json->is_object()) {
    return make_error(code, "{}: must be an object, is {}",
                      pointer.empty() ? "/" : pointer, json->type_name());
  }
  LenientObject object;
  object.json_ = json != nullptr && json->is_object() ? json : nullptr;
  object.pointer_ = std::move(pointer);
  object.code_ = code;
  return object;
}

const Json* LenientObject::raw(std::string_view key) const {
  if (json_ == nullptr) return nullptr;
  const Json* value = find_member(*json_, key);
  return value != nullptr && !value->is_null() ? value : nullptr;
}

bool LenientObject::has(std::string_view key) const {
  return json_ != nullptr && find_member(*json_, key) != nullptr;
}

std::string LenientObject::pointer_to(std::string_view key) const {
  return fmt::format("{}/{}", pointer_, pointer_token(key));
}

Error LenientObject::wrong_type(std::string_view key, std::string_view wanted,
                                const Json& found) const {
  return make_error(code_, "{}: must be {}, is {}", pointer_to(key), wanted,
                    found.type_name());
}

Result<void> LenientObject::text(std::string_view key,
                                 std::string& target) const {
  const Json* value = raw(key);
  if (value == nullptr) return {};
  if (!value->is_string()) return wrong_type(key, "a string", *value);
  target = value->get<std::string>();
  return {};
}

Result<void> LenientObject::number(std::string_view key,
                                   std::uint64_t& target) const {
  const Json* value = raw(key);
  if (value == nullptr) return {};
  if (!value->is_number_integer()) {
    return wrong_type(key, "a whole number", *value);
  }
  if (!value->is_number_unsigned() && value->get<std::int64_t>() < 0) {
    return make_error(code_, "{}: must not be negative, is {}", pointer_to(key),
                      value->get<std::int64_t>());
  }
  target = value->get<std::uint64_t>();
  return {};
}

Result<void> LenientObject::texts(std::string_view key,
                                  std::vector<std::string>& target) const {
  const Json* value = raw(key);
  if (value == nullptr) return {};
  if (!value->is_array()) return wrong_type(key, "a list of strings", *value);
  std::vector<std::string> list;
  for (const Json& item : *value) {
    if (!item.is_string()) {
      return make_error(code_, "{}/{}: must be a string, is {}",
                        pointer_to(key), list.size(), item.type_name());
    }
    list.push_back(item.get<std::string>());
  }
  target = std::move(list);
  return {};
}

Result<void> LenientObject::text_map(
    std::string_view key, std::map<std::string, std::string>& target) const {
  const Json* value = raw(key);
  if (value == nullptr) return {};
  if (!value->is_object()) {
    return wrong_type(key, "an object of strings", *value);
  }
  std::map<std::string, std::string> members;
  for (const auto& [name, item] : value->items()) {
    if (!item.is_string()) {
      return make_error(code_, "{}/{}: must be a string, is {}",
                        pointer_to(key), pointer_token(name), item.type_name());
    }
    members[name] = item.get<std::string>();
  }
  target = std::move(members);
  return {};
}

Result<LenientObject> LenientObject::object(std::string_view key) const {
  return of(raw(key), pointer_to(key), code_);
}

Result<std::vector<LenientObject>> LenientObject::objects(
    std::string_view key) const {
  std::vector<LenientObject> list;
  const Json* value = raw(key);
  if (value == nullptr) return list;
  if (!value->is_array()) return wrong_type(key, "a list", *value);
  for (const Json& item : *value) {
    list.push_back(TRY(
        of(&item, fmt::format("{}/{}", pointer_to(key), list.size()), code_)));
  }
  return list;
}

}  // namespace linsey::conf
