#include "netlink/monitor.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "netlink/message.h"

namespace linsey::netlink {
namespace {

constexpr std::size_t kBufferSize = std::size_t{32} << 10;
// A burst of some thousand links; beyond it the receiver must resync.
constexpr int kReceiveBuffer = 4 << 20;

std::vector<int> groups_of(Topic topic) {
  switch (topic) {
    case Topic::kLinks:
      return {RTNLGRP_LINK};
    case Topic::kAddresses:
      return {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};
    case Topic::kRoutes:
      return {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};
    case Topic::kRules:
      return {RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE};
  }
  return {};
}

template <typename T>
void emit(const Monitor::Callback& callback, bool removed,
          std::optional<T> what) {
  if (what) callback({removed, *std::move(what)});
}

void dispatch(const Monitor::Callback& callback, const nlmsghdr* message) {
  switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return emit(callback, message->nlmsg_type == RTM_DELLINK,
                  parse_link(message));
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return emit(callback, message->nlmsg_type == RTM_DELADDR,
                  parse_address(message));
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return emit(callback, message->nlmsg_type == RTM_DELROUTE,
                  parse_route(message));
    case RTM_NEWRULE:
    case RTM_DELRULE:
      return emit(callback, message->nlmsg_type == RTM_DELRULE,
                  parse_rule(message));
    default:
      return;
  }
}

}  // namespace

Monitor::Monitor(UniqueFd fd, Callback callback)
    : fd_(std::move(fd)),
      callback_(std::move(callback)),
      buffer_(kBufferSize) {}

Result<Monitor> Monitor::open(const std::vector<Topic>& topics,
                              Callback callback) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                       NETLINK_ROUTE));
  if (!fd) return errno_error(errno, "open a netlink socket", Code::kKernel);
  // Refused without CAP_NET_ADMIN; the default size serves then.
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer,
                     sizeof kReceiveBuffer);
  // Unbound, it has port 0, which is the kernel's own, and hears nothing.
  sockaddr_nl any{};
  any.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) != 0) {
    return errno_error(errno, "bind a netlink socket", Code::kKernel);
  }
  for (const Topic topic : topics) {
    for (const int group : groups_of(topic)) {
      if (::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
                       sizeof group) != 0) {
        return errno_error(errno, "listen for kernel events", Code::kKernel);
      }
    }
  }
  return Monitor(std::move(fd), std::move(callback));
}

Result<void> Monitor::drain() {
  while (true) {
    const ssize_t size = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (size < 0) {
      if (errno == EAGAIN) return {};
      if (errno == EINTR) continue;
      if (errno != ENOBUFS) {
        return errno_error(errno, "read kernel events", Code::kKernel);
      }
      callback_({false, Resync{}});
      continue;
    }
    auto* message = reinterpret_cast<nlmsghdr*>(buffer_.data());
    int rest = static_cast<int>(size);
    for (; nlmsg_ok(message, rest) != 0; message = nlmsg_next(message, &rest)) {
      dispatch(callback_, message);
    }
  }
}

}  // namespace linsey::netlink
