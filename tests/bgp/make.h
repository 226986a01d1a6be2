// A speaker to start from.
#pragma once

#include <string_view>

#include "bgp/bird_config.h"

namespace linsey::tests {

inline IpAddr ip(std::string_view text) {
  return *IpAddr::parse(text);
}
inline Cidr cidr(std::string_view text) {
  return *Cidr::parse(text);
}

inline bgp::Peer peer(const std::string& name, std::string_view address,
                      std::uint32_t as_number) {
  bgp::Peer peer;
  peer.name = name;
  peer.address = ip(address);
  peer.as_number = as_number;
  return peer;
}

inline bgp::Speaker speaker() {
  bgp::Speaker speaker;
  speaker.router_id = ip("10.0.1.11");
  speaker.as_number = 64512;
  speaker.node_addresses = {ip("10.0.1.11")};
  return speaker;
}

}  // namespace linsey::tests
