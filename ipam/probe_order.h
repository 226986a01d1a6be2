// ProbeOrder: in which order one node tries the blocks of one pool.
//
// A walk over all blocks that begins where the node's name hashes to and goes
// in steps of a hashed odd number. Block counts are powers of two, so each
// block comes exactly once; nodes start apart and, where two meet, part again
// at the next step. Rejected: the next free one after the start, which makes
// runs of taken blocks that grow the faster the longer they are.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/ip.h"
#include "base/result.h"
#include "ipam/claim_types.h"

namespace linsey::ipam {

class ProbeOrder {
 public:
  /// Errors: as block_count() for a block size that does not fit the pool.
  static Result<ProbeOrder> make(std::string_view node, const ClaimPool& pool);

  /// Of a pool with more than 2^40 blocks the first 2^40.
  std::uint64_t count() const { return count_; }
  /// The block tried in place `i` < count().
  Cidr at(std::uint64_t i) const;

 private:
  Cidr pool_;
  unsigned block_size_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t start_ = 0;
  std::uint64_t step_ = 1;
};

}  // namespace linsey::ipam
