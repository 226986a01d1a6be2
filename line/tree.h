// One direction's tree on its ifb. For this room only.
#pragma once

#include "line/changes.h"
#include "line/plan.h"

namespace linsey::line {

/// Makes the tree of ifb `index` what `wanted` says, by difference. Packets of
/// a pod that is new or changes its class go to the node's leaf meanwhile, and
/// so stay within the budget.
Result<void> apply_tree(netlink::Socket& socket, int index, const Tree& wanted,
                        Changes& changes);

}  // namespace linsey::line
