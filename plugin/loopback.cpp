#include "plugin/loopback.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "netlink/batch.h"
#include "netlink/socket.h"
#include "plugin/result.h"

namespace linsey::plugin {
namespace {

constexpr const char* kName = "lo";

Result<netlink::Link> find_lo(netlink::Socket& socket) {
  std::optional<netlink::Link> link = TRY(socket.find_link(kName));
  if (link) return std::move(*link);
  return make_error(Code::kInvalidNetns, "the namespace has no interface lo");
}

Result<void> refuse_foreign_addresses(
    const std::vector<netlink::Address>& addresses) {
  for (const netlink::Address& address : addresses) {
    if (address.cidr.addr().is_loopback()) continue;
    return make_error(Code::kStateMismatch,
                      "lo carries {}, which is no loopback address; remove it",
                      address.cidr.to_string());
  }
  return {};
}

CniResult describe(const Call& call, const netlink::Link& link,
                   const std::vector<netlink::Address>& addresses) {
  CniResult result;
  result.interfaces.push_back(
      {.name = kName, .mac = link.mac.to_string(), .sandbox = call.netns});
  for (const Family family : kFamilies) {
    const auto it =
        std::ranges::find_if(addresses, [&](const netlink::Address& address) {
          return address.cidr.family() == family;
        });
    if (it == addresses.end()) continue;
    result.ips.push_back({.address = it->cidr, .interface = 0});
  }
  return result;
}

Result<std::string> add(const Call& call) {
  std::optional<CniResult> previous;
  if (call.conf.prev_result != nullptr) {
    previous = TRY(parse_result(*call.conf.prev_result, call.version));
  }
  const netlink::NetNs pod = TRY(open_pod_netns(call));
  netlink::Socket socket = TRY(netlink::Socket::open_in(pod));
  const netlink::Link link = TRY(find_lo(socket));
  TRY(refuse_foreign_addresses(TRY(socket.addresses(link.index))));

  netlink::Batch batch;
  batch.set_link(link.index, {.up = true});
  TRY(socket.run(batch));
  if (previous) return format_result(*previous, call.version);
  const auto addresses = TRY(socket.addresses(link.index));
  return format_result(describe(call, link, addresses), call.version);
}

Result<void> del(const Call& call) {
  const std::optional<netlink::NetNs> pod = live_pod_netns(call);
  if (!pod) return {};
  netlink::Socket socket = TRY(netlink::Socket::open_in(*pod));
  const netlink::Link link = TRY(find_lo(socket));
  netlink::Batch batch;
  batch.set_link(link.index, {.up = false});
  return socket.run(batch);
}

Result<void> check(const Call& call) {
  const netlink::NetNs pod = TRY(open_pod_netns(call));
  netlink::Socket socket = TRY(netlink::Socket::open_in(pod));
  const netlink::Link link = TRY(find_lo(socket));
  if (link.up) return {};
  return make_error(Code::kStateMismatch, "lo is down");
}

Result<void> nothing(const Call&) {
  return {};
}

constexpr Program kLoopback{
    .about = "linsey loopback " LINSEY_VERSION
             ": sets the interface lo of a sandbox up",
    .wishes = conf::Wishes::kIgnore,
    .add = add,
    .del = del,
    .check = check,
    .gc = nothing,
    .status = nothing,
};

}  // namespace

const Program& loopback_program() {
  return kLoopback;
}

}  // namespace linsey::plugin
