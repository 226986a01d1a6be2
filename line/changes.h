// Requests in batches of bounded size, and how filters are compared. For this
// room only.
#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "netlink/socket.h"

namespace linsey::line {

/// Sends what was gathered once it is enough; the rest with finish().
class Changes {
 public:
  explicit Changes(netlink::Socket& socket) : socket_(socket) {}

  /// `add` puts one request into the batch.
  template <typename Add>
  Result<void> put(Add add) {
    add(batch_);
    ++count_;
    if (batch_.size() < kEnough) return {};
    return finish();
  }
  Result<void> finish();
  std::size_t count() const { return count_; }

 private:
  // 200 requests of at most 600 bytes fit any socket's send buffer.
  static constexpr std::size_t kEnough = 200;
  netlink::Socket& socket_;
  netlink::Batch batch_;
  std::size_t count_ = 0;
};

/// Equal but for where the kernel put it.
bool same_filter(const netlink::U32Filter& a, const netlink::U32Filter& b);

/// `have` as it would have been asked for: root tables' numbers are the
/// kernel's own business.
netlink::U32Filter as_asked(netlink::U32Filter have);
/// A hash table that the kernel made for itself.
bool is_root_table(const netlink::U32Filter& have);

struct FilterDifference {
  std::vector<netlink::U32Filter> stale;
  std::vector<netlink::U32Filter> missing;  // in the order of the plan
};
/// Cost: n log n.
FilterDifference difference(const std::vector<netlink::U32Filter>& have,
                            const std::vector<netlink::U32Filter>& want);

}  // namespace linsey::line
