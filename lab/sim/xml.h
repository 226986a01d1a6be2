// The XML form of a reply, which the API gives to whoever did not ask for
// JSON: members become elements, a list repeats its element.
#pragma once

#include <string>

#include "base/json.h"

namespace linsey::sim {

std::string to_xml(const std::string& root, const Json& json);

}  // namespace linsey::sim
