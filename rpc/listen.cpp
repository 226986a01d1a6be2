#include "rpc/listen.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/file.h"

namespace linsey::rpc {
namespace {

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return make_error(Code::kIo,
                      "the socket path {} is longer than {} bytes; shorten it",
                      path, sizeof address.sun_path - 1);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<void> prepare_directory(const std::string& path) {
  TRY(make_directories(path, 0700));
  struct stat st {};
  if (lstat(path.c_str(), &st) != 0) {
    return errno_error(errno, fmt::format("look at {}", path));
  }
  if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
    return make_error(Code::kPermission,
                      "{} is not a directory of user {}; remove it", path,
                      geteuid());
  }
  if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return make_error(Code::kPermission,
                      "others may write to {}; chmod it to 0700", path);
  }
  // A hostPath of type DirectoryOrCreate is made 0755 by kubelet.
  if ((st.st_mode & 0077U) != 0 && chmod(path.c_str(), 0700) != 0) {
    return errno_error(errno, fmt::format("chmod {}", path));
  }
  return {};
}

Result<void> refuse_live_socket(const std::string& path) {
  struct stat st {};
  if (lstat(path.c_str(), &st) != 0) {
    if (errno == ENOENT) return {};
    return errno_error(errno, fmt::format("look at {}", path));
  }
  if (!S_ISSOCK(st.st_mode)) {
    return make_error(Code::kIo, "{} is no socket; remove it", path);
  }
  const sockaddr_un address = TRY(unix_address(path));
  const UniqueFd probe(
      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int rc = connect(
      probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (rc == 0 || errno == EAGAIN) {  // EAGAIN: listened on, backlog full
    return make_error(Code::kTryAgainLater,
                      "another process listens on {}; stop it first", path);
  }
  return {};
}

}  // namespace

Result<UniqueFd> listen_unix(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) {
    return make_error(Code::kIo, "{} must lie in a directory of its own", path);
  }
  TRY(context(prepare_directory(path.substr(0, slash)), "listen on {}", path));
  TRY(refuse_live_socket(path));
  const std::string temporary = fmt::format("{}.{}", path, getpid());
  const sockaddr_un address = TRY(unix_address(temporary));
  TRY(remove_file(temporary));
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error(errno, "open a Unix socket");
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
           sizeof address) != 0) {
    return errno_error(errno, fmt::format("bind {}", temporary));
  }
  if (chmod(temporary.c_str(), 0600) != 0 ||
      ::listen(fd.get(), kBacklog) != 0 ||
      rename(temporary.c_str(), path.c_str()) != 0) {
    const int number = errno;
    (void)remove_file(temporary);
    return errno_error(number, fmt::format("listen on {}", path));
  }
  return fd;
}

Result<UniqueFd> listen_on_tcp(const IpAddr& address, std::uint16_t port) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (address.is_v4()) {
    auto& in = reinterpret_cast<sockaddr_in&>(storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::ranges::copy(address.bytes(),
                      reinterpret_cast<std::uint8_t*>(&in.sin_addr));
    size = sizeof in;
  } else {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(storage);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    std::ranges::copy(address.bytes(), in6.sin6_addr.s6_addr);
    size = sizeof in6;
  }
  UniqueFd fd(
      socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error(errno, "open a TCP socket");
  const int on = 1;
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return errno_error(
        errno, fmt::format("listen on {} port {}", address.to_string(), port));
  }
  return fd;
}

bool peer_is_trusted(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == geteuid();
}

std::uint64_t inode_of(const std::string& path) {
  struct stat st {};
  return lstat(path.c_str(), &st) == 0 ? st.st_ino : 0;
}

}  // namespace linsey::rpc
