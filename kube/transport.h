// Transport: how a request reaches the API server. The fourth seam: the real
// one speaks HTTPS through libcurl, tests put a stateful server in its place.
//
// One request in, one reply out, and a streaming form for watches. Neither
// knows what the bytes mean. HTTP/1.1 with one connection for each object: the
// HTTP/2 of Debian 12's libcurl cannot notice a dead peer by itself.
// Thread: one at a time for each object; every watch has its own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "kube/credentials.h"

namespace linsey::kube {

struct Request {
  std::string method = "GET";
  std::string path;  // "/api/v1/nodes/m1?…", percent-encoded
  std::string body;
  std::string content_type = "application/json";
  std::chrono::milliseconds timeout{15000};
};

struct Response {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

/// Bytes that crossed the line, for the bound on what a node may use.
struct Traffic {
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::uint64_t requests = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;

  /// Every HTTP status is a success here. Errors: kApiUnavailable, kTimeout,
  /// kApiBadReply (a body over 64 MiB).
  virtual Result<Response> send(const Request& request) = 0;

  /// Calls `on_line` for each line of the body as it comes, until the server
  /// ends it, `stop` is set, or on_line returns false. A reply other than 200
  /// is returned with its whole body and no line was handed out. A peer that
  /// died silently ends the stream within 30 s (TCP keep-alive and
  /// TCP_USER_TIMEOUT): kApiUnavailable.
  virtual Result<Response> stream(
      const Request& request,
      const std::function<bool(std::string_view line)>& on_line,
      const std::atomic<bool>& stop) = 0;

  /// Ends what runs within a second or so, and what is sent from now on at
  /// once: kApiUnavailable. For the end of the program. Thread: any.
  virtual void abort() {}

  /// Of a request that runs, what it received so far. Thread: any.
  virtual Traffic traffic() const = 0;
};

/// The real one. The credentials are asked for each request, so a rotated
/// token is used without restart.
std::unique_ptr<Transport> make_transport(std::shared_ptr<Credentials> who);

}  // namespace linsey::kube
