#include "rpc/server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "rpc/listen.h"
#include "rpc/message.h"

namespace linsey::rpc {
namespace {

constexpr Duration kAcceptPause = std::chrono::milliseconds(100);
constexpr std::uint32_t kGone = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

/// Whether the other side of a connection is closed, without reading.
bool is_gone(int fd) {
  char byte = 0;
  const ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

Result<void> check_protocol(const Request& request) {
  if (!request.protocol || *request.protocol == kProtocol) return {};
  return make_error(Code::kProtocolMismatch,
                    "the caller speaks protocol {}, this agent {}",
                    *request.protocol, kProtocol);
}

}  // namespace

struct Server::Listener {
  UniqueFd fd;
  bool tcp = false;
};

struct Server::Connection {
  enum class State : std::uint8_t { kReceiving, kWaiting, kSending };

  RequestId id = 0;
  UniqueFd fd;
  bool tcp = false;
  State state = State::kReceiving;
  bool watched = false;
  std::string bytes;     // received, or still to be sent
  std::size_t sent = 0;  // of them
  std::uint64_t timer = 0;
};

Server::Server(IoHooks io, ServerHooks hooks, ServerLimits limits)
    : io_(std::move(io)), hooks_(std::move(hooks)), limits_(limits) {}

Server::~Server() {
  stop_accepting();
  while (!connections_.empty()) {
    drop(connections_.begin()->first);
  }
  if (!path_.empty() && inode_of(path_) == socket_inode_) {
    (void)remove_file(path_);  // nothing is left to tell it to
  }
}

Result<void> Server::listen(const std::string& path) {
  TRY(add_listener(TRY(listen_unix(path)), false));
  path_ = path;
  socket_inode_ = inode_of(path);
  return {};
}

Result<void> Server::listen_tcp(const IpAddr& address, std::uint16_t port) {
  return add_listener(TRY(listen_on_tcp(address, port)), true);
}

Result<void> Server::add_listener(UniqueFd fd, bool tcp) {
  listeners_.push_back(
      std::make_unique<Listener>(Listener{std::move(fd), tcp}));
  Listener* const listener = listeners_.back().get();
  io_.watch(listener->fd.get(), EPOLLIN,
            [this, listener](std::uint32_t) { accept_all(*listener); });
  return {};
}

void Server::accept_all(Listener& listener) {
  const RequestId first = next_id_;
  accept_some(listener);
  // A client sends right after it connected: its request is mostly there.
  for (RequestId id = first; id < next_id_; ++id) {
    ready(id, EPOLLIN);
  }
}

void Server::accept_some(const Listener& listener) {
  while (pause_timer_ == 0) {
    if (connections_.size() >= limits_.connections) return pause_accepting();
    UniqueFd fd(accept4(listener.fd.get(), nullptr, nullptr,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd) {
      if (listener.tcp || peer_is_trusted(fd.get())) {
        open_connection(std::move(fd), listener.tcp);
      } else {
        log::warn("refused a peer of another user on {}", path_);
      }
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN) return;
    log::warn("accept: {}", errno_error(errno, "accept").msg);
    return pause_accepting();  // no descriptors or memory: do not spin
  }
}

void Server::pause_accepting() {
  for (const auto& listener : listeners_) {
    io_.modify(listener->fd.get(), 0);
  }
  pause_timer_ = io_.after(kAcceptPause, [this] {
    pause_timer_ = 0;
    resume_accepting();
  });
}

void Server::resume_accepting() {
  for (const auto& listener : listeners_) {
    io_.modify(listener->fd.get(), EPOLLIN);
  }
}

void Server::stop_accepting() {
  if (pause_timer_ != 0) io_.cancel(std::exchange(pause_timer_, 0));
  for (const auto& listener : listeners_) {
    io_.unwatch(listener->fd.get());
  }
  listeners_.clear();
}

void Server::open_connection(UniqueFd fd, bool tcp) {
  const RequestId id = next_id_++;
  auto connection = std::make_unique<Connection>();
  connection->id = id;
  connection->tcp = tcp;
  connection->fd = std::move(fd);
  connection->timer = io_.after(limits_.receive, [this, id] { drop(id); });
  connections_.emplace(id, std::move(connection));
}

void Server::wait_for(Connection& connection, std::uint32_t events) {
  const int fd = connection.fd.get();
  if (std::exchange(connection.watched, true)) {
    io_.modify(fd, events);
    return;
  }
  io_.watch(fd, events, [this, id = connection.id](std::uint32_t happened) {
    ready(id, happened);
  });
}

void Server::ready(RequestId id, std::uint32_t events) {
  const auto it = connections_.find(id);
  if (it == connections_.end()) return;
  Connection& connection = *it->second;
  switch (connection.state) {
    case Connection::State::kReceiving:
      return receive(connection);
    case Connection::State::kSending:
      (void)send_more(connection);
      return;
    case Connection::State::kWaiting:
      if ((events & kGone) == 0) return;
      drop(id);
      if (hooks_.hung_up) hooks_.hung_up(id);
      return;
  }
}

void Server::receive(Connection& connection) {
  char chunk[16 << 10];
  for (;;) {
    const ssize_t n = recv(connection.fd.get(), chunk, sizeof chunk, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      if (!connection.watched) wait_for(connection, EPOLLIN);
      return;
    }
    if (n <= 0) return drop(connection.id);
    connection.bytes.append(chunk, static_cast<std::size_t>(n));
    Result<std::optional<Request>> request = parse_request(connection.bytes);
    if (!request) return dispatch(connection, std::move(request).error());
    if (*request) return dispatch(connection, std::move(**request));
  }
}

void Server::dispatch(Connection& connection, Result<Request> request) {
  const RequestId id = connection.id;
  io_.cancel(std::exchange(connection.timer, 0));
  connection.state = Connection::State::kWaiting;
  connection.bytes.clear();
  if (!request) {
    (void)answer(id, failure(request.error()));
    return;
  }
  request->from_tcp = connection.tcp;
  const Result<void> spoken = check_protocol(*request);
  if (!spoken) {
    (void)answer(id, failure(spoken.error()));
    return;
  }
  hooks_.request(id, *request);
  const auto it = connections_.find(id);
  if (it == connections_.end()) return;  // answered at once
  Connection& waiting = *it->second;
  if (waiting.state == Connection::State::kWaiting) {
    wait_for(waiting, EPOLLRDHUP);
  }
}

bool Server::answer(RequestId id, const Response& response) {
  const auto it = connections_.find(id);
  if (it == connections_.end()) return false;
  Connection& connection = *it->second;
  if (connection.state != Connection::State::kWaiting) return false;
  if (is_gone(connection.fd.get())) {
    drop(id);
    return false;
  }
  return send(connection, format_response(response));
}

bool Server::send(Connection& connection, std::string bytes) {
  const RequestId id = connection.id;
  connection.state = Connection::State::kSending;
  connection.bytes = std::move(bytes);
  connection.timer = io_.after(limits_.send, [this, id] { drop(id); });
  return send_more(connection);
}

bool Server::send_more(Connection& connection) {
  while (connection.sent < connection.bytes.size()) {
    const ssize_t n =
        ::send(connection.fd.get(), connection.bytes.data() + connection.sent,
               connection.bytes.size() - connection.sent, MSG_NOSIGNAL);
    if (n >= 0) {
      connection.sent += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      wait_for(connection, EPOLLOUT);
      return true;
    } else if (errno != EINTR) {
      drop(connection.id);
      return false;
    }
  }
  drop(connection.id);
  return true;
}

void Server::drop(RequestId id) {
  const auto it = connections_.find(id);
  if (it == connections_.end()) return;
  Connection& connection = *it->second;
  if (connection.timer != 0) io_.cancel(connection.timer);
  if (connection.watched) io_.unwatch(connection.fd.get());
  connections_.erase(it);
}

std::size_t Server::waiting() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(connections_, [](const auto& entry) {
        return entry.second->state == Connection::State::kWaiting;
      }));
}

}  // namespace linsey::rpc
