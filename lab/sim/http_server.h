// HttpServer: a small HTTP/1.1 server for tests and the lab. One thread, one
// epoll, many listening sockets, each with a handler of its own: the lab opens
// a socket inside a node's network namespace and hands it over, so one server
// plays the API endpoint and every node's metadata service. A delayed reply
// holds up nobody else. Bodies need a Content-Length; chunked requests, TLS
// and pipelining are refused or ignored, since no client of ours uses them.
// Handlers run on the server's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/fd.h"
#include "base/ip.h"
#include "base/result.h"
#include "base/thread_queue.h"
#include "lab/sim/http.h"

namespace linsey::sim {

/// A listening TCP socket in the network namespace of the calling thread.
/// Port 0 takes a free one. Errors: kIo.
Result<UniqueFd> listen_tcp(const IpAddr& address, std::uint16_t port);
/// The port a listening socket has. Errors: kIo.
Result<std::uint16_t> port_of(const UniqueFd& listener);

class HttpServer {
 public:
  /// Called on the server's thread before each wait; says how long it may be
  /// until it must be called again (nullopt: any time).
  using Tick = std::function<std::optional<Duration>()>;

  /// Errors: kIo.
  static Result<std::unique_ptr<HttpServer>> start(Tick tick = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Serves on `listener` from now on; returns a number for stop_serving().
  /// Thread: any.
  int serve(UniqueFd listener, HttpHandler handler);
  /// Closes that listener and its connections; returns when it is done, so
  /// that the handler's captures may go. Thread: any but the server's.
  void stop_serving(int number);
  /// Runs the tick now, for knobs turned from another thread. Thread: any.
  void wake();

 private:
  class Loop;
  using Job = std::function<void(Loop&)>;

  explicit HttpServer(Tick tick);

  std::unique_ptr<ThreadQueue<Job>> jobs_;
  int next_number_ = 1;
  std::thread thread_;
};

}  // namespace linsey::sim
