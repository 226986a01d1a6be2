// How a listening socket comes to be: the part of rpc/server that touches the
// file system and knows sockaddr.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/ip.h"
#include "base/result.h"

namespace linsey::rpc {

/// A Unix socket of mode 0600 in a directory of mode 0700. It is bound under a
/// temporary name and renamed, so that a stale socket is replaced without a
/// moment in which there is none. Errors: kTryAgainLater when somebody listens
/// there, kPermission when the directory is another user's or open for others
/// to write, kIo.
Result<UniqueFd> listen_unix(const std::string& path);

Result<UniqueFd> listen_on_tcp(const IpAddr& address, std::uint16_t port);

/// Whether the peer of a Unix socket is root or our own user.
bool peer_is_trusted(int fd);

/// The inode of a path, 0 when there is none.
std::uint64_t inode_of(const std::string& path);

}  // namespace linsey::rpc
