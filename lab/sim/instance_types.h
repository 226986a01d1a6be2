// The instance types whose ENI limits are published; a test may add others.
#pragma once

#include <vector>

#include "lab/sim/types.h"

namespace linsey::sim {

std::vector<InstanceTypeSpec> known_instance_types();

}  // namespace linsey::sim
