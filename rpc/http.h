// The little of HTTP/1.1 that both ends of the socket speak: one request and
// one answer a connection, bodies with Content-Length, nothing chunked.
//
// Strict on purpose: what is not understood is refused, since the peer is our
// own program or curl. Rejected: a library server (cpp-httplib takes a thread
// for each connection and 45 us for handing it over).
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace linsey::rpc {

inline constexpr std::size_t kMaxHead = std::size_t{8} << 10;
inline constexpr std::size_t kMaxBody = std::size_t{4} << 20;

struct Request {
  std::string method = {};  // "GET", "POST"
  std::string path = {};    // "/v1/allocate", without the query
  std::string query = {};   // after "?", undecoded
  std::string body = {};
  /// Header Linsey-Protocol; nullopt when absent (curl).
  std::optional<int> protocol = {};
  /// Header Linsey-Timeout-Ms: how long the client will wait for the answer.
  std::optional<std::chrono::milliseconds> timeout = {};
  /// Header Linsey-Began: when the client began, nanoseconds since boot.
  std::optional<Instant> began = {};
  /// It came over TCP (metrics), from nobody known: answer only what is public.
  bool from_tcp = false;
};

struct Response {
  int status = 200;
  std::string body = {};
  std::string content_type = "application/json";
};

/// 200 with a JSON body.
Response ok(std::string json);
/// 200 with plain text, for people and Prometheus.
Response text(std::string body);
/// The error body of rpc/message.h; the status is derived from its class.
Response failure(const Error& error);

/// Reads one request out of `bytes`, the first part of a stream. nullopt: more
/// bytes are needed. Errors: kDecode for what is no request of ours, kIo when
/// head or body exceed the limits.
Result<std::optional<Request>> parse_request(std::string_view bytes);
/// The same for an answer; `ended` says that the peer has closed.
Result<std::optional<Response>> parse_response(std::string_view bytes,
                                               bool ended);

std::string format_request(const Request& request);
std::string format_response(const Response& response);

}  // namespace linsey::rpc
