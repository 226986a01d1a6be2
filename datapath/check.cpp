#include <iterator>

#include "datapath/shape.h"
#include "datapath/wire.h"
#include "netlink/socket.h"

namespace linsey::datapath {
namespace {

using netlink::Socket;

void append(std::vector<std::string>& to, std::vector<std::string> more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()),
            std::make_move_iterator(more.end()));
}

Result<std::vector<std::string>> host_differences(Socket& host,
                                                  const Plan& plan) {
  auto found = TRY(netlink::verify(host, plan.host));
  append(found, TRY(verify_shaping(host, plan)));
  return found;
}

/// Both ends may look right and yet belong to two different pairs.
Result<void> compare_pair(std::vector<std::string>& out, Socket& host,
                          Socket& inside, const Plan& plan) {
  const auto outer = TRY(host.find_link(plan.host.name));
  const auto inner = TRY(inside.find_link(plan.pod.name));
  if (!outer || !inner) return {};  // reported already
  if (outer->peer_index != inner->index || inner->peer_index != outer->index) {
    out.push_back(fmt::format("{} is not the other end of {}", plan.host.name,
                              plan.pod.name));
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> verify_host(const Plan& plan) {
  Socket host = TRY(Socket::open());
  return host_differences(host, plan);
}

Result<std::vector<std::string>> verify(const Plan& plan,
                                        const netlink::NetNs& pod) {
  Socket host = TRY(Socket::open());
  Socket inside = TRY(Socket::open_in(pod));
  auto found = TRY(host_differences(host, plan));
  append(found, TRY(netlink::verify(inside, plan.pod)));
  TRY(compare_pair(found, host, inside, plan));
  return found;
}

}  // namespace linsey::datapath
