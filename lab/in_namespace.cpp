#include "lab/in_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "base/process.h"
#include "lab/socket_address.h"

namespace linsey::lab {
namespace {

constexpr int kBacklog = 128;

Result<UniqueFd> listen_here(const IpAddr& address, std::uint16_t port) {
  UniqueFd fd(socket(address.is_v4() ? AF_INET : AF_INET6,
                     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error(errno, "create a socket");
  const int on = 1;
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const SocketAddress where = socket_address(address, port);
  if (bind(fd.get(), where.get(), where.length) != 0 ||
      listen(fd.get(), kBacklog) != 0) {
    return errno_error(
        errno, fmt::format("listen on {} port {}", address.to_string(), port));
  }
  return fd;
}

}  // namespace

Result<UniqueFd> listen_inside(const netlink::NetNs& ns, const IpAddr& address,
                               std::uint16_t port) {
  UniqueFd fd;
  TRY(ns.run([&]() -> Result<void> {
    fd = TRY(listen_here(address, port));
    return {};
  }));
  return fd;
}

Result<void> write_sysctls(
    const netlink::NetNs& ns,
    const std::vector<std::pair<std::string, std::string>>& values) {
  return ns.run([&]() -> Result<void> {
    for (const auto& [key, value] : values) {
      TRY(netlink::set_sysctl("net/" + key, value));
    }
    return {};
  });
}

Result<void> ip_batch(const netlink::NetNs& ns, const std::string& lines) {
  Command command;
  command.argv = {"ip", "-batch", "-"};
  command.stdin_data = lines;
  command.netns_fd = ns.fd();
  Result<std::string> done = run_ok(command);
  if (done) return {};
  done.error().details += "; batch: " + lines;
  return std::move(done).error();
}

Result<void> nft(const netlink::NetNs& ns, const std::string& script) {
  Command command;
  command.argv = {"nft", "-f", "-"};
  command.stdin_data = script;
  command.netns_fd = ns.fd();
  Result<std::string> done = run_ok(command);
  if (done) return {};
  done.error().details += "; script: " + script;
  return std::move(done).error();
}

}  // namespace linsey::lab
