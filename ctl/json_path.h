// Looking into answers of the agent, which another version may have given:
// what is missing, or is of another kind, reads as null or as no text.
#pragma once

#include <initializer_list>
#include <string>

#include "base/json.h"

namespace linsey::ctl {

/// A member by path; null when any step is missing.
const Json& at(const Json& json, std::initializer_list<const char*> path);

/// A member that is a string; "" when it is missing or something else.
std::string text_at(const Json& json, const char* key);

}  // namespace linsey::ctl
