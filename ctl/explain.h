// `linseyctl pod explain`: the agent's answer about one pod, for people. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "ctl/report.h"

namespace linsey::ctl {

/// Of /v1/explain. Findings: the pod has no address. Read tolerantly, as all
/// views are (ctl/report.h).
Report explain_report(const nlohmann::json& answer);

}  // namespace linsey::ctl
