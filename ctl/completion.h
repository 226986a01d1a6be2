// `linseyctl completion`: what a shell needs to complete our words, made from
// the declared command line, so that it cannot lag behind it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace linsey::ctl {

/// What may follow each command: "" -> {"status", "node", …},
/// "node" -> {"status", …, "--socket"}.
using Words = std::map<std::string, std::vector<std::string>>;

/// `shell`: bash, zsh or fish. Errors: kUnsupportedField.
Result<std::string> completion_script(const std::string& shell,
                                      const Words& words);

}  // namespace linsey::ctl
