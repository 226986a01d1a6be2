// The whole installation of a node: directories, plugins, drop-ins, and a look
// at everything an ADD will need. It is the DaemonSet's init container, so it
// runs again with every upgrade: each step leaves alone what is right already.
//
// All steps are tried even when one fails, so that one run tells everything
// that is wrong with a node. The conflist is not written here: the agent
// publishes it once it serves.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "install/host.h"
#include "install/place.h"

namespace linsey::install {

struct InstallOptions {
  Host host;
  std::string from;  // the directory that holds our `linsey`
  Policy policy = Policy::kDifferent;
  bool force = false;
  bool set_aside = false;
  bool drop_ins = true;
  std::vector<std::string> unmanaged;  // see drop_ins.h
  std::string conflist_source;         // whose plugins are looked at; or ours
};

struct Installed {
  std::vector<Step> steps;
  std::vector<Error> warnings;  // a node with these works
  std::vector<Error> errors;    // a node with these does not
};

/// Errors are in the value. Thread: one installer a node, by a lock in the
/// state directory. Durable.
Installed install(const InstallOptions& options);

std::string to_text(const Installed& installed);
std::string to_json(const Installed& installed);

}  // namespace linsey::install
