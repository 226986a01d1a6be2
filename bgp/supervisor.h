// The supervisor of BIRD: what keeps it running without losing a route.
//
// BIRD 2.0.12 withdraws everything on SIGTERM, graceful restart or not, so it
// never gets one: its container runs this as its first process. It waits for
// the configuration file (on a cloud node the agent writes none, and nothing
// runs), starts BIRD, and starts it again when it ended, with -R: recover.
// SIGTERM or SIGINT ends BIRD by `graceful restart` over the control socket and
// then itself; SIGHUP restarts BIRD in the same way. A BIRD that does not
// answer gets SIGKILL, which peers take for a crash and also bridge. Rejected:
// runit or a shell, which have only signals.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"

namespace linsey::bgp {

struct SupervisorOptions {
  std::string config_file = "/run/linsey/bird/bird.conf";
  std::string control_socket = "/run/linsey/bird/bird.ctl";
  std::string binary = "bird";
  std::chrono::milliseconds patience{5000};  // for one graceful end
};

/// The command line of BIRD.
std::vector<std::string> bird_argv(const SupervisorOptions& options,
                                   bool recover);

/// Supervises until a SIGTERM or SIGINT. BIRD ran before in this boot when
/// CONFIG_FILE.ran says so; then its first start recovers too. Errors: kIo.
/// Thread: the main one; it takes over signals.
Result<void> supervise(const SupervisorOptions& options);

}  // namespace linsey::bgp
