#include "tests/support/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

#include "base/file.h"
#include "base/result.h"

namespace linsey::tests {
namespace {

std::map<std::string, std::string> parse_query(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const auto part = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const auto equals = part.find('=');
    const auto value =
        equals == std::string_view::npos ? "" : part.substr(equals + 1);
    query[percent_decode(part.substr(0, equals))] = percent_decode(value);
  }
  return query;
}

ServedRequest parse_head(std::string_view head) {
  ServedRequest request;
  const auto first = head.substr(0, head.find("\r\n"));
  head.remove_prefix(std::min(head.size(), first.size() + 2));
  const auto space = first.find(' ');
  request.method = first.substr(0, space);
  const auto rest = first.substr(space + 1);
  request.target = rest.substr(0, rest.find(' '));
  const auto mark = request.target.find('?');
  request.path = request.target.substr(0, mark);
  if (mark != std::string::npos) {
    request.query =
        parse_query(std::string_view(request.target).substr(mark + 1));
  }
  while (!head.empty()) {
    const auto line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(head.size(), line.size() + 2));
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(), [](unsigned char c) {
      return static_cast<char>(std::tolower(c));
    });
    const auto start = line.find_first_not_of(' ', colon + 1);
    request.headers[name] =
        start == std::string_view::npos ? "" : line.substr(start);
  }
  return request;
}

}  // namespace

std::string percent_decode(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const std::string digits(text.substr(i + 1, 2));
      result += static_cast<char>(std::strtol(digits.c_str(), nullptr, 16));
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

HttpServer::HttpServer(Handler handler)
    : handler_(std::move(handler)),
      listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      stop_(eventfd(0, EFD_CLOEXEC)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_.get(), generic, length) != 0 ||
      listen(listener_.get(), 64) != 0 ||
      getsockname(listener_.get(), generic, &length) != 0) {
    panic("cannot listen on loopback");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::jthread([this] { accept_all(); });
}

HttpServer::~HttpServer() {
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);  // never read: stays ready
  acceptor_.join();
  threads_.clear();
}

std::string HttpServer::url() const {
  return "http://127.0.0.1:" + std::to_string(port_);
}

void HttpServer::accept_all() {
  for (;;) {
    std::array<pollfd, 2> fds{
        {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
    (void)poll(fds.data(), fds.size(), -1);
    if (fds[1].revents != 0) return;
    const int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    ++connections_;
    threads_.emplace_back([this, fd] { serve(fd); });
  }
}

void HttpServer::serve(int fd) {
  const UniqueFd owner(fd);
  std::string buffer;
  while (serve_one(fd, buffer)) {
  }
}

bool HttpServer::fill(int fd, std::string& buffer) const {
  std::array<pollfd, 2> fds{{{fd, POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
  (void)poll(fds.data(), fds.size(), -1);
  if (fds[1].revents != 0) return false;
  std::array<char, 4096> chunk{};
  const ssize_t count = ::read(fd, chunk.data(), chunk.size());
  if (count <= 0) return false;
  buffer.append(chunk.data(), static_cast<std::size_t>(count));
  return true;
}

bool HttpServer::serve_one(int fd, std::string& buffer) {
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!fill(fd, buffer)) return false;
  }
  ServedRequest request = parse_head(std::string_view(buffer).substr(0, end));
  buffer.erase(0, end + 4);
  std::size_t length = 0;
  if (const auto it = request.headers.find("content-length");
      it != request.headers.end()) {
    length = std::strtoul(it->second.c_str(), nullptr, 10);
  }
  while (buffer.size() < length) {
    if (!fill(fd, buffer)) return false;
  }
  request.body = buffer.substr(0, length);
  buffer.erase(0, length);

  ServedReply reply;
  {
    const std::lock_guard lock(handler_mutex_);
    reply = handler_(request);
  }
  return answer(fd, reply);
}

bool HttpServer::answer(int fd, const ServedReply& reply) const {
  if (reply.drop) return false;
  if (reply.hang) {
    pollfd stop{stop_.get(), POLLIN, 0};
    (void)poll(&stop, 1, -1);
    return false;
  }
  std::string text = fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n",
                                 reply.status, reply.body.size());
  for (const auto& [name, value] : reply.headers) {
    text += fmt::format("{}: {}\r\n", name, value);
  }
  text += "\r\n";
  text += reply.cut_at == 0 ? reply.body : reply.body.substr(0, reply.cut_at);
  return write_all(fd, text).has_value() && reply.cut_at == 0;
}

}  // namespace linsey::tests
