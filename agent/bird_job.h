// One round with BIRD, on the supply worker: passwords from their files, the
// configuration brought in line if it is not, then a look at what BIRD does,
// and whatever it exports beyond our blocks taken back.
// A value in, a value out; nothing of the loop is touched.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/bgp_plan.h"
#include "base/result.h"
#include "bgp/bird_driver.h"
#include "bgp/peer_fault.h"

namespace linsey::agent {

/// The kernel's TCP-MD5 counters from round to round. A router tries again
/// only every few seconds, so evidence stays for some rounds.
struct Md5Watch {
  bgp::Md5Counters counters;
  bgp::Md5Evidence seen;
  unsigned quiet_rounds = 0;
};

struct BirdJob {
  SpeakerPlan plan;
  bgp::BirdPaths paths;
  /// What the last round found in use; the same again is not written anew.
  std::optional<bgp::Speaker> in_use;
  std::optional<Md5Watch> md5;  // of the last round
  std::vector<Cidr> foreign;    // other nodes' blocks to look for
};

struct BirdReport {
  std::optional<bgp::Speaker> in_use;  // what a running BIRD now uses
  Result<void> configured;  // kBirdConfigRefused, kInvalidConfig, kIo, …
  Result<bgp::Observed> observed = bgp::Observed{};  // kBirdDown, …
  /// What was exported beyond our blocks, and is withdrawn now.
  std::vector<bgp::Violation> violations;
  std::map<std::string, Error> faults;  // by protocol name
  std::optional<Md5Watch> md5;
  /// Of `foreign`: no route leads there.
  Result<std::vector<Cidr>> unknown = std::vector<Cidr>();
  std::uint64_t pod_packets = 0;  // see route_drain.h
};

/// Thread: a worker; blocks up to a few time-outs of `paths`.
BirdReport run_bird_job(const BirdJob& job);

}  // namespace linsey::agent
