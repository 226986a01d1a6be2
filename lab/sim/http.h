// What the simulator's handlers see of HTTP: a request as it came, percent
// encoding untouched (a signature is over those bytes), and a reply that may
// be late or never come.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/clock.h"

namespace linsey::sim {

struct HttpRequest {
  std::string method;
  std::string path;
  std::string query;                           // raw, without the question mark
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain";
  std::map<std::string, std::string> headers;
  std::string body;
  Duration delay{0};  // sent that much later; others are served meanwhile
  bool drop = false;  // the connection is closed instead of answered
};

using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

}  // namespace linsey::sim
