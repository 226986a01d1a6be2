// linseyctl preflight: gathers a plan from a file, from the agent's
// configuration and from this node, has conf/preflight.h judge it, prints.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "conf/preflight.h"
#include "ctl/report.h"

namespace linsey::ctl {

struct PreflightOptions {
  std::string plan_file;    // empty: none
  std::string config_file;  // empty: none
  bool node = false;        // look at this machine too
  std::string root;         // its files are below this
  bool all = false;         // list what holds and every pair
  bool json = false;
};

/// Findings: anything that speaks against the plan. Errors: a file that cannot
/// be read or is no plan.
Result<Report> preflight(const PreflightOptions& options);

/// What this machine shows: plugins, conflists, mounts, kernel features.
std::vector<conf::Check> examine_node(const std::string& root,
                                      const conf::AgentConfig& config);

}  // namespace linsey::ctl
