// What preflight sees on the machine it runs on.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <cstring>

#include "base/fd.h"
#include "base/file.h"
#include "ctl/preflight.h"
#include "install/conflists.h"
#include "install/probe.h"
#include "install/why_not.h"
#include "netlink/netns.h"
#include "netlink/nft_tables.h"
#include "netlink/socket.h"

namespace linsey::ctl {
namespace {

using conf::Check;
using conf::Finding;

constexpr int kConnectMs = 2000;

class NodeExaminer {
 public:
  NodeExaminer(install::Host host, const conf::AgentConfig& config)
      : host_(std::move(host)), config_(config) {}

  std::vector<Check> run() {
    plugins();
    conflists();
    judge("runtime", install::can_run_from(host_.at(host_.bin_dir)),
          fmt::format("programs run from {}", host_.bin_dir));
    kernel();
    sysctls();
    reflectors();
    return std::move(checks_);
  }

 private:
  void holds(std::string topic, std::string text) {
    checks_.push_back({std::move(topic), Finding::kHolds, std::move(text)});
  }
  void against(std::string topic, Error why) {
    checks_.push_back(
        {std::move(topic), Finding::kAgainst, "", std::move(why)});
  }
  template <typename T>
  void judge(std::string topic, const Result<T>& result, std::string text) {
    if (result) {
      holds(std::move(topic), std::move(text));
    } else {
      against(std::move(topic), result.error());
    }
  }

  void plugins() {
    for (const char* name : {"linsey", "loopback"}) {
      const std::string path = host_.bin_dir + "/" + name;
      const install::Probe probe = install::probe_plugin(host_.at(path));
      if (probe.runs) {
        holds("plugins", fmt::format("{}: {}", path, probe.about));
        continue;
      }
      Error why = probe.runs.error();
      why.msg += "; run linsey-install";
      against("plugins", std::move(why));
    }
  }

  void conflists() {
    const auto found = install::foreign_conflists(host_);
    if (!found) {
      against("runtime", found.error());
      return;
    }
    bool first = false;
    for (const install::ForeignConflist& one : *found) {
      if (!one.first) continue;
      first = true;
      against("runtime", install::warning_of(host_, one));
    }
    if (!first) {
      holds("runtime", fmt::format("no configuration in {} sorts before {}",
                                   host_.conf_dir, host_.conflist));
    }
  }

  void kernel() {
    struct utsname about {};
    (void)uname(&about);  // cannot fail with a good pointer
    judge("kernel", netlink::Socket::open(),
          fmt::format("Linux {}: rtnetlink answers", about.release));
    judge("kernel", netlink::nft_tables("linsey"), "nftables answers");
    if (!path_exists("/proc/sys/net/netfilter/nf_conntrack_max")) {
      unknown("kernel",
              "connection tracking is not loaded (yet); host ports "
              "need it");
    } else {
      holds("kernel", "connection tracking is there");
    }
  }

  void unknown(std::string topic, std::string text) {
    checks_.push_back({std::move(topic), Finding::kUnknown, std::move(text)});
  }

  void sysctls() {
    const auto strict = netlink::get_sysctl("net/ipv4/conf/all/rp_filter");
    if (strict && *strict == "1" && !config_.eni.zones.empty()) {
      against("sysctls",
              make_error(Code::kKernelFeatureMissing,
                         "net.ipv4.conf.all.rp_filter is 1 and wins over the "
                         "2 that pods' ENIs need; set it to 0 or 2"));
    } else if (strict) {
      holds("sysctls",
            fmt::format("net.ipv4.conf.all.rp_filter is {}", *strict));
    }
    const auto all = netlink::get_sysctl("net/ipv6/conf/all/forwarding");
    const bool single =
        netlink::get_sysctl("net/ipv6/conf/default/force_forwarding")
            .has_value();
    if (all && (*all == "1" || single)) {
      holds("sysctls", "IPv6 can be forwarded");
    } else if (all) {
      unknown("sysctls",
              "this kernel forwards IPv6 only with "
              "net.ipv6.conf.all.forwarding=1; it is 0, IPv6 pods need it");
    }
  }

  void reflectors() {
    for (const conf::BgpPeer& peer : config_.bgp.peers) {
      const std::string what =
          fmt::format("BGP peer {} at {} port {}", peer.name,
                      peer.address.to_string(), peer.port);
      judge("reach", connect_to(peer.address, peer.port, what),
            what + " accepts connections");
    }
  }

  static Result<void> connect_to(const IpAddr& address, std::uint16_t port,
                                 const std::string& what) {
    const int family = address.is_v4() ? AF_INET : AF_INET6;
    const UniqueFd fd(
        socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return errno_error(errno, "open a socket");
    sockaddr_storage to{};
    socklen_t size = 0;
    if (address.is_v4()) {
      auto* v4 = reinterpret_cast<sockaddr_in*>(&to);
      v4->sin_family = AF_INET;
      v4->sin_port = htons(port);
      std::memcpy(&v4->sin_addr, address.bytes().data(), 4);
      size = sizeof *v4;
    } else {
      auto* v6 = reinterpret_cast<sockaddr_in6*>(&to);
      v6->sin6_family = AF_INET6;
      v6->sin6_port = htons(port);
      std::memcpy(&v6->sin6_addr, address.bytes().data(), 16);
      size = sizeof *v6;
    }
    int number = 0;
    if (connect(fd.get(), reinterpret_cast<sockaddr*>(&to), size) != 0) {
      number = errno;
    }
    if (number == EINPROGRESS) {
      pollfd wait{fd.get(), POLLOUT, 0};
      number = poll(&wait, 1, kConnectMs) == 1 ? 0 : ETIMEDOUT;
      socklen_t length = sizeof number;
      if (number == 0) {
        (void)getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &number, &length);
      }
    }
    if (number == 0) return {};
    return errno_error(number, what, Code::kPeerDown);
  }

  install::Host host_;
  const conf::AgentConfig& config_;
  std::vector<Check> checks_;
};

}  // namespace

std::vector<Check> examine_node(const std::string& root,
                                const conf::AgentConfig& config) {
  install::Host host;
  host.root = root;
  if (!config.cni.bin_dir.empty()) host.bin_dir = config.cni.bin_dir;
  if (!config.cni.conf_dir.empty()) host.conf_dir = config.cni.conf_dir;
  host.conflist = config.cni.conflist;
  return NodeExaminer(std::move(host), config).run();
}

}  // namespace linsey::ctl
