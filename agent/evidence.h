// Evidence: looks at the machine for agent/node_kind. May wait for a metadata
// service that does not answer, so it runs on a worker.
#pragma once

#include <optional>

#include "agent/node_kind.h"
#include "conf/agent_config.h"

namespace linsey::agent {

/// Reads DMI and, where ask_metadata says so, asks the metadata service for
/// the instance's id. What cannot be had is silence, never an error.
/// Thread: any. Cost: up to twice `sources.timeout`.
Observed gather(const conf::Evidence& sources,
                std::optional<conf::Mode> intent);

}  // namespace linsey::agent
