// Blocks: carving pools into blocks and blocks into addresses (bgp mode).
//
// Every address of a block may be given, the first and the last too: a pod has
// a /32 (/128) over a link of its own and no interface anywhere carries the
// block's prefix, so no kernel makes a network, broadcast or subnet-router
// anycast address of any of them. A pool that is also somebody's on-link
// network is refused by the CIDR plan, not here.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace linsey::ipam {

inline constexpr std::uint64_t kMaxBlockSize = std::uint64_t{1} << 16;

/// All addresses of `block` in order. Errors: kInvalidConfig for host bits, or
/// for more than kMaxBlockSize addresses.
Result<std::vector<IpAddr>> addresses_of(const Cidr& block);

/// How many blocks of prefix length `block_size` fit into `pool`, saturated to
/// 2^64-1. Errors: kInvalidConfig when a block would be larger than the pool
/// or than kMaxBlockSize.
Result<std::uint64_t> block_count(const Cidr& pool, unsigned block_size);

/// The n-th block of `pool`. Errors: as block_count, and kBlockExhausted when
/// n is past the last one.
Result<Cidr> nth_block(const Cidr& pool, unsigned block_size, std::uint64_t n);

}  // namespace linsey::ipam
