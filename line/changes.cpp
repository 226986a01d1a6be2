#include "line/changes.h"

#include <map>
#include <tuple>

namespace linsey::line {
namespace {

using netlink::U32Filter;

constexpr std::uint32_t kFirstRootTable = 0x800;

auto key_of(const U32Filter& filter) {
  return std::tuple(filter.pref, filter.protocol, filter.table, filter.bucket,
                    filter.divisor, filter.keys, filter.class_id,
                    filter.redirect, filter.link_table, filter.hash_mask,
                    filter.hash_offset);
}

}  // namespace

Result<void> Changes::finish() {
  return socket_.run(batch_);
}

bool same_filter(const U32Filter& a, const U32Filter& b) {
  return key_of(a) == key_of(b);
}

U32Filter as_asked(U32Filter have) {
  if (have.table >= kFirstRootTable) have.table = 0;
  return have;
}

bool is_root_table(const U32Filter& have) {
  return have.table >= kFirstRootTable && have.divisor != 0;
}

FilterDifference difference(const std::vector<U32Filter>& have,
                            const std::vector<U32Filter>& want) {
  std::multimap<decltype(key_of(U32Filter{})), const U32Filter*> standing;
  for (const U32Filter& filter : have) {
    // A preference without any filter is listed too, with no handle.
    if (filter.handle == 0 || is_root_table(filter)) continue;
    standing.emplace(key_of(as_asked(filter)), &filter);
  }
  FilterDifference out;
  for (const U32Filter& filter : want) {
    const auto found = standing.find(key_of(filter));
    if (found == standing.end()) {
      out.missing.push_back(filter);
    } else {
      standing.erase(found);
    }
  }
  for (const auto& [key, filter] : standing) {
    out.stale.push_back(*filter);
  }
  return out;
}

}  // namespace linsey::line
