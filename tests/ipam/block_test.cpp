#include "ipam/block.h"

#include <gtest/gtest.h>

#include "tests/ipam/make.h"

namespace linsey::ipam {
namespace {

using tests::cidr;
using tests::ip;

TEST(Block, EveryAddressOfABlockMayBeGiven) {
  const auto v4 = addresses_of(cidr("10.244.3.64/26"));
  const auto v6 = addresses_of(cidr("fd00:1::40/122"));

  ASSERT_EQ(v4->size(), 64);
  EXPECT_EQ(v4->front(), ip("10.244.3.64"));
  EXPECT_EQ(v4->back(), ip("10.244.3.127"));
  ASSERT_EQ(v6->size(), 64);
  EXPECT_EQ(v6->back(), ip("fd00:1::7f"));
  EXPECT_EQ(addresses_of(cidr("255.255.255.255/32"))->size(), 1);
}

TEST(Block, SillySizesAndHostBitsAreRefused) {
  EXPECT_EQ(addresses_of(cidr("10.0.0.0/15")).error().code,
            Code::kInvalidConfig);
  EXPECT_EQ(addresses_of(cidr("fd00::/64")).error().code, Code::kInvalidConfig);
  EXPECT_EQ(addresses_of(cidr("10.0.0.1/26")).error().code,
            Code::kInvalidConfig);
  EXPECT_EQ(addresses_of(cidr("10.0.0.0/16"))->size(), 65536);
  EXPECT_FALSE(block_count(cidr("10.0.0.0/16"), 15).has_value());
  EXPECT_FALSE(block_count(cidr("10.0.0.0/16"), 33).has_value());
  EXPECT_FALSE(block_count(cidr("fd00::/48"), 111).has_value());
}

TEST(Block, APoolIsCarvedInOrderUntilItIsExhausted) {
  EXPECT_EQ(block_count(cidr("10.244.0.0/16"), 26).value(), 1024);
  EXPECT_EQ(nth_block(cidr("10.244.0.0/16"), 26, 0).value(),
            cidr("10.244.0.0/26"));
  EXPECT_EQ(nth_block(cidr("10.244.0.0/16"), 26, 1023).value(),
            cidr("10.244.255.192/26"));
  EXPECT_EQ(nth_block(cidr("10.244.0.0/16"), 26, 1024).error().code,
            Code::kBlockExhausted);
  EXPECT_EQ(nth_block(cidr("fd00::/112"), 122, 2).value(),
            cidr("fd00::80/122"));
  EXPECT_EQ(block_count(cidr("fd00::/48"), 122).value(), ~std::uint64_t{0});
}

}  // namespace
}  // namespace linsey::ipam
