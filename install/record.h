// What the installer changed on a node: files, directories, what it set aside.
// Uninstall undoes exactly this. It is written before each change it tells of,
// so a kill at any step leaves a record of too much, never of too little.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/result.h"
#include "install/host.h"

namespace linsey::install {

struct PlacedFile {
  std::string sha1;         // of what we wrote
  std::string copy_before;  // where the foreign file it replaced is kept
  unsigned mode_before = 0;
};

/// Paths are the host's own, without its root.
struct Record {
  std::map<std::string, PlacedFile> files;
  std::set<std::string> directories;             // made by us
  std::map<std::string, std::string> set_aside;  // path -> where it went
};

/// An absent file is an empty record. Errors: kStateCorrupt, kIo.
Result<Record> load_record(const Host& host);
/// Durable. Errors: kIo, kDiskFull, kPermission.
Result<void> save_record(const Host& host, const Record& record);

}  // namespace linsey::install
