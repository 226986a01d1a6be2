// Daemon: the process that is a lab. It claims the directory, builds the
// world, serves commands, looks after the nodes and, on SIGINT, SIGTERM,
// SIGHUP or `down`, ends everything and leaves nothing. On SIGKILL the kernel
// does the same: see in_namespace.h and lab_directory.h.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "lab/topology.h"

namespace linsey::lab {

struct DaemonOptions {
  std::string directory;       // of this lab: /run/linsey-lab/NAME
  std::string topology;        // JSON text
  std::string name;            // instead of the topology's own
  std::string agent_program;   // linseyd
  std::string plugin_program;  // linsey
};

struct DaemonHooks {
  std::function<void(const std::string&)> progress;
  std::function<void()> up;  // everything is started and commands are served
};

/// Runs a lab to its end. Errors: what kept it from coming up.
/// Thread: the process's only one at the time of the call.
Result<void> run_daemon(const DaemonOptions& options, const DaemonHooks& hooks);

/// /run/linsey-lab/NAME/control.sock
inline std::string control_socket(const std::string& directory) {
  return directory + "/control.sock";
}

}  // namespace linsey::lab
