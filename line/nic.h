// Our filters on one NIC. For this room only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "line/changes.h"
#include "line/plan.h"

namespace linsey::line {

struct Nic {
  int index = 0;
  std::string name;
};

/// Where the filters of a direction have their place on a NIC.
struct Place {
  std::uint32_t parent = 0;
  bool clsact_missing = false;
};

/// Errors: kLineQdiscConflict, which names NIC and direction; as Socket::run.
Result<Place> find_place(netlink::Socket& socket, const Nic& nic,
                         Direction direction);

struct NicDirection {
  Nic nic;
  Direction direction = Direction::kDown;
  Place place;
  int ifb = 0;
  std::uint16_t preference = 0;  // line.preference
};

/// Makes our filters of one direction what `wanted` says. Errors:
/// kLineQdiscConflict when a filter of others would come behind ours; ours are
/// taken off then, so that theirs goes on as before. As Socket::run.
Result<void> apply_filters(netlink::Socket& socket, const NicDirection& at,
                           const std::vector<netlink::U32Filter>& wanted,
                           Changes& changes);

/// Takes all filters of ours off, and the clsact when `with_clsact` and nobody
/// has joined it. Links that are gone are fine.
Result<void> clear_nic(netlink::Socket& socket, int index, bool with_clsact);

}  // namespace linsey::line
