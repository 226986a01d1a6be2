// RouteDrain: how a node's routes leave without a lost packet. First they are
// lowered (communities or MED, see bgp.drain), so that routers with another way
// take it; then, when no packet has come or gone for a while or the time is
// over, they are withdrawn. Only an operator begins it (linseyctl node
// drain-routes, or a cordon with bgp.drainOnCordon), never an upgrade or a
// restart. What was begun outlives the agent by a file of the run directory,
// and ends with cancel(), the end of that cordon, or a reboot. One cordon acts
// once: a drain that was cancelled does not come back by a restart.
// Pure but for that file. Thread: the loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "conf/agent_config.h"

namespace linsey::agent {

/// What `linseyctl node drain-routes` asks for.
struct DrainWish {
  bool cancel = false;
  std::optional<Duration> timeout;  // nullopt: that of bgp.drain
};
/// {"cancel": false, "timeoutMs": 5000}. Errors: kDecode.
Result<DrainWish> parse_drain_wish(std::string_view text);

/// Packets over all links to pods, out of the text of /proc/net/dev.
std::uint64_t pod_packets(std::string_view net_dev);

class RouteDrain {
 public:
  enum class State { kOff, kLowered, kWithdrawn };

  explicit RouteDrain(std::string file) : file_(std::move(file)) {}

  /// Takes up what an earlier agent had begun.
  void load(Instant now, const conf::Drain& settings);
  /// Errors: kIo, kDiskFull; nothing is begun then.
  Result<void> begin(Instant now, const conf::Drain& settings);
  Result<void> cancel();
  /// Follows the node's cordon: its beginning begins a drain, its end ends the
  /// one that it began. True: the state changed. Errors: as begin().
  Result<bool> follow_cordon(Instant now, const conf::Drain& settings,
                             bool cordoned);
  /// `packets` as pod_packets() counts them now. True: the state changed.
  bool step(Instant now, std::uint64_t packets);

  State state() const { return state_; }
  bool active() const { return state_ != State::kOff; }
  std::string_view word() const;  // "off", "lowered", "withdrawn"
  /// Why it went on to kWithdrawn: "traffic is gone" or "the time is over".
  const std::string& why() const { return why_; }
  /// A cordon began it.
  bool by_cordon() const { return active() && by_cordon_; }

 private:
  Result<void> save() const;

  std::string file_;
  State state_ = State::kOff;
  bool cordoned_ = false;   // as last followed
  bool by_cordon_ = false;  // what is active was begun by it
  Instant deadline_{};
  Duration quiet_{};
  Instant last_packet_{};
  std::optional<std::uint64_t> packets_;
  std::string why_;
};

}  // namespace linsey::agent
