// How an ENI looks in replies.
#pragma once

#include "base/json.h"
#include "lab/sim/actions.h"

namespace linsey::sim {

/// As CreateNetworkInterface answers.
Json created_json(const Desk& desk, const Eni& eni);
/// As an entry of DescribeNetworkInterfaces.
Json described_json(const Desk& desk, const Eni& eni);
/// As an entry of DescribeInstances' NetworkInterfaces.
Json instance_eni_json(const Eni& eni);

}  // namespace linsey::sim
