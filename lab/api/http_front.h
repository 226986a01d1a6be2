// HttpFront: the server's way in over a socket, with TLS or without.
//
// A thread for each connection: watches are long, few and blocking code reads
// best; an epoll loop as in lab/sim was rejected because TLS and streams in it
// are two state machines more. HTTP/1.1 with keep-alive; a watch is sent
// chunked and ends its connection.
// While the server is down, connections are reset; while it is silent they
// are taken and not answered, the TLS handshake included.
//
//   api::Server server;                                // outlives the front
//   Identity who = *make_identity({address});
//   auto front = *HttpFront::start(server, std::move(listener), &who);
//   kubeconfig("https://10.0.0.9:6443", who.ca_pem, "token-m1");
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "base/fd.h"
#include "base/result.h"
#include "lab/api/identity.h"
#include "lab/api/server.h"

struct ssl_ctx_st;  // OpenSSL's; its header costs seconds

namespace linsey::lab::api {

class HttpFront {
 public:
  /// `listener` is a listening TCP socket of whatever network namespace.
  /// `identity` null: plain HTTP. Errors: kInternal with OpenSSL's words.
  static Result<std::unique_ptr<HttpFront>> start(Server& server,
                                                  UniqueFd listener,
                                                  const Identity* identity);
  /// Ends all connections and waits for their threads.
  ~HttpFront();
  HttpFront(const HttpFront&) = delete;
  HttpFront& operator=(const HttpFront&) = delete;

 private:
  struct Connection;
  HttpFront(Server& server, UniqueFd listener);
  void accept_all();
  void reap(bool all);
  void talk(Connection& connection);
  bool serve_one(Connection& connection, std::string& buffer);
  bool serve_watch(Connection& connection, const Call& call);
  void hang(Connection& connection) const;

  Server& server_;
  UniqueFd listener_;
  UniqueFd stop_;  // eventfd: readable once it is over
  std::shared_ptr<ssl_ctx_st> tls_;
  std::mutex mutex_;  // around the closing of descriptors
  std::list<std::unique_ptr<Connection>> connections_;
  std::thread acceptor_;
};

}  // namespace linsey::lab::api
