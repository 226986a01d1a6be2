// Whether a plugin's file is written over what is there, and the writing.
//
// The rule in one table (`policy` says which column):
//   there                      absent   older     different
//   nothing                    write    write     write
//   these bytes                keep     keep      keep
//   Linsey, older              keep     write     write
//   Linsey, newer or other     keep     keep      write (so a rollback works)
//   foreign, speaks less CNI   keep     write     write
//   foreign, as much or more   keep     keep      keep
//   foreign, does not run      keep     write     write
// --force writes over everything. A foreign file that is replaced is kept
// aside and comes back with uninstall. Writing is temp + fsync + rename, so a
// plugin that runs at this moment goes on with its old file (no ETXTBSY).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "install/host.h"
#include "install/probe.h"
#include "install/record.h"

namespace linsey::install {

enum class Policy : std::uint8_t { kAbsent, kOlder, kDifferent };
Result<Policy> parse_policy(std::string_view text);

struct Decision {
  bool write = false;
  std::string why;

  bool operator==(const Decision&) const = default;
};

struct Question {
  const Probe& there;
  const Probe& given;
  bool same_bytes = false;
  Policy policy = Policy::kDifferent;
  bool force = false;
};
Decision decide(const Question& question);

/// What was done about one file.
struct Step {
  std::string what;  // a path of the host
  std::string done;  // "installed", "replaced", "kept", "current", …
  std::string why;
};

struct Placement {
  std::string name;     // "linsey", "loopback"
  std::string content;  // the file's bytes
  Probe given;          // of the file they come from
  Policy policy = Policy::kDifferent;
  bool force = false;
};

/// Decides, writes, and asks the file that stands there in the end for its
/// VERSION. Errors: kBinDirUnusable, kDiskFull, kPermission, kIo with reason
/// and remedy; kChainPluginMissing when it does not answer; kForeignBinary for
/// a foreign file where `linsey` itself must be. Durable.
Result<Step> place_plugin(const Host& host, const Placement& placement,
                          Record& record);

/// mkdir -p below the host's root; directories that were missing are noted in
/// the record. Errors: as place_plugin.
Result<void> make_noted_directories(const Host& host, const std::string& path,
                                    Record& record);

}  // namespace linsey::install
