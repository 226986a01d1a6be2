#include "ipam/probe_order.h"

#include <algorithm>
#include <string>

#include "base/sha1.h"
#include "ipam/block.h"

namespace linsey::ipam {

Result<ProbeOrder> ProbeOrder::make(std::string_view node,
                                    const ClaimPool& pool) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 40;
  ProbeOrder order;
  order.pool_ = pool.cidr;
  order.block_size_ = pool.block_size;
  order.count_ = std::min(kMost, TRY(block_count(pool.cidr, pool.block_size)));
  std::string seed(node);
  seed += '\n';
  seed += pool.name;
  const auto hash = sha1(seed);
  std::uint64_t start = 0;
  std::uint64_t step = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    start = start << 8 | hash.at(i);
    step = step << 8 | hash.at(i + 8);
  }
  order.start_ = start % order.count_;
  order.step_ = step % order.count_ | 1;
  return order;
}

Cidr ProbeOrder::at(std::uint64_t i) const {
  // Wraps at 2^64, a multiple of every count.
  const std::uint64_t n = (start_ + i * step_) % count_;
  const std::uint64_t size = std::uint64_t{1}
                             << (pool_.addr().bit_length() - block_size_);
  return {*pool_.addr().plus(n * size), block_size_};
}

}  // namespace linsey::ipam
