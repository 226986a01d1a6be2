// The nftables tables of a namespace by name, without libnftables: what the
// static programs need to find and delete what the agent made through it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace linsey::netlink {

struct NftTable {
  std::string family;  // "ip", "ip6", "inet", …, or a number
  std::string name;
  std::uint8_t family_number = 0;

  bool operator==(const NftTable&) const = default;
};

/// Tables of the calling thread's namespace whose names begin with `prefix`.
/// A kernel without nftables has none. Errors: kKernel, kPermission.
Result<std::vector<NftTable>> nft_tables(std::string_view prefix);

/// Deletes a table with all in it; one that is gone is success. Errors:
/// kKernel, kPermission.
Result<void> delete_nft_table(const NftTable& table);

}  // namespace linsey::netlink
