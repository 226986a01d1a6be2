#include "lab/sim/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <future>
#include <map>
#include <utility>

#include "base/clock.h"
#include "lab/sim/http_parse.h"

namespace linsey::sim {
namespace {

bool add_to(const UniqueFd& epoll, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

Result<UniqueFd> listen_tcp(const IpAddr& address, std::uint16_t port) {
  const int family = address.is_v4() ? AF_INET : AF_INET6;
  UniqueFd fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error(errno, "open a TCP socket");
  const int on = 1;
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_in);
  if (address.is_v4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    std::memcpy(&v4->sin_addr, address.bytes().data(), 4);
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    std::memcpy(&v6->sin6_addr, address.bytes().data(), 16);
    length = sizeof(sockaddr_in6);
  }
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) {
    return errno_error(errno, "bind " + address.to_string());
  }
  if (listen(fd.get(), 128) != 0) {
    return errno_error(errno, "listen on " + address.to_string());
  }
  return fd;
}

Result<std::uint16_t> port_of(const UniqueFd& listener) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(listener.get(), reinterpret_cast<sockaddr*>(&storage),
                  &length) != 0) {
    return errno_error(errno, "name of a listening socket");
  }
  // The port lies at the same place in both families.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
}

/// Everything the server's thread owns.
class HttpServer::Loop {
 public:
  Loop(ThreadQueue<Job>& jobs, Tick tick)
      : jobs_(jobs),
        tick_(std::move(tick)),
        epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_ || !add_to(epoll_, jobs_.fd(), EPOLLIN)) {
      panic("epoll of the HTTP server failed");
    }
  }

  void run() {
    while (!stopped_) {
      std::array<epoll_event, 64> events{};
      const int count = epoll_wait(epoll_.get(), events.data(),
                                   static_cast<int>(events.size()), wait_ms());
      for (int i = 0; i < count; ++i) {
        ready(events[static_cast<std::size_t>(i)].data.fd);
      }
    }
  }

  void stop() { stopped_ = true; }

  void add(int number, UniqueFd fd, HttpHandler handler) {
    const int raw = fd.get();
    listeners_[raw] = {number, std::move(fd), std::move(handler)};
    if (!add_to(epoll_, raw, EPOLLIN)) panic("epoll refuses a listener");
  }

  void remove(int number) {
    std::erase_if(connections_, [&](const auto& entry) {
      return entry.second.listener == number;
    });
    std::erase_if(listeners_, [&](const auto& entry) {
      return entry.second.number == number;
    });
  }

 private:
  struct Listener {
    int number = 0;
    UniqueFd fd;
    HttpHandler handler;
  };
  struct Connection {
    int listener = 0;
    UniqueFd fd;
    HttpHandler* handler = nullptr;
    std::string in;
    std::string out;
    std::optional<Instant> send_at;  // `out` waits for that
    bool waits_for_room = false;
  };

  /// Runs the tick, sends what is due; how long epoll may sleep.
  int wait_ms() {
    std::optional<Duration> left;
    if (tick_) left = tick_();
    const Instant now = clock_.now();
    std::vector<int> due;
    for (auto& [fd, connection] : connections_) {
      if (!connection.send_at) continue;
      const Duration wait = *connection.send_at - now;
      if (wait <= Duration(0)) {
        due.push_back(fd);
      } else {
        left = std::min(left.value_or(wait), wait);
      }
    }
    for (const int fd : due) {
      connections_.at(fd).send_at.reset();
      send_out(fd);
    }
    if (!left) return -1;
    return static_cast<int>(
        std::chrono::ceil<std::chrono::milliseconds>(*left).count());
  }

  void ready(int fd) {
    if (fd == jobs_.fd()) {
      while (auto job = jobs_.try_pop())
        (*job)(*this);
      return;
    }
    const auto listener = listeners_.find(fd);
    if (listener != listeners_.end()) {
      accept_from(listener->second);
      return;
    }
    const auto connection = connections_.find(fd);
    if (connection == connections_.end()) return;
    if (connection->second.waits_for_room) {
      send_out(fd);
    } else {
      read_from(fd);
    }
  }

  void accept_from(Listener& listener) {
    UniqueFd fd(accept4(listener.fd.get(), nullptr, nullptr,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return;
    const int on = 1;
    (void)setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const int raw = fd.get();
    Connection connection;
    connection.listener = listener.number;
    connection.fd = std::move(fd);
    connection.handler = &listener.handler;
    connections_[raw] = std::move(connection);
    if (!add_to(epoll_, raw, EPOLLIN)) connections_.erase(raw);
  }

  void read_from(int fd) {
    Connection& connection = connections_.at(fd);
    std::array<char, 16384> chunk{};
    const ssize_t got = recv(fd, chunk.data(), chunk.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      connections_.erase(fd);
      return;
    }
    connection.in.append(chunk.data(), static_cast<std::size_t>(got));
    answer(fd);
  }

  /// Answers the next request in the buffer, if one is complete and no reply
  /// is under way.
  void answer(int fd) {
    Connection& connection = connections_.at(fd);
    if (connection.send_at || !connection.out.empty()) return;
    HttpRequest request;
    const Parse parsed = take_request(connection.in, request);
    if (parsed == Parse::kMore) return;
    if (parsed == Parse::kBad) {
      connections_.erase(fd);
      return;
    }
    const HttpResponse response = (*connection.handler)(request);
    if (response.drop) {
      connections_.erase(fd);
      return;
    }
    connection.out = to_text(response, false);
    if (response.delay > Duration(0)) {
      connection.send_at = clock_.now() + response.delay;
      return;
    }
    send_out(fd);
  }

  void send_out(int fd) {
    Connection& connection = connections_.at(fd);
    const ssize_t sent =
        send(fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
      connections_.erase(fd);
      return;
    }
    if (sent > 0) connection.out.erase(0, static_cast<std::size_t>(sent));
    watch(connection, !connection.out.empty());
    if (connection.out.empty()) answer(fd);
  }

  void watch(Connection& connection, bool for_room) {
    if (connection.waits_for_room == for_room) return;
    connection.waits_for_room = for_room;
    epoll_event event{};
    event.events = for_room ? EPOLLOUT : EPOLLIN;
    event.data.fd = connection.fd.get();
    (void)epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.fd.get(), &event);
  }

  ThreadQueue<Job>& jobs_;
  Tick tick_;
  UniqueFd epoll_;
  SteadyClock clock_;
  bool stopped_ = false;
  std::map<int, Listener> listeners_;
  std::map<int, Connection> connections_;
};

HttpServer::HttpServer(Tick tick)
    : jobs_(std::make_unique<ThreadQueue<Job>>()) {
  thread_ = std::thread([jobs = jobs_.get(), tick = std::move(tick)] {
    Loop(*jobs, tick).run();
  });
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(Tick tick) {
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(tick)));
}

HttpServer::~HttpServer() {
  jobs_->push([](Loop& loop) { loop.stop(); });
  thread_.join();
}

int HttpServer::serve(UniqueFd listener, HttpHandler handler) {
  const int number = next_number_++;
  // std::function wants copies; the descriptor travels in a shared box.
  auto box = std::make_shared<UniqueFd>(std::move(listener));
  jobs_->push([number, box, handler = std::move(handler)](Loop& loop) {
    loop.add(number, std::move(*box), handler);
  });
  return number;
}

void HttpServer::stop_serving(int number) {
  std::promise<void> done;
  jobs_->push([&](Loop& loop) {
    loop.remove(number);
    done.set_value();
  });
  done.get_future().wait();
}

void HttpServer::wake() {
  jobs_->push([](Loop&) {});
}

}  // namespace linsey::sim
