// What a test may turn while the simulated cloud runs. Everything here stands
// for something the real cloud does without promising when or whether.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "lab/sim/types.h"

namespace linsey::sim {

struct ActionKnobs {
  Duration reply_latency{0};
  /// Calls per whole minute, 0: no limit. What is above is refused with
  /// `throttle`, whose spelling a test may choose.
  unsigned per_minute = 0;
  Fault throttle{400, "Throttling.User",
                 "Request was denied due to user flow control."};
  unsigned lose_replies = 0;   // next N: done, but the connection is dropped
  unsigned lose_requests = 0;  // next N: dropped before anything was done
  std::vector<Fault> refuse;   // the next calls get these, first to last
  bool denied = false;         // RAM says no
};

struct Knobs {
  // Asynchronous steps; a stuck detach or delete stays until it is issued
  // again, a stuck attach until the cloud goes on.
  Duration attach_time{0};
  Duration detach_time{0};
  Duration delete_time{0};
  unsigned stick_attaches = 0;
  unsigned stick_detaches = 0;
  unsigned stick_deletes = 0;
  unsigned fail_attaches = 0;  // fall back to Available

  // Metadata service.
  Duration eni_lag{0};      // a new MAC appears that much after InUse
  Duration address_lag{0};  // a new address appears that much later
  bool hardened = false;    // only with a token
  bool metadata_off = false;

  // Limits.
  unsigned enis_per_region = 1000;
  unsigned addresses_per_assign = 10;
  Duration time_window = std::chrono::minutes(15);

  /// vSwitches that are full whatever the books say, and what they answer:
  /// "InvalidVSwitchId.IpNotEnough" or "QuotaExceeded.PrivateIpAddress".
  std::map<std::string, std::string> exhausted;
  /// True: the good part of an Unassign list is done although one address
  /// was none of the ENI's (the real behaviour is not documented).
  bool unassign_partly = false;
  /// True: a token whose first call failed answers IdempotentFailed.
  bool remember_failures = false;

  std::map<std::string, ActionKnobs> actions;
};

}  // namespace linsey::sim
