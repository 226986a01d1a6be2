// The two ways the API pages: NextToken with MaxResults (TotalCount then says
// nothing), and the older PageNumber with PageSize.
#pragma once

#include "base/json.h"
#include "lab/sim/params.h"

namespace linsey::sim {

struct PageLimits {
  std::int64_t low = 10;    // MaxResults below or absent means this
  std::int64_t high = 500;  // MaxResults above means this
  std::int64_t size = 50;   // of PageSize; 0: no such paging
};

struct Page {
  bool by_token = false;
  std::size_t first = 0;
  std::size_t size = 10;
  std::int64_t number = 1;
};

Page read_page(Params& params, const PageLimits& limits);
/// Only PageNumber and PageSize, as the VPC product has it.
Page read_numbered_page(Params& params, std::int64_t limit);

/// Leaves of `list` what is on the page and writes the paging members.
void cut_page(const Page& page, Json& list, Json& body);

}  // namespace linsey::sim
