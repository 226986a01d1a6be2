// A small HTTP/1.1 server on loopback for tests: real sockets, a handler that
// answers, and the faults a client has to live with (no reply, a cut reply).
//
// Each connection has a thread of its own, so the handler may be called from
// several; calls are serialised by the server. It keeps connections alive and
// counts them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"

namespace linsey::tests {

struct ServedRequest {
  std::string method;
  std::string target;                          // path and query as sent
  std::string path;                            // without the query
  std::map<std::string, std::string> query;    // decoded
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

struct ServedReply {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  bool drop = false;       // close without any reply
  std::size_t cut_at = 0;  // close after that many bytes of the body
  bool hang = false;       // never answer; ends with the server
};

class HttpServer {
 public:
  using Handler = std::function<ServedReply(const ServedRequest&)>;

  /// Listens on a free port of 127.0.0.1 in the calling thread's namespace.
  explicit HttpServer(Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::string url() const;
  std::uint16_t port() const { return port_; }
  unsigned connections() const { return connections_; }

 private:
  void accept_all();
  void serve(int fd);
  bool serve_one(int fd, std::string& buffer);
  bool answer(int fd, const ServedReply& reply) const;
  bool fill(int fd, std::string& buffer) const;

  Handler handler_;
  std::mutex handler_mutex_;
  UniqueFd listener_;
  UniqueFd stop_;
  std::uint16_t port_ = 0;
  std::atomic<unsigned> connections_{0};
  std::vector<std::jthread> threads_;
  std::jthread acceptor_;  // last: it uses all of the above
};

/// "%2F" back to "/".
std::string percent_decode(std::string_view text);

}  // namespace linsey::tests
