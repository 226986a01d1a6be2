// CHECK: does what the runtime was told still hold?
#pragma once

#include <optional>
#include <set>

#include "base/result.h"
#include "datapath/plan.h"
#include "netlink/desired.h"
#include "plugin/call.h"
#include "plugin/result.h"

namespace linsey::plugin {

/// The families that prevResult speaks of: what the pod has of them is to be
/// seen whole.
std::set<Family> families_in(const CniResult& previous);

/// Compares prevResult with what was seen in the pod and with the plan: our
/// interface with its sandbox and MAC, every address on it, every route listed.
/// More in the kernel than was listed is fine, since plugins after us may have
/// added it. Errors: kStateMismatch naming all that differs.
Result<void> compare(const CniResult& previous, const Call& call,
                     const std::optional<netlink::Observed>& pod,
                     const datapath::Plan& plan);

}  // namespace linsey::plugin
