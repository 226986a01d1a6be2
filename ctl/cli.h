// linseyctl: what operators ask a node's agent, over its socket.
//
// Exit codes: 0 all is well, 1 there is a finding (not ready, quarantine, a
// configuration that is refused), 2 it could not be told (no agent, unreadable
// file, wrong usage). With -o json stdout holds exactly one JSON document, be
// it an error, so that scripts need not read prose.
#pragma once

#include <string>
#include <vector>

namespace linsey::ctl {

struct Outcome {
  int exit_code = 0;
  std::string out;
  std::string err;
};

/// Runs one command line, without the program's name. Thread: any; it talks to
/// the agent and waits for at most --timeout.
Outcome run(const std::vector<std::string>& args);

}  // namespace linsey::ctl
