// Publishes the list of CNI plugins that the container runtime reads.
//
// The file appears only when the agent serves, by rename inside its own
// directory (containerd notices nothing else), is rewritten only when its bytes
// change, and is never removed: without it a runtime cannot even DEL. A list
// to which an operator appended foreign plugins is cut to the versions that
// every one of them reports, so that a runtime never picks one that fails.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "conf/agent_config.h"

namespace linsey::install {

struct Published {
  bool changed = false;
  std::vector<std::string> versions;
  /// kChainWithoutStatus when the chain has lost version 1.1.0.
  std::vector<Error> warnings;
};

/// The list that is built in: conf/10-linsey.conflist.
std::string_view shipped_conflist();

/// Asks the plugins that the list names for their versions and writes the
/// list into cni.conf_dir. Errors: kInvalidConfig for a list that is none,
/// or plugins without a version in common; kChainPluginMissing when one is not
/// in cni.bin_dir; kIo, kDiskFull. Thread: any; foreign plugins are run, so
/// not the loop. Durable.
Result<Published> publish_conflist(const conf::Cni& cni);

}  // namespace linsey::install
