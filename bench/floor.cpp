// linsey-bench-floor: the least that an ADD or a DEL can cost on this machine.
//
//   linsey-bench-floor add NETNS HOSTNAME IPV4
//   linsey-bench-floor del HOSTNAME
//
// A process for each call, as a runtime starts plugins, that makes the kernel
// objects of a plain bgp pod in three batches of raw netlink and does nothing
// else: no JSON, no agent, no checks, no undo. What Linsey takes longer than
// this is Linsey's own. The DEL is one RTM_DELLINK, acknowledged.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr std::array<unsigned char, 6> kHostMac{0xee, 0xee, 0xee,
                                                0xee, 0xee, 0xee};
constexpr std::array<unsigned char, 6> kPodMac{0x02, 0x11, 0x22,
                                               0x33, 0x44, 0x55};
constexpr std::uint32_t kMtu = 1450;
constexpr unsigned char kProtocol = 80;
constexpr int kAdd = NLM_F_CREATE | NLM_F_EXCL;

[[noreturn]] void fail(const char* what) {
  (void)std::fprintf(stderr, "linsey-bench-floor: %s: %s\n", what,
                     std::strerror(errno));
  std::exit(1);
}

/// Requests one behind the other, in one buffer.
class Batch {
 public:
  template <typename Header>
  void start(int type, int flags, const Header& header) {
    close();
    message_ = reinterpret_cast<nlmsghdr*>(&buffer_.at(size_));
    *message_ = {
        .nlmsg_len = NLMSG_LENGTH(sizeof header),
        .nlmsg_type = static_cast<std::uint16_t>(type),
        .nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags),
        .nlmsg_seq = ++count_,
        .nlmsg_pid = 0};
    std::memcpy(NLMSG_DATA(message_), &header, sizeof header);
    size_ += NLMSG_ALIGN(message_->nlmsg_len);
  }
  void put(int type, const void* data, std::size_t length) {
    auto* attribute = reinterpret_cast<rtattr*>(&buffer_.at(size_));
    attribute->rta_type = static_cast<std::uint16_t>(type);
    attribute->rta_len = static_cast<std::uint16_t>(RTA_LENGTH(length));
    if (length != 0) std::memcpy(RTA_DATA(attribute), data, length);
    size_ += RTA_ALIGN(attribute->rta_len);
  }
  template <typename T>
  void put(int type, const T& value) {
    put(type, &value, sizeof value);
  }
  void put_name(int type, const char* name) {
    put(type, name, std::strlen(name) + 1);
  }
  std::size_t open(int type) {
    put(type, nullptr, 0);
    return size_ - RTA_LENGTH(0);
  }
  void close(std::size_t nest) {
    reinterpret_cast<rtattr*>(&buffer_.at(nest))->rta_len =
        static_cast<std::uint16_t>(size_ - nest);
  }
  template <typename Header>
  void append(const Header& header) {
    std::memcpy(&buffer_.at(size_), &header, sizeof header);
    size_ += NLMSG_ALIGN(sizeof header);
  }

  /// Sends all, waits for the last one's acknowledgement; any error ends the
  /// program. Returns the link that a GETLINK in the batch found.
  ifinfomsg run(int fd, int* peer_index = nullptr);

 private:
  void close() {
    if (message_ == nullptr) return;
    message_->nlmsg_len = static_cast<std::uint32_t>(
        &buffer_.at(size_) - reinterpret_cast<char*>(message_));
  }

  alignas(nlmsghdr) std::array<char, 4096> buffer_{};
  nlmsghdr* message_ = nullptr;
  std::size_t size_ = 0;
  std::uint32_t count_ = 0;
};

int peer_of(nlmsghdr* message) {
  int length = static_cast<int>(IFLA_PAYLOAD(message));
  auto* attribute = IFLA_RTA(static_cast<ifinfomsg*>(NLMSG_DATA(message)));
  for (; RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length)) {
    if (attribute->rta_type != IFLA_LINK) continue;
    int index = 0;
    std::memcpy(&index, RTA_DATA(attribute), sizeof index);
    return index;
  }
  return 0;
}

ifinfomsg Batch::run(int fd, int* peer_index) {
  close();
  message_->nlmsg_flags |= NLM_F_ACK;
  if (send(fd, buffer_.data(), size_, 0) < 0) fail("send");
  ifinfomsg found{};
  alignas(nlmsghdr) static std::array<char, 16384> reply;
  while (true) {
    const ssize_t received = recv(fd, reply.data(), reply.size(), 0);
    if (received < 0) fail("recv");
    auto length = static_cast<std::uint32_t>(received);
    auto* message = reinterpret_cast<nlmsghdr*>(reply.data());
    for (; NLMSG_OK(message, length); message = NLMSG_NEXT(message, length)) {
      if (message->nlmsg_type == RTM_NEWLINK) {
        std::memcpy(&found, NLMSG_DATA(message), sizeof found);
        if (peer_index != nullptr) *peer_index = peer_of(message);
      }
      if (message->nlmsg_type != NLMSG_ERROR) continue;
      errno = -static_cast<nlmsgerr*>(NLMSG_DATA(message))->error;
      if (errno != 0) fail("the kernel refused");
      if (message->nlmsg_seq == count_) return found;
    }
  }
}

int netlink_socket() {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) fail("socket");
  return fd;
}

int socket_in(int netns_fd) {
  const int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (setns(netns_fd, CLONE_NEWNET) != 0) fail("setns");
  const int fd = netlink_socket();
  if (setns(own, CLONE_NEWNET) != 0) fail("setns back");
  return fd;
}

void put_end(Batch& batch, const char* name,
             const std::array<unsigned char, 6>& mac) {
  batch.put_name(IFLA_IFNAME, name);
  batch.put(IFLA_ADDRESS, mac);
  batch.put(IFLA_MTU, kMtu);
  batch.put(IFLA_NUM_TX_QUEUES, std::uint32_t{1});
  batch.put(IFLA_NUM_RX_QUEUES, std::uint32_t{1});
}

void make_pair(Batch& batch, const char* name, int netns_fd) {
  batch.start(RTM_NEWLINK, kAdd, ifinfomsg{});
  put_end(batch, name, kHostMac);
  const std::size_t info = batch.open(IFLA_LINKINFO);
  batch.put_name(IFLA_INFO_KIND, "veth");
  const std::size_t data = batch.open(IFLA_INFO_DATA);
  const std::size_t peer = batch.open(VETH_INFO_PEER);
  batch.append(ifinfomsg{});
  put_end(batch, "eth0", kPodMac);
  batch.put(IFLA_NET_NS_FD, netns_fd);
  batch.close(peer);
  batch.close(data);
  batch.close(info);
  batch.start(RTM_GETLINK, 0, ifinfomsg{});
  batch.put_name(IFLA_IFNAME, name);
}

void set_up(Batch& batch, int index) {
  ifinfomsg header{};
  header.ifi_index = index;
  header.ifi_flags = header.ifi_change = IFF_UP;
  batch.start(RTM_SETLINK, 0, header);
}

void put_host_settings(Batch& batch, int index, const char* name) {
  ifinfomsg header{};
  header.ifi_index = index;
  batch.start(RTM_SETLINK, 0, header);
  batch.put_name(IFLA_IFALIAS, name);
  const std::size_t families = batch.open(IFLA_AF_SPEC);
  const std::size_t family = batch.open(AF_INET);
  const std::size_t conf = batch.open(IFLA_INET_CONF);
  batch.put(IPV4_DEVCONF_RP_FILTER, std::uint32_t{1});
  batch.put(IPV4_DEVCONF_FORWARDING, std::uint32_t{1});
  batch.close(conf);
  batch.close(family);
  batch.close(families);
}

void add_route(Batch& batch, int index, std::uint32_t dst, std::uint32_t via) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = dst == 0 ? 0 : 32;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = kProtocol;
  header.rtm_scope = via == 0 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  if (via != 0) header.rtm_flags = RTNH_F_ONLINK;
  batch.start(RTM_NEWROUTE, kAdd, header);
  batch.put(RTA_DST, dst);
  batch.put(RTA_OIF, index);
  if (via != 0) batch.put(RTA_GATEWAY, via);
}

void add_neighbour(Batch& batch, int index, std::uint32_t ip,
                   const std::array<unsigned char, 6>& mac) {
  ndmsg header{};
  header.ndm_family = AF_INET;
  header.ndm_ifindex = index;
  header.ndm_state = NUD_PERMANENT;
  batch.start(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header);
  batch.put(NDA_DST, ip);
  batch.put(NDA_LLADDR, mac);
}

void add_address(Batch& batch, int index, std::uint32_t ip) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = 32;
  header.ifa_index = static_cast<std::uint32_t>(index);
  batch.start(RTM_NEWADDR, kAdd, header);
  batch.put(IFA_LOCAL, ip);
  batch.put(IFA_ADDRESS, ip);
  batch.put(IFA_FLAGS, std::uint32_t{IFA_F_NOPREFIXROUTE});
}

void add(const char* netns, const char* name, const char* address) {
  std::uint32_t ip = 0;
  if (inet_pton(AF_INET, address, &ip) != 1) fail("address");
  const std::uint32_t gateway = htonl(0xa9fe0101);
  const int netns_fd = open(netns, O_RDONLY | O_CLOEXEC);
  if (netns_fd < 0) fail(netns);
  const int host = netlink_socket();
  const int pod = socket_in(netns_fd);

  int pod_index = 0;
  Batch pair;
  make_pair(pair, name, netns_fd);
  const int index = pair.run(host, &pod_index).ifi_index;

  Batch outer;
  put_host_settings(outer, index, name);
  set_up(outer, index);
  add_neighbour(outer, index, ip, kPodMac);
  add_route(outer, index, ip, 0);
  outer.run(host);

  Batch inner;
  set_up(inner, 1);
  set_up(inner, pod_index);
  add_address(inner, pod_index, ip);
  add_neighbour(inner, pod_index, gateway, kHostMac);
  add_route(inner, pod_index, gateway, 0);
  add_route(inner, pod_index, 0, gateway);
  inner.run(pod);
}

void del(const char* name) {
  Batch batch;
  batch.start(RTM_DELLINK, 0, ifinfomsg{});
  batch.put_name(IFLA_IFNAME, name);
  batch.run(netlink_socket());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 5 && std::strcmp(argv[1], "add") == 0) {
    add(argv[2], argv[3], argv[4]);
  } else if (argc == 3 && std::strcmp(argv[1], "del") == 0) {
    del(argv[2]);
  } else {
    (void)std::fprintf(stderr,
                       "usage: linsey-bench-floor add NETNS HOSTNAME IPV4\n"
                       "       linsey-bench-floor del HOSTNAME\n");
    return 2;
  }
  return 0;
}
