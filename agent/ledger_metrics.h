// What Prometheus reads of the ledger and of the agent as a whole. The values
// are taken when somebody asks, so that no request pays for them.
#pragma once

#include <functional>
#include <string>

#include "agent/loop.h"
#include "agent/metrics.h"
#include "base/clock.h"
#include "ipam/ledger.h"

namespace linsey::agent {

struct LedgerMetricsDeps {
  Metrics& metrics;
  const ipam::Ledger& ledger;
  const Clock& clock;
  const Loop& loop;
  std::function<std::string()> mode;
};

/// Registers the metrics; what is referenced outlives `metrics`.
void describe_ledger(const LedgerMetricsDeps& deps);

/// The block, or of "vsw-…/eni-…" the vSwitch: few, and known to operators.
std::string pool_of(const std::string& source);

}  // namespace linsey::agent
