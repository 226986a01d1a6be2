// Supplier: where this node's addresses come from. One for each mode, chosen
// once at start (agent/main.cpp); nothing else asks for the mode.
//
// A supplier feeds the ledger and knows its own outside party (BIRD, or the
// cloud). It runs on the loop; what may block goes to a worker as values in,
// value out. It never answers requests: it says that supply changed, or why
// there is none, and Service does the rest. It saves nothing either: the
// ledger's changes are committed after the turn, with those of the requests.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "agent/claim_desk.h"
#include "agent/loop.h"
#include "agent/metrics.h"
#include "agent/route_drain.h"
#include "agent/worker.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"
#include "conf/agent_config.h"
#include "conf/node.h"
#include "ipam/ledger.h"
#include "ipam/types.h"

namespace linsey::agent {

/// What a supplier says to Service. Thread: the loop.
struct SupplyHooks {
  /// Addresses came (or are about to be free): waiters are served in order.
  std::function<void()> supply_changed;
  /// No address can be had for the reason given; waiters are answered with it
  /// now. Call it for what only a person can mend or what will last longer
  /// than a request waits; otherwise let health().why speak at the deadline.
  std::function<void(const Error&)> refuse;
};

/// All that a supplier may touch. The referenced objects outlive it. `config`
/// and `node` are replaced in place when they change; see config_changed().
struct SupplierDeps {
  Loop& loop;
  const Clock& clock;
  ipam::Ledger& ledger;
  const conf::AgentConfig& config;
  const conf::Node& node;
  /// The thread of the mode's slow party: BIRD, or the cloud.
  Worker& worker;
  Metrics& metrics;
  SupplyHooks hooks;
  /// For blocks that are claimed in the API server; closed otherwise.
  ClaimDesk claims = {};
};

/// What a supplier tells about itself, for STATUS, metrics and linseyctl.
struct Health {
  bool ready = false;
  Error why;  // not ready: the true reason; else kEniNotReady for what is
              // on its way, if anything is
  std::string zone;  // eni mode
};

class Supplier {
 public:
  virtual ~Supplier() = default;

  /// Begins: puts what the node already has into the ledger, asks its party
  /// for the rest. Returns at once; never blocks the loop.
  virtual void start() = 0;

  /// `waiting` requests found no free address. The supplier gets more, or
  /// calls the refuse hook with the reason. Called again whenever the number
  /// of waiters grows.
  virtual void need(std::size_t waiting) = 0;

  /// An address went back to the ledger (it is cooling now).
  virtual void on_released(const IpAddr& address) = 0;

  /// An address was given; the warm pool may want refilling.
  virtual void on_assigned(const IpAddr& address) = 0;

  /// `deps.config` or `deps.node` hold new values, already checked.
  virtual void config_changed() = 0;

  /// Completes an allocation: source, EniPath, node addresses and MTU for the
  /// addresses that the ledger chose. Errors: what makes them unusable now;
  /// the assignment is taken back then.
  virtual Result<ipam::Allocation> complete(
      const std::vector<IpAddr>& addresses) const = 0;

  /// Cost: answered from memory, since STATUS asks every few seconds.
  virtual Health health() const = 0;

  /// Blocks, or ENIs, as one JSON value for /v1/ipam.
  virtual std::string describe() const = 0;

  /// Begins or cancels the drain of this node's routes. Errors: kStateMismatch
  /// where none are announced, kIo.
  virtual Result<void> drain_routes(const DrainWish&) {
    return make_error(Code::kStateMismatch,
                      "this node announces no routes; only nodes of mode bgp "
                      "can drain them");
  }

  /// Looks for routes to all other nodes' blocks; describe() has the result
  /// under "propagation" once its number is at least the one returned. Errors:
  /// kStateMismatch where this cannot be asked.
  virtual Result<std::uint64_t> check_propagation() {
    return make_error(Code::kStateMismatch,
                      "this node learns no routes; only nodes of mode bgp do");
  }

  /// Quiet end: no new work; what the kernel and the cloud have stays.
  virtual void stop() = 0;
};

}  // namespace linsey::agent
