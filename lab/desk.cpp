#include "lab/desk.h"

#include <poll.h>

namespace linsey::lab {

void Desk::turn(std::chrono::milliseconds limit) {
  pollfd waiting{queue_.fd(), POLLIN, 0};
  // A signal ends the wait early, which is what its handler wants.
  (void)poll(&waiting, 1, static_cast<int>(limit.count()));
  while (std::optional<std::function<void()>> work = queue_.try_pop()) {
    (*work)();
  }
}

}  // namespace linsey::lab
