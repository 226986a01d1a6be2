// One round with BIRD, on the supply worker: passwords from their files, the
// configuration brought in line if it is not, then a look at what BIRD does.
// A value in, a value out; nothing of the loop is touched.
#pragma once

#include <optional>

#include "agent/bgp_plan.h"
#include "base/result.h"
#include "bgp/bird_driver.h"

namespace linsey::agent {

struct BirdJob {
  SpeakerPlan plan;
  bgp::BirdPaths paths;
  /// What the last round found in use; the same again is not written anew.
  std::optional<bgp::Speaker> in_use;
};

struct BirdReport {
  std::optional<bgp::Speaker> in_use;  // what a running BIRD now uses
  Result<void> configured;  // kBirdConfigRefused, kInvalidConfig, kIo, …
  Result<bgp::Observed> observed = bgp::Observed{};  // kBirdDown, …
};

/// Thread: a worker; blocks up to a few time-outs of `paths`.
BirdReport run_bird_job(const BirdJob& job);

}  // namespace linsey::agent
