#include "tests/ctl/fake_agent.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>

#include "base/file.h"
#include "base/result.h"

namespace linsey::tests {
namespace {

void must(bool holds, const char* what) {
  if (!holds) panic(what);
}

}  // namespace

FakeAgent::FakeAgent(std::string socket,
                     std::map<std::string, rpc::Response> answers)
    : answers_(std::move(answers)),
      listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  must(socket.size() < sizeof address.sun_path, "socket path too long");
  std::memcpy(address.sun_path, socket.data(), socket.size());
  must(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address),
              sizeof address) == 0,
       "bind");
  must(::listen(listener_.get(), 8) == 0, "listen");
  thread_ = std::thread([this] { serve(); });
}

FakeAgent::~FakeAgent() {
  // Wakes accept(), which closing alone would not.
  (void)::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
}

void FakeAgent::serve() {
  for (;;) {
    const UniqueFd peer(
        ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer) return;
    answer(peer.get());
  }
}

void FakeAgent::answer(int fd) const {
  std::string bytes;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got <= 0) return;
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
    const auto request = rpc::parse_request(bytes);
    if (!request) return;
    if (!request->has_value()) continue;
    const auto found = answers_.find((*request)->path);
    const rpc::Response response =
        found != answers_.end()
            ? found->second
            : rpc::failure(make_error(Code::kDecode, "no such path: {}",
                                      (*request)->path));
    (void)write_all(fd, rpc::format_response(response));
    return;
  }
}

}  // namespace linsey::tests
