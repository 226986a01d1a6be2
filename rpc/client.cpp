#include "rpc/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/fd.h"
#include "rpc/http.h"

namespace linsey::rpc {
namespace {

using std::chrono::milliseconds;

/// Milliseconds left for poll(2), at least 0, rounded up.
int poll_ms(Instant deadline, Instant now) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      std::max(deadline - now, Duration(0)));
  return static_cast<int>(std::min<std::int64_t>(left.count(), 3'600'000));
}

void pause_for(Duration pause) {
  const timespec ts{.tv_sec = pause.count() / 1'000'000'000,
                    .tv_nsec = pause.count() % 1'000'000'000};
  (void)nanosleep(&ts, nullptr);
}

/// Nobody listens, or whoever listened is gone: worth another try.
bool is_absent(int number) {
  return number == ENOENT || number == ECONNREFUSED || number == ECONNRESET ||
         number == EPIPE || number == ENOTDIR || number == EAGAIN;
}

/// One connection of one call. `absent` tells a missing peer from a real
/// error.
class Exchange {
 public:
  Exchange(const std::string& path, Instant deadline)
      : path_(path), deadline_(deadline) {}

  Result<Response> run(const std::string& request,
                       std::function<void()>& meanwhile) {
    TRY(connect());
    TRY(send(request));
    if (meanwhile) std::exchange(meanwhile, {})();
    return receive();
  }
  bool absent() const { return absent_; }

 private:
  Error failed(int number, std::string_view what) {
    absent_ = is_absent(number);
    return errno_error(number, fmt::format("{} {}", what, path_));
  }

  Result<void> connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path) {
      return make_error(Code::kInvalidNetworkConfig,
                        "the socket path {} is longer than {} bytes", path_,
                        sizeof address.sun_path - 1);
    }
    std::memcpy(address.sun_path, path_.data(), path_.size());
    socket_ = UniqueFd(
        ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_) return failed(errno, "open a socket for");
    // EAGAIN: the backlog is full; a Unix socket cannot wait for it.
    if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address),
                  sizeof address) != 0) {
      return failed(errno, "connect to");
    }
    return {};
  }

  Result<void> wait_for(short events) {
    for (;;) {
      pollfd poller{.fd = socket_.get(), .events = events, .revents = 0};
      const int ready = poll(&poller, 1, poll_ms(deadline_, clock_.now()));
      if (ready > 0) return {};
      if (ready == 0) {
        return make_error(Code::kTimeout, "no answer from {} in time", path_);
      }
      if (errno != EINTR) return failed(errno, "wait for");
    }
  }

  Result<void> send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n =
          ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(n));
      } else if (errno == EAGAIN) {
        TRY(wait_for(POLLOUT));
      } else if (errno != EINTR) {
        // The server may have refused early; its answer says why.
        if (errno == EPIPE) return {};
        return failed(errno, "send to");
      }
    }
    return {};
  }

  Result<Response> receive() {
    std::string bytes;
    char chunk[16 << 10];
    for (;;) {
      TRY(wait_for(POLLIN));
      const ssize_t n = ::recv(socket_.get(), chunk, sizeof chunk, 0);
      if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) continue;
        return failed(errno, "receive from");
      }
      if (n == 0 && bytes.empty()) return failed(ECONNRESET, "receive from");
      bytes.append(chunk, static_cast<std::size_t>(n));
      std::optional<Response> response = TRY(parse_response(bytes, n == 0));
      if (response) return std::move(*response);
    }
  }

  const std::string& path_;
  SteadyClock clock_;
  Instant deadline_;
  UniqueFd socket_;
  bool absent_ = false;
};

}  // namespace

Result<std::string> Client::call(std::string_view method,
                                 const std::string& path, std::string body,
                                 const std::function<void()>& meanwhile) {
  std::function<void()> once = meanwhile;
  const SteadyClock clock;
  const Instant start = clock.now();
  const Instant deadline = start + options_.timeout;
  const Instant give_up =
      start + std::min(options_.connect_wait, options_.timeout);
  Request request{.method = std::string(method),
                  .path = path,
                  .body = std::move(body),
                  .protocol = kProtocol,
                  .began = start};
  constexpr Duration kLongestPause = milliseconds(100);
  for (Duration pause = milliseconds(2);;
       pause = std::min(pause * 2, kLongestPause)) {
    request.timeout = std::chrono::milliseconds(poll_ms(deadline, clock.now()));
    Exchange exchange(options_.socket, deadline);
    Result<Response> response = exchange.run(format_request(request), once);
    if (response && response->status == 200) return std::move(response->body);
    if (response) return parse_error(response->body);
    if (!exchange.absent()) return response.error();
    if (clock.now() + pause > give_up) {
      return Error{Code::kAgentDown,
                   fmt::format("the agent does not answer at {}: {}",
                               options_.socket, response.error().msg),
                   response.error().details};
    }
    pause_for(pause);
  }
}

Result<std::string> Client::get(const std::string& path) {
  return call("GET", path, {});
}

Result<std::string> Client::post(const std::string& path, std::string body) {
  return call("POST", path, std::move(body));
}

Result<Lease> Client::allocate(const ipam::Attachment& attachment,
                               const std::function<void()>& meanwhile) {
  return parse_lease(
      TRY(call("POST", "/v1/allocate", to_json(attachment), meanwhile)));
}

Result<void> Client::release(const ReleaseRequest& request) {
  TRY(post("/v1/release", to_json(request)));
  return {};
}

Result<ipam::Held> Client::check(const ipam::AttachmentKey& key) {
  return parse_held(
      TRY(post("/v1/check", fmt::format(R"({{"key":{}}})", to_json(key)))));
}

Result<GcReply> Client::gc(const GcRequest& request) {
  return parse_gc_reply(TRY(post("/v1/gc", to_json(request))));
}

Result<Status> Client::status() {
  return parse_status(TRY(get("/v1/status")));
}

}  // namespace linsey::rpc
