// Api: the agent's socket. Turns rpc requests into calls of Service and of
// the few views that people and Prometheus read, and answers them.
//
//   GET /healthz   200 while the loop turns
//   GET /readyz    200 or 503 with the reason: can an ADD be served now?
//   GET /metrics   Prometheus text; the only path that TCP may ask for, with
//                  the two above
//   GET /v1/node, /v1/ipam   what linseyctl shows
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "agent/loop.h"
#include "agent/metrics.h"
#include "agent/service.h"
#include "base/result.h"
#include "rpc/server.h"

namespace linsey::agent {

struct ApiDeps {
  Loop& loop;
  Service& service;
  Metrics& metrics;
  std::string node_name;
  /// JSON documents of the views, by path ("/v1/ipam").
  std::map<std::string, std::function<std::string()>> views;
  /// What operators ask for (POST), by path; body in, JSON document out.
  std::map<std::string, std::function<Result<std::string>(std::string_view)>>
      actions;
};

class Api {
 public:
  explicit Api(ApiDeps deps);

  /// Errors: see rpc::Server::listen; kInvalidConfig for `metrics_listen`.
  Result<void> listen(const std::string& socket,
                      const std::string& metrics_listen);
  /// Takes no more connections; what waits is still answered.
  void stop_accepting();
  std::size_t waiting() const { return server_.waiting(); }

 private:
  void serve(rpc::RequestId id, const rpc::Request& request);
  void get(rpc::RequestId id, const rpc::Request& request);
  void post(rpc::RequestId id, const rpc::Request& request);
  void allocate(rpc::RequestId id, const rpc::Request& request);
  void release(rpc::RequestId id, const rpc::Request& request);
  void check(rpc::RequestId id, const rpc::Request& request);
  void gc(rpc::RequestId id, const rpc::Request& request);
  rpc::Status status() const;
  rpc::Response ready() const;
  void fail(rpc::RequestId id, const Error& error);

  ApiDeps deps_;
  rpc::Server server_;
};

}  // namespace linsey::agent
