#include "agent/evidence.h"

#include <chrono>
#include <string>

#include "base/clock.h"
#include "base/file.h"
#include "cloud/http.h"
#include "cloud/metadata.h"

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

  const SteadyClock clock;
  cloud::HttpClient http;
  cloud::Metadata metadata(
      {.url = sources.metadata_url,
       .timeout =
           std::chrono::ceil<std::chrono::milliseconds>(sources.timeout)},
      http, clock);
  const Result<std::optional<std::string>> id = metadata.get("instance-id");
  if (id && id->has_value() && !(*id)->empty()) {
    observed.metadata_instance = **id;
  } else {
    observed.metadata_silence =
        id ? "answers without an instance-id" : id.error().msg;
  }
  return observed;
}

}  // namespace linsey::agent
