// Cloud knobs by name: what `linsey-lab fault KEY=VALUE` can turn.
#pragma once

#include <string>

#include "base/result.h"
#include "lab/sim/knobs.h"

namespace linsey::lab {

/// Checks and sets one. Keys: attach, detach, delete, eni-lag, address-lag (a
/// duration); stick-attaches, stick-detaches, stick-deletes, fail-attaches (a
/// count); hardened, metadata-off (true, false); full.VSWITCH (an error code,
/// or none); and for each API action ACTION.latency, ACTION.per-minute,
/// ACTION.lose-replies, ACTION.lose-requests, ACTION.denied, ACTION.refuse (an
/// error code, once). Errors: kUnsupportedField, kInvalidConfig.
Result<void> turn_knob(sim::Knobs& knobs, const std::string& key,
                       const std::string& value);

}  // namespace linsey::lab
