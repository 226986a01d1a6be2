// Throttling: calls of one action are counted in whole minutes of the wall
// clock and refused above the limit until the minute ends, as the API does it;
// the headers tell how much is left.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "lab/sim/knobs.h"
#include "lab/sim/wall_time.h"

namespace linsey::sim {

struct MinuteCount {
  std::int64_t minute = -1;
  unsigned calls = 0;
};

/// The knob's fault when this call is one too many. Adds the rate header when
/// the action has a limit.
Fault throttled(const ActionKnobs& knobs, MinuteCount& count, WallTime wall,
                std::map<std::string, std::string>& headers);

}  // namespace linsey::sim
