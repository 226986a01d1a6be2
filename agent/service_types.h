// What Service is given and what it is asked: plain values, so that tests put
// fakes with memory behind it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/loop.h"
#include "agent/metrics.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"
#include "conf/agent_config.h"
#include "ipam/ledger.h"
#include "ipam/types.h"
#include "rpc/message.h"

namespace linsey::agent {

/// What is to be taken off the kernel for a release.
struct Teardown {
  ipam::AttachmentKey key;
  ipam::Pod pod;
  int link_index = 0;             // as the plugin saw it; 0: none
  std::vector<IpAddr> addresses;  // what the ledger says it holds
};

/// Answers with the addresses that had a route of ours to the link.
using TeardownDone =
    std::function<void(const Result<std::vector<IpAddr>>& seen)>;

/// The ports that attachments have open on the host (agent/host_ports.h); by
/// default there are none.
struct PortHooks {
  /// Opens them before an ADD is answered; does nothing for one without.
  std::function<Result<void>(const ipam::Held&)> open = [](const ipam::Held&) {
    return Result<void>();
  };
  /// Closes them before the path is taken down.
  std::function<Result<void>(const ipam::AttachmentKey&)> close =
      [](const ipam::AttachmentKey&) { return Result<void>(); };
};

/// What CHECK reads without asking us (rpc/held_table.h); by default nothing.
struct HeldHooks {
  /// After an ADD was answered.
  std::function<void(const ipam::Held&)> put = [](const ipam::Held&) {};
  /// Before the path is taken down.
  std::function<void(const ipam::AttachmentKey&)> drop =
      [](const ipam::AttachmentKey&) {};
};

struct ServiceDeps {
  Loop& loop;
  const Clock& clock;
  ipam::Ledger& ledger;
  Metrics& metrics;
  const conf::AgentConfig& config;
  /// Saves what changed in the ledger (ipam::Store::save).
  std::function<Result<void>()> save;
  /// Takes the path down and calls back when the link is gone from view.
  std::function<void(const Teardown&, TeardownDone)> take_down;
  /// Removes links of ours that neither the ledger nor `keep` knows, as
  /// (container id, ifname). Part of GC.
  std::function<void(const std::set<std::pair<std::string, std::string>>& keep,
                     std::function<void(const Result<void>&)> done)>
      sweep = [](const auto&, const auto& done) { done({}); };
  PortHooks ports = {};
  HeldHooks held = {};
  /// An ADD begins: its links are being made.
  std::function<void()> allocating = [] {};
  /// Addresses that nobody holds any more: the kernel forgets their flows.
  std::function<void(const std::vector<IpAddr>&)> forget =
      [](const std::vector<IpAddr>&) {};
  /// An ADD was refused: told to the pod. Must be cheap.
  std::function<void(const ipam::Attachment&, const Error&)> refused =
      [](const ipam::Attachment&, const Error&) {};
};

/// What this node is, as far as it is decided.
struct Standing {
  std::string mode;                 // "bgp", "eni", "" while unknown
  std::string why;                  // how it was decided
  std::optional<Error> quarantine;  // set: no address is given
};

/// One ADD. `reply` returns false when nobody is there to hear it.
struct AllocateCall {
  std::uint64_t ticket = 0;
  ipam::Attachment attachment;
  std::optional<Duration> patience;  // how long the client waits, if it says
  std::optional<Instant> asked_at;   // when it began, if it says
  std::function<bool(const Result<rpc::Lease>&)> reply;
};

}  // namespace linsey::agent
