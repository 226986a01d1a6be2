// Forgetter: has the kernel forget flows of addresses that were given back and
// of UDP ports that were just mapped, before their cool-down can end. A walk of
// the connection table costs the kernel 10 ms and more, however few entries
// there are, so one serves all that came within `gather` or while the last one
// ran. A port's flows go astray until it is done: that waits for nothing.
//
// A walk that failed is repeated a little later, twice at most, so that it can
// never meet the address's next holder. Where the kernel refuses for good the
// cool-down must do alone; it is warned of when that is too short for it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agent/loop.h"
#include "agent/metrics.h"
#include "agent/worker.h"
#include "base/clock.h"
#include "base/ip.h"
#include "netlink/conntrack.h"

namespace linsey::agent {

struct ForgetterDeps {
  Loop& loop;
  Worker& worker;
  Metrics& metrics;
  std::function<Duration()> cool_down;
  /// How long an address may wait for others; far below any cool-down.
  std::function<Duration()> gather;
  /// How long an unanswered connection lives, in seconds; not there: the
  /// kernel tracks none.
  std::string syn_sent_file =
      "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_syn_sent";
  std::function<Result<std::size_t>(const netlink::Stale&)> forget =
      netlink::forget_connections;
};

class Forgetter {
 public:
  explicit Forgetter(ForgetterDeps deps);
  ~Forgetter();
  Forgetter(const Forgetter&) = delete;
  Forgetter& operator=(const Forgetter&) = delete;

  void forget(const std::vector<IpAddr>& addresses);
  void forget_udp(std::uint16_t port);
  /// False once the kernel has refused: the cool-down must do alone then.
  bool possible() const { return possible_; }

 private:
  void run_in(Duration delay);
  void run();
  void ended();
  void failed(netlink::Stale stale, const Error& error);
  void warn(const Error& error) const;

  ForgetterDeps deps_;
  netlink::Stale waiting_;
  bool running_ = false;  // or about to be repeated
  bool possible_ = true;
  unsigned failures_ = 0;    // in a row
  Loop::TimerId timer_ = 0;  // a walk is to come
};

}  // namespace linsey::agent
