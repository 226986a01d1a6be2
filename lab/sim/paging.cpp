#include "lab/sim/paging.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include <nlohmann/json.hpp>

namespace linsey::sim {
namespace {

constexpr std::string_view kTokenHead = "page-";

/// Our tokens are "page-N"; the client must not care.
std::size_t first_of(Params& params, const std::string& token) {
  if (token.empty()) return 0;
  std::size_t first = 0;
  const char* end = token.data() + token.size();
  const char* begin = token.data() + std::min(token.size(), kTokenHead.size());
  const auto [stop, error] = std::from_chars(begin, end, first);
  if (!token.starts_with(kTokenHead) || error != std::errc() || stop != end) {
    params.fail(invalid_parameter("NextToken", "it is none of ours"));
  }
  return first;
}

}  // namespace

Page read_numbered_page(Params& params, std::int64_t limit) {
  Page page;
  page.number = params.number("PageNumber", 1, 1, 1 << 20);
  page.size = static_cast<std::size_t>(params.number("PageSize", 10, 1, limit));
  page.first = static_cast<std::size_t>(page.number - 1) * page.size;
  return page;
}

Page read_page(Params& params, const PageLimits& limits) {
  const bool by_token = params.has("NextToken") || params.has("MaxResults");
  if (!by_token && limits.size > 0) {
    return read_numbered_page(params, limits.size);
  }
  Page page;
  page.by_token = true;
  const std::int64_t wanted =
      params.number("MaxResults", by_token ? limits.low : limits.high,
                    std::numeric_limits<std::int32_t>::min(),
                    std::numeric_limits<std::int32_t>::max());
  page.size =
      static_cast<std::size_t>(std::clamp(wanted, limits.low, limits.high));
  page.first = first_of(params, params.text("NextToken"));
  return page;
}

void cut_page(const Page& page, Json& list, Json& body) {
  const std::size_t total = list.size();
  const std::size_t first = std::min(page.first, total);
  const std::size_t last = std::min(first + page.size, total);
  Json cut = Json::array();
  for (std::size_t i = first; i < last; ++i)
    cut.push_back(std::move(list[i]));
  list = std::move(cut);
  if (page.by_token) {
    body["NextToken"] =
        last < total ? std::string(kTokenHead) + std::to_string(last) : "";
    return;
  }
  body["TotalCount"] = total;
  body["PageNumber"] = page.number;
  body["PageSize"] = page.size;
}

}  // namespace linsey::sim
