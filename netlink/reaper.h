// LinkReaper: deletes links without waiting for the kernel's grace period.
//
// RTM_DELLINK is acknowledged 24-30 ms later, when RCU has come to rest; yet
// the link is gone from view in both namespaces, its routes flushed and its
// RTM_DELLINK event sent, after ~0.6 ms. That event is when an address may be
// used again. So the reaper's own threads sit out the wait, several of them so
// that the next batch does not queue behind the last one's, while the agent's
// loop learns of each link from its Monitor (docs/datapath.md has figures).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "netlink/netns.h"

namespace linsey::netlink {

class LinkReaper {
 public:
  /// Called on a reaper thread when the kernel acknowledged or refused.
  using Done = std::function<void(Result<void>)>;

  /// Works in the namespace of the calling thread. Errors: kKernel.
  static Result<LinkReaper> start(unsigned threads = 8);
  /// Waits for deletes that are under way.
  ~LinkReaper();
  LinkReaper(LinkReaper&&) noexcept;
  LinkReaper& operator=(LinkReaper&&) noexcept;

  /// Deletes one link; one that is missing is success. Never waits. Thread:
  /// one at a time, for this and reap_group.
  void reap(int link_index, Done done = {});
  /// Deletes all links of a group, such as kDyingGroup, with one wait of the
  /// kernel for them together; an empty group is success. Never waits.
  void reap_group(std::uint32_t group, Done done = {});

 private:
  struct State;
  explicit LinkReaper(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Deletes a link and returns when it is gone from view, not when the kernel
/// has acknowledged; a missing one is success. Errors: kTimeout, kKernel.
Result<void> delete_link_until_gone(LinkReaper& reaper, int link_index,
                                    std::chrono::milliseconds deadline);

}  // namespace linsey::netlink
