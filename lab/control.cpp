#include "lab/control.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/log.h"

namespace linsey::lab {
namespace {

constexpr std::size_t kLongestLine = std::size_t{16} << 20;

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  if (path.size() >= sizeof out.sun_path) {
    return make_error(
        Code::kIo, "{} is too long for a socket; choose a shorter --dir", path);
  }
  std::memcpy(out.sun_path, path.data(), path.size());
  return out;
}

/// Sends one line, with `fd` along when it is one.
Result<void> send_line(int socket, const Json& json, int fd = -1) {
  std::string line = dump_json(json) + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    iovec part{const_cast<char*>(rest.data()), rest.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (fd >= 0) {
      message.msg_control = space.data();
      message.msg_controllen = space.size();
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof fd);
      std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    const ssize_t n = sendmsg(socket, &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "write to the control socket");
    rest.remove_prefix(static_cast<std::size_t>(n));
    fd = -1;
  }
  return {};
}

UniqueFd received_fd(msghdr& message) {
  UniqueFd out;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    out = UniqueFd(fd);
  }
  return out;
}

/// Reads lines; what is behind the last newline waits for the next call.
class LineReader {
 public:
  explicit LineReader(int socket) : socket_(socket) {}

  Result<std::string> next() {
    while (true) {
      const auto end = buffer_.find('\n');
      if (end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      TRY(fill());
    }
  }
  UniqueFd take_fd() { return std::move(fd_); }

 private:
  Result<void> fill() {
    std::array<char, 16384> data{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
    iovec part{data.data(), data.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = space.data();
    message.msg_controllen = space.size();
    const ssize_t n = recvmsg(socket_, &message, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR) return {};
    if (n < 0) return errno_error(errno, "read from the control socket");
    if (n == 0) return make_error(Code::kIo, "the other side went away");
    if (UniqueFd fd = received_fd(message)) fd_ = std::move(fd);
    buffer_.append(data.data(), static_cast<std::size_t>(n));
    if (buffer_.size() > kLongestLine) {
      return make_error(Code::kDecode, "a control line is too long");
    }
    return {};
  }

  int socket_;
  std::string buffer_;
  UniqueFd fd_;
};

Json error_json(const Error& error) {
  return {{"code", name(error.code)},
          {"msg", error.msg},
          {"details", error.details}};
}

Error error_of(const Json& json) {
  const auto code = code_from_name(json.value("code", std::string()));
  return {code.value_or(Code::kInternal), json.value("msg", std::string()),
          json.value("details", std::string())};
}

Result<Answer> ask_handler(LineReader& reader, int socket,
                           const Handler& handler) {
  const Json request = TRY(parse_json(TRY(reader.next())));
  const Progress progress = [socket](const std::string& text) {
    // A command that went away does not stop what it began.
    (void)send_line(socket, Json{{"progress", text}});
  };
  return handler(request, progress);
}

void serve_one(const UniqueFd& socket, const Handler& handler) {
  LineReader reader(socket.get());
  const Result<Answer> answer = ask_handler(reader, socket.get(), handler);
  const Result<void> sent =
      answer ? send_line(socket.get(), Json{{"result", *answer->result}},
                         answer->fd.get())
             : send_line(socket.get(),
                         Json{{"error", error_json(answer.error())}});
  if (!sent) log::debug("a command went away: {}", to_string(sent.error()));
}

}  // namespace

ControlServer::ControlServer(UniqueFd listener, Handler handler)
    : listener_(std::move(listener)),
      stop_(eventfd(0, EFD_CLOEXEC)),
      handler_(std::make_shared<const Handler>(std::move(handler))),
      busy_(std::make_shared<std::atomic<int>>(0)),
      thread_([this] { accept_all(); }) {}

Result<std::unique_ptr<ControlServer>> ControlServer::start(
    const std::string& path, Handler handler) {
  const sockaddr_un address = TRY(unix_address(path));
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return errno_error(errno, "create the control socket");
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
           sizeof address) != 0 ||
      listen(fd.get(), 64) != 0) {
    return errno_error(errno, fmt::format("listen on {}", path));
  }
  return std::unique_ptr<ControlServer>(
      new ControlServer(std::move(fd), std::move(handler)));
}

ControlServer::~ControlServer() {
  stop_accepting();
}

void ControlServer::stop_accepting() {
  const std::uint64_t one = 1;
  // Cannot fail: the counter is far from its end.
  (void)!write(stop_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

void ControlServer::accept_all() {
  std::array<pollfd, 2> polls{
      {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
  while (true) {
    if (poll(polls.data(), polls.size(), -1) < 0) continue;
    if (polls[1].revents != 0) return;
    UniqueFd peer(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer) continue;
    busy_->fetch_add(1);
    std::thread([peer = std::move(peer), handler = handler_, busy = busy_] {
      serve_one(peer, *handler);
      busy->fetch_sub(1);
    }).detach();
  }
}

Result<ControlClient> ControlClient::connect(const std::string& path) {
  const sockaddr_un address = TRY(unix_address(path));
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return errno_error(errno, "create a socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof address) != 0) {
    return make_error(Code::kNotAvailable,
                      "no lab listens on {} ({}); start one by `linsey-lab up`",
                      path, std::strerror(errno));
  }
  ucred peer{};
  socklen_t length = sizeof peer;
  if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
    return errno_error(errno, "ask who listens on the control socket");
  }
  return ControlClient(std::move(fd), peer.pid);
}

Result<Answer> ControlClient::call(const Json& request,
                                   const Progress& progress) {
  TRY(send_line(fd_.get(), request));
  LineReader reader(fd_.get());
  while (true) {
    const Json line = TRY(parse_json(TRY(reader.next())));
    if (const Json* error = find_member(line, "error")) return error_of(*error);
    if (const Json* result = find_member(line, "result")) {
      return Answer{std::make_shared<const Json>(*result), reader.take_fd()};
    }
    if (progress) progress(line.value("progress", std::string()));
  }
}

}  // namespace linsey::lab
