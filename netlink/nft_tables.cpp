#include "netlink/nft_tables.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>

#include "base/fd.h"
#include "netlink/message.h"

namespace linsey::netlink {
namespace {

using Message =
    std::unique_ptr<nl_msg,
                    decltype([](nl_msg* message) { nlmsg_free(message); })>;

std::string family_name(std::uint8_t family) {
  switch (family) {
    case NFPROTO_INET:
      return "inet";
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    case NFPROTO_ARP:
      return "arp";
    case NFPROTO_BRIDGE:
      return "bridge";
    case NFPROTO_NETDEV:
      return "netdev";
    default:
      return std::to_string(family);
  }
}

struct Kind {
  int type = 0;
  int flags = 0;
  std::uint8_t family = AF_UNSPEC;
  std::uint16_t resource = 0;
};

Message start(const Kind& kind) {
  Message message(nlmsg_alloc());
  if (!message) panic("out of memory");
  if (nlmsg_put(message.get(), 0, 1, kind.type, 0,
                kind.flags | NLM_F_REQUEST) == nullptr) {
    panic("netlink message too long");
  }
  put_header(message.get(), nfgenmsg{.nfgen_family = kind.family,
                                     .version = NFNETLINK_V0,
                                     .res_id = htons(kind.resource)});
  return message;
}

constexpr int of_tables(int type) {
  return (NFNL_SUBSYS_NFTABLES << 8) | type;
}

Result<UniqueFd> open_socket() {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd) return errno_error(errno, "open a netfilter socket", Code::kKernel);
  return fd;
}

Result<void> send_all(int fd, const std::string& bytes) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sendto(fd, bytes.data(), bytes.size(), 0,
             reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0) {
    return errno_error(errno, "ask nftables", Code::kKernel);
  }
  return {};
}

std::string bytes_of(const Message& message) {
  const nlmsghdr* header = nlmsg_hdr(message.get());
  return {reinterpret_cast<const char*>(header),
          NLMSG_ALIGN(header->nlmsg_len)};
}

int error_number(const nlmsghdr* message) {
  return -static_cast<const nlmsgerr*>(nlmsg_data(message))->error;
}

/// False at the end of the list.
Result<bool> take_part(std::vector<char>& buffer, int size,
                       std::string_view prefix, std::vector<NftTable>& out) {
  auto* message = reinterpret_cast<nlmsghdr*>(buffer.data());
  for (; nlmsg_ok(message, size) != 0; message = nlmsg_next(message, &size)) {
    if (message->nlmsg_type == NLMSG_DONE) return false;
    if (message->nlmsg_type == NLMSG_ERROR) {
      const int number = error_number(message);
      if (number == EOPNOTSUPP || number == EINVAL) return false;
      return errno_error(number, "list nftables", Code::kKernel);
    }
    const auto family =
        static_cast<const nfgenmsg*>(nlmsg_data(message))->nfgen_family;
    const Attributes<NFTA_TABLE_MAX> table(message, sizeof(nfgenmsg));
    std::string name = table.text(NFTA_TABLE_NAME);
    if (!name.starts_with(prefix)) continue;
    out.push_back({family_name(family), std::move(name), family});
  }
  return true;
}

}  // namespace

Result<std::vector<NftTable>> nft_tables(std::string_view prefix) {
  const UniqueFd fd = TRY(open_socket());
  TRY(send_all(fd.get(), bytes_of(start({.type = of_tables(NFT_MSG_GETTABLE),
                                         .flags = NLM_F_DUMP}))));
  std::vector<NftTable> tables;
  std::vector<char> buffer(std::size_t{64} << 10);
  for (;;) {
    const ssize_t size = recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno_error(errno, "list nftables", Code::kKernel);
    if (!TRY(take_part(buffer, static_cast<int>(size), prefix, tables))) {
      return tables;
    }
  }
}

Result<void> delete_nft_table(const NftTable& table) {
  const UniqueFd fd = TRY(open_socket());
  // One transaction: nothing else of nftables can be changed outside of one.
  const Kind edge{.resource = NFNL_SUBSYS_NFTABLES};
  Kind begin = edge;
  begin.type = NFNL_MSG_BATCH_BEGIN;
  Kind end = edge;
  end.type = NFNL_MSG_BATCH_END;
  const Message remove = start({.type = of_tables(NFT_MSG_DELTABLE),
                                .flags = NLM_F_ACK,
                                .family = table.family_number});
  put_string(remove.get(), NFTA_TABLE_NAME, table.name);
  TRY(send_all(fd.get(), bytes_of(start(begin)) + bytes_of(remove) +
                             bytes_of(start(end))));
  std::array<char, 8192> buffer{};
  const ssize_t size = recv(fd.get(), buffer.data(), buffer.size(), 0);
  if (size < 0) return errno_error(errno, "delete a table", Code::kKernel);
  auto* message = reinterpret_cast<nlmsghdr*>(buffer.data());
  if (nlmsg_ok(message, static_cast<int>(size)) == 0 ||
      message->nlmsg_type != NLMSG_ERROR) {
    return {};
  }
  const int number = error_number(message);
  if (number == 0 || number == ENOENT) return {};
  return errno_error(
      number, fmt::format("delete table {} {}", table.family, table.name),
      Code::kKernel);
}

}  // namespace linsey::netlink
