// What a CNI plugin's file is: whose, which version, which CNI versions.
//
// Asked of the program itself: without CNI_COMMAND every plugin of the
// reference library, and ours, says its name and version; VERSION tells what
// it speaks. Looking for a marker in the file's bytes was rejected: it says
// nothing about whether the file runs on this machine.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace linsey::install {

struct Probe {
  bool exists = false;
  bool ours = false;
  std::string version;                // ours: "0.1.0"
  std::string about;                  // first line of what it says of itself
  std::vector<std::string> versions;  // as VERSION tells them
  Result<void> runs;                  // why VERSION has no answer
};

/// Runs the program twice at most, 5 s each. Never fails: what is wrong stands
/// in `runs`, under kChainPluginMissing.
Probe probe_plugin(const std::string& path);

/// <0, 0, >0 by number: "1.10.0" comes after "1.9.0".
int compare_versions(const std::string& a, const std::string& b);

/// The newest of a list; empty for none.
std::string newest(const std::vector<std::string>& versions);

}  // namespace linsey::install
