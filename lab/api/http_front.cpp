#include "lab/api/http_front.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "lab/sim/http_parse.h"

namespace linsey::lab::api {
namespace {

using Ssl = std::unique_ptr<SSL, decltype(&SSL_free)>;

Error tls_error(const char* what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  return make_error(Code::kInternal, "{}: {}", what, text.data());
}

Result<std::shared_ptr<SSL_CTX>> make_context(const Identity& identity) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()),
                                   SSL_CTX_free);
  if (!context) return tls_error("make a TLS context");
  const auto pem = [](const std::string& text) {
    return std::unique_ptr<BIO, decltype(&BIO_free)>(
        BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
  };
  X509* certificate = PEM_read_bio_X509(pem(identity.cert_pem).get(), nullptr,
                                        nullptr, nullptr);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(pem(identity.key_pem).get(), nullptr,
                                          nullptr, nullptr);
  const bool good = certificate != nullptr && key != nullptr &&
                    SSL_CTX_use_certificate(context.get(), certificate) == 1 &&
                    SSL_CTX_use_PrivateKey(context.get(), key) == 1;
  X509_free(certificate);
  EVP_PKEY_free(key);
  if (!good) return tls_error("use the server's certificate");
  return context;
}

Call call_of(const sim::HttpRequest& request) {
  Call call{.method = request.method, .body = request.body};
  read_target(request.path + "?" + request.query, call);
  const auto header = [&](const char* name) {
    const auto found = request.headers.find(name);
    return found == request.headers.end() ? std::string() : found->second;
  };
  call.content_type = header("content-type");
  const std::string bearer = header("authorization");
  if (bearer.starts_with("Bearer ")) call.token = bearer.substr(7);
  return call;
}

std::string text_of(const kube::Response& response) {
  sim::HttpResponse out{.status = response.status,
                        .content_type = "application/json",
                        .body = response.body};
  const auto wait = response.headers.find("retry-after");
  if (wait != response.headers.end()) {
    out.headers["Retry-After"] = wait->second;
  }
  return sim::to_text(out, false);
}

}  // namespace

struct HttpFront::Connection {
  UniqueFd fd;
  Ssl ssl{nullptr, SSL_free};
  std::atomic<bool> done{false};
  std::thread thread;

  ssize_t read(char* data, std::size_t size) const {
    return ssl ? SSL_read(ssl.get(), data, static_cast<int>(size))
               : recv(fd.get(), data, size, 0);
  }

  bool write(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t sent =
          ssl ? SSL_write(ssl.get(), text.data(), static_cast<int>(text.size()))
              : send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  bool alive() const {
    pollfd wait{fd.get(), POLLRDHUP, 0};
    return poll(&wait, 1, 0) == 0;
  }

  /// The client sees "connection reset" instead of an orderly end.
  void reset() const {
    const linger now{1, 0};
    (void)setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
};

HttpFront::HttpFront(Server& server, UniqueFd listener)
    : server_(server),
      listener_(std::move(listener)),
      stop_(eventfd(0, EFD_CLOEXEC)) {}

Result<std::unique_ptr<HttpFront>> HttpFront::start(Server& server,
                                                    UniqueFd listener,
                                                    const Identity* identity) {
  std::unique_ptr<HttpFront> front(new HttpFront(server, std::move(listener)));
  if (identity != nullptr) front->tls_ = TRY(make_context(*identity));
  front->acceptor_ = std::thread([raw = front.get()] { raw->accept_all(); });
  return front;
}

HttpFront::~HttpFront() {
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);  // never read: stays ready
  if (acceptor_.joinable()) acceptor_.join();
  reap(true);
}

/// Ends threads whose work is done, or all.
void HttpFront::reap(bool all) {
  for (auto at = connections_.begin(); at != connections_.end();) {
    Connection& one = **at;
    if (!all && !one.done) {
      ++at;
      continue;
    }
    {
      const std::lock_guard lock(mutex_);
      if (one.fd) (void)shutdown(one.fd.get(), SHUT_RDWR);
    }
    one.thread.join();
    at = connections_.erase(at);
  }
}

void HttpFront::accept_all() {
  while (true) {
    std::array<pollfd, 2> fds{
        {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
    (void)poll(fds.data(), fds.size(), -1);
    if (fds[1].revents != 0) return;
    UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) continue;
    reap(false);
    const int on = 1;
    (void)setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto made = std::make_unique<Connection>();
    made->fd = std::move(fd);
    Connection& connection = *connections_.emplace_back(std::move(made));
    connection.thread = std::thread([this, &connection] {
      // SSL_write knows no MSG_NOSIGNAL.
      sigset_t pipe;
      (void)sigemptyset(&pipe);
      (void)sigaddset(&pipe, SIGPIPE);
      (void)pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
      talk(connection);
      const std::lock_guard lock(mutex_);
      connection.fd.reset();
      connection.done = true;
    });
  }
}

void HttpFront::hang(Connection& connection) const {
  std::array<pollfd, 2> fds{
      {{connection.fd.get(), POLLRDHUP, 0}, {stop_.get(), POLLIN, 0}}};
  (void)poll(fds.data(), fds.size(), -1);
}

void HttpFront::talk(Connection& connection) {
  if (server_.silent()) return hang(connection);
  if (server_.down()) return connection.reset();
  if (tls_) {
    connection.ssl.reset(SSL_new(tls_.get()));
    if (!connection.ssl ||
        SSL_set_fd(connection.ssl.get(), connection.fd.get()) != 1 ||
        SSL_accept(connection.ssl.get()) != 1) {
      return;
    }
  }
  std::string buffer;
  while (serve_one(connection, buffer)) {
  }
}

/// False when the connection is at its end.
bool HttpFront::serve_one(Connection& connection, std::string& buffer) {
  sim::HttpRequest request;
  sim::Parse parsed = sim::take_request(buffer, request);
  while (parsed == sim::Parse::kMore) {
    std::array<char, 16384> chunk{};
    const ssize_t got = connection.read(chunk.data(), chunk.size());
    if (got <= 0) return false;
    buffer.append(chunk.data(), static_cast<std::size_t>(got));
    parsed = sim::take_request(buffer, request);
  }
  if (parsed == sim::Parse::kBad) return false;
  const Call call = call_of(request);
  if (server_.is_watch(call)) return serve_watch(connection, call);
  const Served served = server_.serve(call);
  switch (served.fate) {
    case Served::Fate::kDrop:
      connection.reset();
      return false;
    case Served::Fate::kHang:
      hang(connection);
      return false;
    case Served::Fate::kReply:
      break;
  }
  return connection.write(text_of(served.response));
}

bool HttpFront::serve_watch(Connection& connection, const Call& call) {
  bool begun = false;
  const auto begin = [&] {
    if (begun) return true;
    begun = true;
    return connection.write(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
  };
  const Listener to{
      .line =
          [&](std::string_view line) {
            return begin() && connection.write(fmt::format(
                                  "{:x}\r\n{}\n\r\n", line.size() + 1, line));
          },
      .alive = [&] { return begin() && connection.alive(); }};
  const Served served = server_.watch(call, to);
  if (served.fate == Served::Fate::kHang) {
    hang(connection);
  } else if (served.fate == Served::Fate::kDrop) {
    connection.reset();
  } else if (served.response.status != 200) {
    return connection.write(text_of(served.response));
  } else {
    (void)(begin() && connection.write("0\r\n\r\n"));
  }
  return false;
}

}  // namespace linsey::lab::api
