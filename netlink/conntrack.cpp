#include "netlink/conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "netlink/message.h"

namespace linsey::netlink {
namespace {

constexpr std::size_t kBufferSize = std::size_t{64} << 10;

struct FreeMessage {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using Message = std::unique_ptr<nl_msg, FreeMessage>;

/// What names one entry: its own attributes, as the kernel wrote them.
struct Entry {
  std::string tuple;  // CTA_TUPLE_ORIG
  std::string zone;   // CTA_ZONE, empty for none
  std::string id;     // CTA_ID
};

std::uint8_t family_of(Family family) {
  return family == Family::kV4 ? AF_INET : AF_INET6;
}

Message start(int type, int flags, Family family) {
  Message message(nlmsg_alloc());
  if (!message) panic("out of memory");
  nlmsghdr* header = nlmsg_put(message.get(), 0, 1,
                               (NFNL_SUBSYS_CTNETLINK << 8) | type, 0, flags);
  if (header == nullptr) panic("netlink message too long");
  put_header(message.get(), nfgenmsg{.nfgen_family = family_of(family),
                                     .version = NFNETLINK_V0,
                                     .res_id = 0});
  return message;
}

Error kernel_error(int number, std::string_view what) {
  Code code = Code::kKernel;
  if (number == EINVAL || number == EOPNOTSUPP) {
    code = Code::kKernelFeatureMissing;
  }
  return errno_error(number, what, code);
}

/// Both addresses of a tuple, where they are.
void addresses_of(const nlattr* tuple, std::vector<IpAddr>& out) {
  const Attributes<CTA_TUPLE_MAX> parts(tuple);
  const Attributes<CTA_IP_MAX> ip(parts.get(CTA_TUPLE_IP));
  for (const int type :
       {CTA_IP_V4_SRC, CTA_IP_V4_DST, CTA_IP_V6_SRC, CTA_IP_V6_DST}) {
    if (const std::optional<IpAddr> address = ip.ip(type)) {
      out.push_back(*address);
    }
  }
}

bool udp_to(const nlattr* tuple, const std::set<std::uint16_t>& ports) {
  const Attributes<CTA_TUPLE_MAX> parts(tuple);
  const Attributes<CTA_PROTO_MAX> proto(parts.get(CTA_TUPLE_PROTO));
  if (proto.value<std::uint8_t>(CTA_PROTO_NUM) != IPPROTO_UDP) return false;
  const auto port = proto.value<std::uint16_t>(CTA_PROTO_DST_PORT);
  return port && ports.contains(ntohs(*port));
}

bool is_stale(const Attributes<CTA_MAX>& entry, const Stale& stale) {
  const nlattr* original = entry.get(CTA_TUPLE_ORIG);
  std::vector<IpAddr> touched;
  addresses_of(original, touched);
  addresses_of(entry.get(CTA_TUPLE_REPLY), touched);
  for (const IpAddr& address : touched) {
    if (stale.addresses.contains(address)) return true;
  }
  return !stale.udp_ports.empty() && udp_to(original, stale.udp_ports);
}

class Table {
 public:
  static Result<Table> open() {
    UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    if (!fd) return kernel_error(errno, "open a netfilter socket");
    return Table(std::move(fd));
  }

  Result<std::vector<Entry>> find(Family family, const Stale& stale) {
    TRY(send(start(IPCTNL_MSG_CT_GET, NLM_F_REQUEST | NLM_F_DUMP, family)));
    std::vector<Entry> found;
    for (;;) {
      const int size = TRY(receive());
      auto* message = reinterpret_cast<nlmsghdr*>(buffer_.data());
      int rest = size;
      for (; nlmsg_ok(message, rest) != 0;
           message = nlmsg_next(message, &rest)) {
        if (message->nlmsg_type == NLMSG_DONE) return found;
        if (message->nlmsg_type == NLMSG_ERROR) {
          return kernel_error(error_in(message), "list connections");
        }
        const Attributes<CTA_MAX> entry(message, sizeof(nfgenmsg));
        if (!is_stale(entry, stale)) continue;
        found.push_back({std::string(entry.bytes(CTA_TUPLE_ORIG)),
                         std::string(entry.bytes(CTA_ZONE)),
                         std::string(entry.bytes(CTA_ID))});
      }
    }
  }

  /// False when it was gone already.
  Result<bool> remove(Family family, const Entry& entry) {
    const Message message =
        start(IPCTNL_MSG_CT_DELETE, NLM_F_REQUEST | NLM_F_ACK, family);
    put_bytes(message.get(), CTA_TUPLE_ORIG | NLA_F_NESTED, entry.tuple.data(),
              entry.tuple.size());
    if (!entry.zone.empty()) {
      put_bytes(message.get(), CTA_ZONE, entry.zone.data(), entry.zone.size());
    }
    put_bytes(message.get(), CTA_ID, entry.id.data(), entry.id.size());
    TRY(send(message));
    (void)TRY(receive());
    const int number =
        error_in(reinterpret_cast<const nlmsghdr*>(buffer_.data()));
    if (number == 0) return true;
    if (number == ENOENT) return false;
    return kernel_error(number, "forget a connection");
  }

 private:
  explicit Table(UniqueFd fd) : fd_(std::move(fd)), buffer_(kBufferSize) {}

  Result<void> send(const Message& message) {
    const nlmsghdr* header = nlmsg_hdr(message.get());
    if (::send(fd_.get(), header, header->nlmsg_len, 0) < 0) {
      return kernel_error(errno, "ask for connections");
    }
    return {};
  }
  Result<int> receive() {
    for (;;) {
      const ssize_t size = recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
      if (size >= 0) return static_cast<int>(size);
      if (errno != EINTR) return kernel_error(errno, "read connections");
    }
  }
  static int error_in(const nlmsghdr* message) {
    if (message->nlmsg_type != NLMSG_ERROR ||
        nlmsg_valid_hdr(message, sizeof(nlmsgerr)) == 0) {
      return 0;
    }
    return -static_cast<const nlmsgerr*>(nlmsg_data(message))->error;
  }
  UniqueFd fd_;
  std::vector<char> buffer_;
};

}  // namespace

Result<std::size_t> forget_connections(const Stale& stale) {
  Table table = TRY(Table::open());
  std::size_t forgotten = 0;
  for (const Family family : kFamilies) {
    bool any = !stale.udp_ports.empty();
    for (const IpAddr& address : stale.addresses) {
      any = any || address.family() == family;
    }
    if (!any) continue;
    for (const Entry& entry : TRY(table.find(family, stale))) {
      if (TRY(table.remove(family, entry))) ++forgotten;
    }
  }
  return forgotten;
}

}  // namespace linsey::netlink
