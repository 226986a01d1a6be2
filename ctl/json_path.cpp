#include "ctl/json_path.h"

#include <nlohmann/json.hpp>

namespace linsey::ctl {

const Json& at(const Json& json, std::initializer_list<const char*> path) {
  static const Json kNull;
  const Json* here = &json;
  for (const char* key : path) {
    const auto next = here->is_object() ? here->find(key) : here->end();
    if (!here->is_object() || next == here->end()) return kNull;
    here = &*next;
  }
  return *here;
}

std::string text_at(const Json& json, const char* key) {
  const Json& found = at(json, {key});
  return found.is_string() ? found.get<std::string>() : "";
}

}  // namespace linsey::ctl
