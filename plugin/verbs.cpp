#include "plugin/verbs.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "plugin/release_note.h"
#include "rpc/held_table.h"

namespace linsey::plugin {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The agent answers an ADD within 25 s by default and 60 s at most
// (ipam.wait); kubelet gives up after 4 minutes.
constexpr Duration kAddTimeout = seconds(70);
constexpr Duration kDelTimeout = seconds(15);
constexpr Duration kDelConnectWait = milliseconds(300);
constexpr Duration kStatusTimeout = milliseconds(180);

rpc::Client agent(const Call& call, Duration connect_wait, Duration timeout) {
  return rpc::Client(
      {.socket = call.conf.agent_socket,
       .connect_wait = std::min(connect_wait, call.conf.agent_wait),
       .timeout = timeout});
}

CniResult describe(const datapath::Plan& plan, const Call& call) {
  CniResult result;
  result.interfaces = {
      {.name = plan.host.name,
       .mac = plan.host.mac.to_string(),
       .mtu = plan.host.mtu},
      {.name = plan.pod.name,
       .mac = plan.pod.mac.to_string(),
       .sandbox = call.netns,
       .mtu = plan.pod.mtu},
  };
  for (const netlink::Address& address : plan.pod.addresses) {
    if (address.cidr.addr().is_link_local()) continue;
    result.ips.push_back({.address = address.cidr, .interface = 1});
  }
  for (const netlink::Route& route : plan.pod.routes) {
    if (route.table != netlink::kMainTable || !route.gateway) continue;
    for (IpConfig& ip : result.ips) {
      if (ip.address.family() == route.gateway->family()) {
        ip.gateway = route.gateway;
      }
    }
    result.routes.push_back({.dst = route.dst,
                             .gateway = route.gateway,
                             .priority = route.priority});
  }
  return result;
}

}  // namespace

rpc::Client agent_for_add(const Call& call) {
  return agent(call, call.conf.agent_wait, kAddTimeout);
}

rpc::Client agent_for_del(const Call& call) {
  return agent(call, kDelConnectWait, kDelTimeout);
}

rpc::Client agent_for_status(const Call& call) {
  return agent(call, kStatusTimeout, kStatusTimeout);
}

Result<ipam::Held> held_of(const Call& call) {
  if (auto held = rpc::find_held(call.conf.agent_socket, call.key())) {
    return *std::move(held);
  }
  return agent_for_add(call).check(call.key());
}

Result<std::optional<CniResult>> previous_result(const Call& call) {
  if (call.conf.prev_result == nullptr) return std::optional<CniResult>();
  CniResult previous = TRY(parse_result(*call.conf.prev_result, call.version));
  if (call.verb == Verb::kAdd) TRY(check_mergeable(previous, call.version));
  return std::optional(std::move(previous));
}

Result<std::string> make_result(const datapath::Plan& plan, const Call& call,
                                const std::optional<CniResult>& previous) {
  CniResult result = describe(plan, call);
  if (previous) result = merge_results(*previous, result);
  return format_result(result, call.version);
}

void release_displaced(rpc::Client& agent, const Call& call,
                       const std::string& alias) {
  const std::size_t first = alias.find(':');
  const std::size_t last = alias.rfind(':');
  if (first == std::string::npos || first == last) return;
  const ipam::AttachmentKey key{call.conf.name,
                                alias.substr(first + 1, last - first - 1),
                                alias.substr(last + 1)};
  const Result<void> done = agent.release({.key = key, .path_down = true});
  if (!done) {
    log::warn("release of the displaced {}: {}", alias,
              to_string(done.error()));
  }
}

Result<void> release_alone(const Call& call, const ipam::Pod& pod) {
  ErrorList errors;
  errors.add(context(datapath::unwire(call.key(), pod),
                     "remove the link without the agent"));
  errors.add(leave_note(call.conf.notes_dir, call.key(), pod));
  return errors.result();
}

Error not_available(const Error& why) {
  const bool pods_suffer = why.code == Code::kBirdDown ||
                           why.code == Code::kPeerDown ||
                           why.code == Code::kLimitedConnectivity;
  return {pods_suffer ? Code::kLimitedConnectivity : Code::kNotAvailable,
          to_string(why), why.details};
}

}  // namespace linsey::plugin
