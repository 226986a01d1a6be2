// What the two halves of render() share: checks and text.
#pragma once

#include <optional>

#include "bgp/bird_config.h"

namespace linsey::bgp {

/// Errors: kInvalidConfig naming the peer or prefix and how to mend it.
Result<void> check_speaker(const Speaker& speaker);

/// 4 or 6.
int digit(Family family);
std::optional<IpAddr> node_address(const Speaker& speaker, Family family);
/// Where the session with `peer` is spoken from; checked to be there.
std::optional<IpAddr> local_address(const Speaker& speaker, const Peer& peer);

inline unsigned bits(Family family) {
  return family == Family::kV4 ? 32 : 128;
}

}  // namespace linsey::bgp
