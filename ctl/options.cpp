#include "ctl/options.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace linsey::ctl {

rpc::Client client_of(const Options& options) {
  const auto timeout = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(options.timeout));
  return rpc::Client(
      {.socket = options.socket,
       .connect_wait = std::min<Duration>(timeout, std::chrono::seconds(1)),
       .timeout = timeout});
}

Result<Json> view(const Options& options, const std::string& path) {
  rpc::Client client = client_of(options);
  const std::string body = TRY(client.get(path));
  return TRY(
      context(parse_json(body), "answer of {} to {}", options.socket, path));
}

std::string pretty(const Json& json) {
  return dump_json(json, 2) + "\n";
}

}  // namespace linsey::ctl
