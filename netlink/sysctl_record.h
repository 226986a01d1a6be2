// What sysctls were before we changed them, so that uninstall can put them
// back. One JSON file for each boot, since a reboot resets them all:
//   {"bootID": "…", "values": {"net/ipv4/conf/eth1/forwarding": "0"}}
// Only the first value of a key is kept; later ones are our own.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace linsey::netlink {

class SysctlRecord {
 public:
  /// A file that is missing, damaged or of another boot reads as empty.
  static SysctlRecord load(std::string path);

  /// Notes the present values of those keys that have no note yet; keys that
  /// the kernel lacks are left out. Call it before the change. Durable: when
  /// it returns. Errors: kIo, kDiskFull.
  Result<void> note(const std::vector<std::string>& keys);

  /// Key and earlier value, in order of keys.
  const std::map<std::string, std::string>& values() const { return values_; }

 private:
  SysctlRecord(std::string path, std::string boot)
      : path_(std::move(path)), boot_(std::move(boot)) {}

  std::string path_;
  std::string boot_;
  std::map<std::string, std::string> values_;
};

}  // namespace linsey::netlink
