// The token buckets of one pod, both on the host's side, so that nothing in
// the pod can undo them. For this room only.
#pragma once

#include <string>
#include <vector>

#include "datapath/plan.h"
#include "netlink/socket.h"

namespace linsey::datapath {

/// Makes the buckets of `plan` on the host link `index`, and the ifb that the
/// pod's own traffic is led through. An ifb that is there is used again.
Result<void> shape(netlink::Socket& host, const Plan& plan, int index);

/// What differs from the plan's buckets.
Result<std::vector<std::string>> verify_shaping(netlink::Socket& host,
                                                const Plan& plan);

}  // namespace linsey::datapath
