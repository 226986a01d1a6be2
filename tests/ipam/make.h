// Short ways to write the ledger's words in tests.
#pragma once

#include <string>
#include <vector>

#include "ipam/ledger.h"

namespace linsey::tests {

inline constexpr Instant kStart = std::chrono::hours(1);

inline IpAddr ip(std::string_view text) {
  return *IpAddr::parse(text);
}
inline Cidr cidr(std::string_view text) {
  return *Cidr::parse(text);
}

inline ipam::AttachmentKey key(const std::string& id) {
  return {"net1", id, "eth0"};
}

inline ipam::AssignRequest request(const std::string& id,
                                   std::vector<Family> families = {
                                       Family::kV4}) {
  ipam::AssignRequest request;
  request.attachment.key = key(id);
  request.attachment.pod = {"default", "pod-" + id, "uid-" + id};
  request.families = std::move(families);
  return request;
}

/// `n` addresses from `first` on, of one source.
inline std::vector<ipam::Supply> supply(const std::string& first, unsigned n,
                                        const std::string& source = "block",
                                        const std::string& group = "") {
  std::vector<ipam::Supply> result;
  for (unsigned i = 0; i < n; ++i) {
    result.push_back({*ip(first).plus(i), source, group});
  }
  return result;
}

}  // namespace linsey::tests
