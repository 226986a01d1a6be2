// SocketAddress: an IpAddr and a port in the shape the socket calls want.
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "base/ip.h"

namespace linsey::lab {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
};

SocketAddress socket_address(const IpAddr& address, std::uint16_t port);

}  // namespace linsey::lab
