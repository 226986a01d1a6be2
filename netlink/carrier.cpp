#include "netlink/carrier.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.h"

namespace linsey::netlink {

Result<bool> settled_carrier(const std::string& link_name) {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return errno_error(errno, "open a socket", Code::kKernel);
  ethtool_value value{};
  value.cmd = ETHTOOL_GLINK;
  ifreq request{};
  const std::size_t length =
      std::min(link_name.size(), sizeof request.ifr_name - 1);
  std::copy_n(link_name.begin(), length, request.ifr_name);
  request.ifr_data = reinterpret_cast<char*>(&value);
  if (::ioctl(fd.get(), SIOCETHTOOL, &request) != 0) {
    return errno_error(errno, "read the carrier of " + link_name,
                       Code::kKernel);
  }
  return value.data != 0;
}

}  // namespace linsey::netlink
