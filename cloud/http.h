// One HTTP request with a deadline and a size limit, over libcurl.
//
// The only file that knows curl. A client keeps its connection between calls
// (a TLS handshake with the OpenAPI costs more than the call itself). It never
// follows a redirect: a signed request must not travel to another host. What
// curl says about a failure is kept in the details.
// Thread: one at a time for each client; each thread has its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace linsey::cloud {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // http or https
  HttpHeaders headers;
  std::string body;
  std::chrono::milliseconds timeout{20000};  // of the whole exchange
  std::chrono::milliseconds connect_timeout{5000};
  std::size_t limit = std::size_t{8} << 20;  // of the reply's body, in bytes
  bool use_proxy = true;  // false: not even one that the environment names
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;  // names in lower case
  std::string body;

  /// The first header of that (lower-case) name.
  std::optional<std::string> header(std::string_view name) const;
};

class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Every status is a success here. Errors: kTimeout at the deadline,
  /// kCloudUnavailable when there was no (whole) reply, kCloudBadReply when it
  /// is larger than the limit, kCloudBadRequest for an unusable URL.
  Result<HttpResponse> send(const HttpRequest& request);

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;
};

/// Scheme and authority of a URL: "https://host:8443/a" gives "host:8443".
/// The default port of the scheme is left out, as HTTP clients do in `host`.
/// Errors: kInvalidConfig.
Result<std::string> url_host(std::string_view url);

}  // namespace linsey::cloud
