// Forgetter: has the kernel forget flows of addresses that were given back and
// of UDP ports that were just mapped. One walk of the connection table serves
// all that came while the last one ran.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/loop.h"
#include "agent/metrics.h"
#include "agent/worker.h"
#include "base/ip.h"
#include "netlink/conntrack.h"

namespace linsey::agent {

class Forgetter {
 public:
  Forgetter(Worker& worker, Metrics& metrics);

  void forget(const std::vector<IpAddr>& addresses);
  void forget_udp(std::uint16_t port);
  /// False once the kernel has refused: the cool-down must do alone then.
  bool possible() const { return possible_; }

 private:
  void run();

  Worker& worker_;
  Metrics& metrics_;
  netlink::Stale waiting_;
  bool running_ = false;
  bool possible_ = true;
};

}  // namespace linsey::agent
