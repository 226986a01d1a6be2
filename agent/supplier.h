// Supplier: where this node's addresses come from. One for each mode, chosen
// once at start (agent/main.cpp); nothing else asks for the mode.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "ipam/types.h"

namespace linsey::agent {

/// What a supplier tells about itself, for STATUS, metrics and linseyctl.
struct Health {
  bool ready = false;
  Error why;         // when not ready: the true reason, with its remedy
  std::string zone;  // eni mode
};

class Supplier {
 public:
  virtual ~Supplier() = default;

  /// Begins: puts what the node already has into the ledger, asks its party
  /// for the rest. Returns at once; never blocks the loop.
  virtual void start() = 0;

  /// `waiting` requests found no free address. The supplier gets more, or
  /// calls Service's refuse hook with the reason.
  virtual void need(std::size_t waiting) = 0;

  /// An address went back to the ledger (it is cooling now).
  virtual void on_released(const IpAddr& address) = 0;

  /// Completes an allocation: source, EniPath, node addresses and MTU for the
  /// addresses that the ledger chose.
  virtual Result<ipam::Allocation> complete(
      const std::vector<IpAddr>& addresses) const = 0;

  virtual Health health() const = 0;

  /// Blocks, or ENIs, as JSON text for /v1/ipam.
  virtual std::string describe() const = 0;

  /// Quiet end: no new work; what the kernel and the cloud have stays.
  virtual void stop() = 0;
};

}  // namespace linsey::agent
