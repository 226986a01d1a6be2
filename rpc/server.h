// Server: the answering end of the agent's socket. It knows no loop: it hands
// its descriptors and timers to whoever has one (IoHooks) and is called back.
//
// A request gets an id. The handler answers it at once or later, from the same
// thread, by answer(id, …): requests that wait for an address, for a group
// commit or for a link to die hold nothing but that id. A client that goes away
// unanswered is told once: by `hung_up`, or by answer() returning false when
// that notices first, so that what was done for it can be undone. A peer that
// shuts down its sending side counts as gone.
//
// Safety: the socket's directory is made 0700 and the socket 0600; a stale
// socket is replaced, one that somebody listens on is refused. Peers must be
// root or our own user (SO_PEERCRED). Size, time and connection limits hold
// against a peer that stalls.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/ip.h"
#include "base/result.h"
#include "rpc/http.h"

namespace linsey::rpc {

/// What the server needs of a loop; epoll's event bits. With agent::Loop:
/// {.watch = [&](int fd, std::uint32_t e, auto cb)
///      { loop.watch(fd, e, "rpc", std::move(cb)); }, …}.
struct IoHooks {
  std::function<void(int fd, std::uint32_t events,
                     std::function<void(std::uint32_t)> ready)>
      watch;
  std::function<void(int fd, std::uint32_t events)> modify;
  std::function<void(int fd)> unwatch;
  std::function<std::uint64_t(Duration, std::function<void()>)> after;
  std::function<void(std::uint64_t timer)> cancel;
};

using RequestId = std::uint64_t;

struct ServerHooks {
  /// A complete request came; answer it now or later, exactly once.
  std::function<void(RequestId, const Request&)> request;
  /// The client of an unanswered request is gone.
  std::function<void(RequestId)> hung_up;
};

struct ServerLimits {
  Duration receive = std::chrono::seconds(5);  // a whole request
  Duration send = std::chrono::seconds(5);     // a whole answer
  std::size_t connections = 1024;              // more wait in the backlog
};

class Server {
 public:
  Server(IoHooks io, ServerHooks hooks, ServerLimits limits = {});
  /// Closes everything; hung_up is not called. The socket file is removed if
  /// it is still ours.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Listens on a Unix socket. Errors: kTryAgainLater when another process
  /// listens there, kPermission when the directory belongs to somebody else
  /// or is open to others, kIo.
  Result<void> listen(const std::string& path);
  /// Listens on TCP as well; its requests carry `from_tcp`.
  Result<void> listen_tcp(const IpAddr& address, std::uint16_t port);

  /// Answers a request. False when its client is gone (or the id unknown):
  /// undo what was done for it. True does not prove that the client read it.
  bool answer(RequestId id, const Response& response);

  /// Takes no more connections; those that wait can still be answered.
  void stop_accepting();
  /// Requests that were handed over and not answered yet.
  std::size_t waiting() const;

 private:
  struct Listener;
  struct Connection;

  Result<void> add_listener(UniqueFd fd, bool tcp);
  void accept_all(Listener& listener);
  void accept_some(const Listener& listener);
  void open_connection(UniqueFd fd, bool tcp);
  void wait_for(Connection& connection, std::uint32_t events);
  void ready(RequestId id, std::uint32_t events);
  void receive(Connection& connection);
  void dispatch(Connection& connection, Result<Request> request);
  bool send(Connection& connection, std::string bytes);
  bool send_more(Connection& connection);
  void drop(RequestId id);
  void pause_accepting();
  void resume_accepting();

  IoHooks io_;
  ServerHooks hooks_;
  ServerLimits limits_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::map<RequestId, std::unique_ptr<Connection>> connections_;
  RequestId next_id_ = 1;
  std::uint64_t pause_timer_ = 0;
  std::string path_;
  std::uint64_t socket_inode_ = 0;
};

}  // namespace linsey::rpc
