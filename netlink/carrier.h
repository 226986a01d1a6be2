// The carrier of a link, now and not when the kernel comes to it.
//
// When both ends of a veth pair are up, the end that came up first is switched
// on by a work queue, milliseconds later on a busy node; until then it drops
// what it is to send, and the first SYN to a new pod costs a second. Asking
// for the link state the way ethtool does makes the kernel do that work first.
#pragma once

#include <string>

#include "base/result.h"

namespace linsey::netlink {

/// Whether the link has carrier; packets pass when it returns true. Works in
/// the namespace of the calling thread. Errors: kKernel. Cost: ~10 us.
Result<bool> settled_carrier(const std::string& link_name);

}  // namespace linsey::netlink
