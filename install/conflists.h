// Network configurations of others in the runtime's directory.
//
// containerd takes the first file by name and no other; CRI-O the first good
// one. What sorts before ours therefore wins, and pods get addresses that
// Linsey knows nothing of. Such files are reported, and on request renamed
// inside their directory (a runtime notices that) under a suffix that no
// runtime reads; uninstall gives them their names back.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "install/host.h"
#include "install/record.h"

namespace linsey::install {

struct ForeignConflist {
  std::string name;       // of the file
  std::string network;    // what it calls itself; empty when unreadable
  bool ours = false;      // names our plugin: one of ours under another name
  bool first = false;     // sorts before ours
  bool readable = false;  // JSON with a name
};

/// All files that a runtime would read, but ours, in a runtime's order. A
/// directory that is missing has none. Errors: kIo.
Result<std::vector<ForeignConflist>> foreign_conflists(const Host& host);

/// kForeignConflist, with the remedy for this one.
Error warning_of(const Host& host, const ForeignConflist& conflist);

/// Renames it out of the runtime's sight and notes it. Errors: kIo,
/// kPermission.
Result<void> set_aside(const Host& host, const ForeignConflist& conflist,
                       Record& record);

/// Gives a file that was set aside its name back; success when it is gone, or
/// when a new file has the name. Errors: kIo, kPermission.
Result<void> restore_aside(const Host& host, const std::string& path,
                           const std::string& aside);

}  // namespace linsey::install
