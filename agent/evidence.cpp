#include "agent/evidence.h"

#include <string>

#include "base/file.h"

namespace linsey::agent {
namespace {

std::optional<std::string> dmi_product(const std::string& path) {
  const Result<std::string> text = read_file(path, 4096);
  if (!text) return std::nullopt;
  const auto end = text->find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return std::nullopt;
  return text->substr(0, end + 1);
}

}  // namespace

Observed gather(const conf::Evidence& sources,
                std::optional<conf::Mode> intent) {
  Observed observed;
  observed.dmi_product = dmi_product(sources.dmi_path);
  if (!ask_metadata(intent, observed.dmi_product)) return observed;
  return observed;
}

}  // namespace linsey::agent
