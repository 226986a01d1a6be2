#include "ipam/block.h"

#include <algorithm>

namespace linsey::ipam {
namespace {

Result<void> check_network(const Cidr& cidr) {
  if (!cidr.has_host_bits()) return {};
  return make_error(Code::kInvalidConfig, "{} has host bits set; write {}",
                    cidr.to_string(), cidr.network().to_string());
}

}  // namespace

Result<std::vector<IpAddr>> addresses_of(const Cidr& block) {
  TRY(check_network(block));
  if (block.size() > kMaxBlockSize) {
    return make_error(Code::kInvalidConfig,
                      "block {} has more than {} addresses; use smaller blocks",
                      block.to_string(), kMaxBlockSize);
  }
  std::vector<IpAddr> addresses;
  addresses.reserve(static_cast<std::size_t>(block.size()));
  for (std::uint64_t n = 0; n < block.size(); ++n) {
    addresses.push_back(*block.addr().plus(n));
  }
  return addresses;
}

Result<std::uint64_t> block_count(const Cidr& pool, unsigned block_size) {
  TRY(check_network(pool));
  const unsigned bits = pool.addr().bit_length();
  if (block_size < pool.prefix_len() || block_size > bits ||
      bits - block_size > 16) {
    return make_error(Code::kInvalidConfig,
                      "blocks of /{} do not fit pool {}; choose /{} to /{}",
                      block_size, pool.to_string(),
                      std::max(pool.prefix_len(), bits - 16), bits);
  }
  const unsigned shift = block_size - pool.prefix_len();
  if (shift >= 64) return ~std::uint64_t{0};
  return std::uint64_t{1} << shift;
}

Result<Cidr> nth_block(const Cidr& pool, unsigned block_size, std::uint64_t n) {
  const std::uint64_t count = TRY(block_count(pool, block_size));
  const std::uint64_t size = std::uint64_t{1}
                             << (pool.addr().bit_length() - block_size);
  if (n >= count || n > ~std::uint64_t{0} / size) {
    return make_error(Code::kBlockExhausted,
                      "pool {} has only {} blocks of /{}", pool.to_string(),
                      count, block_size);
  }
  return Cidr(*pool.addr().plus(n * size), block_size);
}

}  // namespace linsey::ipam
