// Tombstones: a DEL that was seen, so that an ADD of the same attachment which
// it overtook is refused instead of leaving an address held for ever.
// Bounded in time and in number; memory only, since a restart of the agent
// ends every connection that could carry such an ADD.
#pragma once

#include <cstddef>
#include <map>
#include <optional>

#include "base/clock.h"
#include "ipam/types.h"

namespace linsey::ipam {

class Tombstones {
 public:
  Tombstones(Duration life, std::size_t limit) : life_(life), limit_(limit) {}

  void add(const AttachmentKey& key, Instant now);
  /// Was `key` deleted after the ADD began? An ADD whose start is not known is
  /// overtaken by any tombstone still alive.
  bool overtakes(const AttachmentKey& key, std::optional<Instant> asked_at,
                 Instant now) const;
  std::size_t size() const { return by_key_.size(); }

 private:
  void erase_oldest();

  Duration life_;
  std::size_t limit_;
  std::map<AttachmentKey, Instant> by_key_;
  std::multimap<Instant, AttachmentKey> by_age_;
};

}  // namespace linsey::ipam
