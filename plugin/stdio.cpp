#include "plugin/stdio.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"

namespace linsey::plugin {
namespace {

constexpr std::size_t kLimit = std::size_t{32} << 20;
constexpr std::size_t kChunk = std::size_t{64} << 10;  // a pipe's content

/// Whether there is something to read before `deadline`.
bool readable_until(Instant deadline) {
  const SteadyClock clock;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      std::max(deadline - clock.now(), Duration(0)));
  pollfd poller{.fd = 0, .events = POLLIN, .revents = 0};
  return poll(&poller, 1, static_cast<int>(left.count())) > 0;
}

}  // namespace

ClosedStdio fill_closed_stdio() {
  ClosedStdio closed;
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    if (fd == 0) closed.in = true;
    if (fd == 1) closed.out = true;
    // open() gives the lowest free number, which is `fd`.
    (void)open("/dev/null", O_RDWR);
  }
  return closed;
}

Result<std::string> read_stdin(std::optional<std::chrono::milliseconds> limit) {
  const SteadyClock clock;
  const Instant deadline = limit ? clock.now() + *limit : Instant::max();
  std::string text;
  for (;;) {
    if (limit && !readable_until(deadline)) return text;
    char chunk[kChunk];  // not initialised: only the pages read into are made
    const ssize_t n = read(0, chunk, kChunk);
    text.append(chunk, static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n == 0) return text;
    if (n < 0 && errno != EINTR) return errno_error(errno, "read stdin");
    if (text.size() > kLimit) {
      return make_error(Code::kIo, "stdin holds more than {} bytes", kLimit);
    }
  }
}

}  // namespace linsey::plugin
