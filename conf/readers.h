// Getters that more than one section of the agent's configuration needs, on
// top of ObjectReader. Errors stay in the reader, with the key's pointer.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/json.h"

namespace linsey::conf {

/// A string that is one of `choices`.
void get_choice(ObjectReader& reader, std::string_view key, std::string& target,
                std::initializer_list<std::string_view> choices);
/// An address; "" stands for not set.
void get_optional(ObjectReader& reader, std::string_view key,
                  std::optional<IpAddr>& target);
/// An absolute path.
void get_path(ObjectReader& reader, std::string_view key, std::string& target,
              bool may_be_empty = false);
/// A required name in the form of a label's value.
void get_name(ObjectReader& reader, std::string_view key, std::string& target);

}  // namespace linsey::conf
