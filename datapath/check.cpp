#include <iterator>
#include <utility>

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

/// The host's end, which `seen` gets, and what hangs on it.
Result<std::vector<std::string>> host_differences(
    const Plan& plan, std::optional<netlink::Observed>& seen) {
  Socket host = TRY(Socket::open());
  seen = TRY(netlink::observe(host, plan.host));
  auto found = netlink::compare(plan.host, seen);
  append(found, TRY(netlink::verify_rules(host, plan.host)));
  append(found, TRY(verify_shaping(host, plan)));
  return found;
}

/// Both ends may look right and yet belong to two different pairs.
bool is_pair(const netlink::Link& outer, const netlink::Link& inner) {
  return outer.peer_index == inner.index && inner.peer_index == outer.index;
}

}  // namespace

Result<std::vector<std::string>> verify_host(const Plan& plan) {
  std::optional<netlink::Observed> seen;
  return host_differences(plan, seen);
}

Result<Checked> check(const Plan& plan, const netlink::NetNs& pod,
                      const std::set<Family>& whole) {
  Socket inside = TRY(Socket::open_in(pod));
  Checked checked;
  checked.pod = TRY(netlink::observe(inside, plan.pod, whole));
  std::optional<netlink::Observed> host;
  checked.differences = TRY(host_differences(plan, host));
  append(checked.differences, netlink::compare(plan.pod, checked.pod));
  if (checked.pod && host && !is_pair(host->link, checked.pod->link)) {
    checked.differences.push_back(fmt::format("{} is not the other end of {}",
                                              plan.host.name, plan.pod.name));
  }
  return checked;
}

Result<std::vector<std::string>> verify(const Plan& plan,
                                        const netlink::NetNs& pod) {
  return TRY(check(plan, pod)).differences;
}

}  // namespace linsey::datapath
