// Monitor: what changes in a namespace, as it changes.
//
// The kernel's notifications arrive on fd(), which an epoll loop watches; when
// it is readable the loop calls drain(). A receiver that was too slow loses
// events (ENOBUFS): it gets kResync and must read anew what it cares for.
// Thread: one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <variant>
#include <vector>

#include "base/result.h"
#include "netlink/netns.h"
#include "netlink/types.h"

namespace linsey::netlink {

/// What may be listened to.
enum class Topic : std::uint8_t { kLinks, kAddresses, kRoutes, kRules };

/// Events were lost.
struct Resync {};

struct Event {
  bool removed = false;
  std::variant<Resync, Link, Address, Route, Rule> what;
};

class Monitor {
 public:
  using Callback = std::function<void(const Event&)>;

  /// Listens in the namespace of the calling thread. Errors: kKernel.
  static Result<Monitor> open(const std::vector<Topic>& topics,
                              Callback callback);

  int fd() const { return fd_.get(); }
  /// Hands over all that has arrived; never waits. Errors: kKernel.
  Result<void> drain();

 private:
  Monitor(UniqueFd fd, Callback callback);

  UniqueFd fd_;
  Callback callback_;
  std::vector<char> buffer_;
};

}  // namespace linsey::netlink
