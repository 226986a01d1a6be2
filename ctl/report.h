// What linseyctl prints for people, made of what the agent answers. Pure.
//
// The agent's views are read tolerantly: a field that is absent shows as "-",
// one that is new is left out, so that an older linseyctl still helps. What
// the supplier says about itself (blocks, peers, ENIs) is shown by its shape:
// every list of objects becomes a table, every plain value a line.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "rpc/message.h"

namespace linsey::ctl {

/// A text and whether it holds something that somebody should look at.
struct Report {
  std::string text;
  bool findings = false;
};

/// Findings: the node is not ready.
Report status_report(const rpc::Status& status);

/// The view /v1/ipam. `all`: free addresses too, not only their number.
Report ipam_report(const nlohmann::json& view, bool all);

/// The view /v1/node, and `supply` of /v1/ipam. Findings: quarantine, evidence
/// against the mode, a refused document.
Report node_report(const nlohmann::json& node, const nlohmann::json& supply);

/// `propagation` of the supply. Findings: blocks without a route.
Report check_report(const nlohmann::json& check);

}  // namespace linsey::ctl
