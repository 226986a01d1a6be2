// Why a session is not as it should be, as far as it can be told from here.
//
// BGP tells some faults (a wrong AS number comes as an error message) and hides
// others: the kernel drops segments with a wrong TCP-MD5 digest before anybody
// sees them, so a wrong password looks like a router that is off. The kernel
// counts those segments, for the whole network namespace and not for one peer;
// which of the three counters rises says whether it was a peer with or without
// a password. Pure, but for the reading of the counters.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "bgp/bird_config.h"
#include "bgp/bird_control.h"

namespace linsey::bgp {

/// TCPMD5NotFound, TCPMD5Unexpected and TCPMD5Failure of this namespace.
struct Md5Counters {
  std::uint64_t not_found = 0;   // we expect a digest and got none
  std::uint64_t unexpected = 0;  // we expect none and got one
  std::uint64_t failure = 0;     // got another than ours

  bool operator==(const Md5Counters&) const = default;
};

/// Errors: kIo, kDecode.
Result<Md5Counters> parse_md5_counters(std::string_view netstat);
/// Those of the calling thread's namespace.
Result<Md5Counters> md5_counters();

/// Which kinds of peers lately sent segments that were dropped.
struct Md5Evidence {
  bool with_password = false;     // a peer for which we have a password
  bool without_password = false;  // one for which we have none

  bool operator==(const Md5Evidence&) const = default;
};
Md5Evidence evidence(const Md5Counters& earlier, const Md5Counters& now);

/// nullopt when the session is up and within its limit. kPeerAsMismatch,
/// kPeerPasswordMismatch, kPrefixLimit, kPeerUnreachable, else kPeerDown; each
/// names the peer and what to compare with the router.
std::optional<Error> fault_of(const Peer& peer, const Session& session,
                              const Md5Evidence& md5);

}  // namespace linsey::bgp
