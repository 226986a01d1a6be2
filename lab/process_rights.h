// Process rights: the lab starts agent and BIRD with exactly the capabilities
// that the manifest gives them, so that a missing or a superfluous one shows
// here first. Everything else is taken from the bounding set between fork and
// exec (by setpriv), and nothing can be gained back (no_new_privs).
#pragma once

#include <string>
#include <vector>

namespace linsey::lab {

/// Capability names as setpriv wants them: "net_admin".
std::vector<std::string> agent_rights();
std::vector<std::string> bird_rights();

/// The command line that runs `argv` as root with `rights` and no others.
std::vector<std::string> with_rights(const std::vector<std::string>& rights,
                                     const std::vector<std::string>& argv);

}  // namespace linsey::lab
