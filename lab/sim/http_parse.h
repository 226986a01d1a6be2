// Reads one HTTP/1.1 request out of a connection's bytes and writes replies.
#pragma once

#include <optional>
#include <string>

#include "lab/sim/http.h"

namespace linsey::sim {

enum class Parse : std::uint8_t { kMore, kDone, kBad };

/// On kDone the request's bytes are gone from `buffer`.
Parse take_request(std::string& buffer, HttpRequest& request);
/// `close`: the connection ends after it.
std::string to_text(const HttpResponse& response, bool close);

}  // namespace linsey::sim
