// Values with every field set, for tests of messages and calls.
#pragma once

#include "rpc/message.h"

namespace linsey::tests {

inline ipam::Attachment sample_attachment() {
  return {
      .key = {"net1", "c1", "eth0"},
      .pod = {"shop", "web-0", "8d3a"},
      .netns = "/var/run/netns/cni-1",
      .wanted_ips = {*IpAddr::parse("10.64.0.9"), *IpAddr::parse("fd00::9")},
      .wanted_mac = *Mac::parse("0a:58:0a:40:00:09"),
      .wanted_mtu = 1400,
      .bandwidth = {1'000'000, 4'294'967'295, 2'000'000, 34'359'738'359},
      .port_mappings = {{8080, 80, "tcp", *IpAddr::parse("10.0.1.11")},
                        {5353, 53, "udp", std::nullopt}}};
}

inline ipam::Allocation sample_allocation() {
  return {.addresses = {*IpAddr::parse("10.64.0.9"), *IpAddr::parse("fd00::9")},
          .node_addresses = {*IpAddr::parse("10.0.1.11")},
          .mtu = 1450,
          .eni = ipam::EniPath{.eni_id = "eni-7", .table = 1003},
          .source = "vsw-1/eni-7"};
}

}  // namespace linsey::tests
