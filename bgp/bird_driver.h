// BirdDriver: makes BIRD do what a Speaker says, or leaves all as it was.
//
// render -> file of the agent's own directory -> checked by BIRD's parser
// (`bird -p` where the binary is at hand, `configure check` where BIRD runs)
// -> renamed over the old file -> `configure`. A text that any of them refuses
// never becomes the file, so a BIRD that starts later never meets it either.
// The file is mode 0600, since it may hold passwords. BIRD itself is started
// and stopped by others; it waits for the file.
// Thread: blocks up to its time-outs; for a worker, as values in, value out.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bgp/bird_config.h"
#include "bgp/bird_control.h"

namespace linsey::bgp {

struct BirdPaths {
  std::string config_file;
  std::string control_socket;
  std::string binary = "bird";  // for `bird -p`; may be missing
  std::chrono::milliseconds timeout{5000};
};

/// A prefix that BIRD exports and may not.
struct Violation {
  std::string protocol;
  Cidr prefix;

  bool operator==(const Violation&) const = default;
};

/// What BIRD does at the moment.
struct Observed {
  Running running;
  std::vector<Session> peers;  // in the order of Speaker::peers
  /// Blocks announced to at least one established peer.
  std::vector<Cidr> announced;
  /// What any BGP protocol of BIRD, ours or not, exports beyond them.
  std::vector<Violation> violations;
};

struct Applied {
  bool changed = false;          // the file holds another text than before
  bool accepted = false;         // a running BIRD uses it
  std::optional<Error> why_not;  // kBirdDown: it will use it when it starts
};

/// Makes `speaker` BIRD's configuration. A BIRD that is down is no error here.
/// Errors: kInvalidConfig (render), kBirdConfigRefused with BIRD's text, kIo,
/// kDiskFull; the earlier file and the earlier configuration go on.
Result<Applied> apply(const Speaker& speaker, const BirdPaths& paths);

/// Reads the sessions, and what BIRD itself says it exports on each.
/// Errors: kBirdDown, kProtocolMismatch.
Result<Observed> observe(const Speaker& speaker, const BirdPaths& paths);

/// Takes back what `observed` found beyond the speaker's blocks: first by
/// giving BIRD our file again, then by ending each session that still exports
/// such a prefix. Errors: kBirdDown, kBirdConfigRefused.
Result<void> withdraw(const Speaker& speaker, const BirdPaths& paths,
                      const Observed& observed);

}  // namespace linsey::bgp
