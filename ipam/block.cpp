#include "ipam/block.h"

#include <algorithm>
#include <charconv>

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

std::string block_name(const Cidr& block) {
  std::string name = block.addr().is_v4() ? "4-" : "6-";
  for (const std::uint8_t byte : block.addr().bytes()) {
    name += fmt::format("{:02x}", byte);
  }
  return name + fmt::format("-{}", block.prefix_len());
}

Result<Cidr> block_from_name(std::string_view name) {
  const Error bad = make_error(Code::kDecode, "\"{}\" is no block name", name);
  const bool is_v4 = name.starts_with("4-");
  const std::size_t digits = is_v4 ? 8 : 32;
  if ((!is_v4 && !name.starts_with("6-")) || name.size() < digits + 4 ||
      name[digits + 2] != '-') {
    return bad;
  }
  std::vector<std::uint8_t> bytes(digits / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char* from = name.data() + 2 + 2 * i;
    if (std::from_chars(from, from + 2, bytes[i], 16).ptr != from + 2) {
      return bad;
    }
  }
  unsigned length = 0;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + digits + 3, end, length);
  if (parsed.ec != std::errc() || parsed.ptr != end || length > digits * 4) {
    return bad;
  }
  const Cidr block(IpAddr::from_bytes(bytes), length);
  if (block_name(block) != name || block.has_host_bits()) return bad;
  return block;
}

}  // namespace linsey::ipam
