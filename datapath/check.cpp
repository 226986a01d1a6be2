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

bool is_of(const Seen& seen, const Plan& plan) {
  return seen.host && seen.host->link.name == plan.host.name;
}

/// Nothing of the host's end is left to be read: rules and buckets are few
/// pods' and not part of what was seen.
bool is_enough(const Seen& seen, const Plan& plan) {
  return is_of(seen, plan) && plan.host.rules.empty() && !plan.shaping.to_pod &&
         !plan.shaping.from_pod;
}

/// The host's end as seen, or read now.
Result<std::vector<std::string>> host_differences(Seen& seen,
                                                  const Plan& plan) {
  if (is_enough(seen, plan)) return netlink::compare(plan.host, seen.host);
  Socket host = TRY(Socket::open());
  if (!is_of(seen, plan)) {
    seen.host =
        TRY(netlink::observe(host, plan.host.name, netlink::Routes::kOfLink));
  }
  auto found = netlink::compare(plan.host, seen.host);
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
  Seen nothing;
  return host_differences(nothing, plan);
}

Result<Seen> look(const netlink::NetNs& netns, const ipam::AttachmentKey& key,
                  const ipam::Pod& pod) {
  Seen seen;
  Socket inside = TRY(Socket::open_in(netns));
  seen.pod = TRY(netlink::observe(inside, key.ifname, netlink::Routes::kAll));
  Socket host = TRY(Socket::open());
  seen.host = TRY(netlink::observe(host, host_link_name(key, pod),
                                   netlink::Routes::kOfLink));
  return seen;
}

Result<std::vector<std::string>> verify(const Plan& plan, Seen seen) {
  auto found = TRY(host_differences(seen, plan));
  append(found, netlink::compare(plan.pod, seen.pod));
  if (seen.pod && seen.host && !is_pair(seen.host->link, seen.pod->link)) {
    found.push_back(fmt::format("{} is not the other end of {}", plan.host.name,
                                plan.pod.name));
  }
  return found;
}

Result<std::vector<std::string>> verify(const Plan& plan,
                                        const netlink::NetNs& pod) {
  Socket inside = TRY(Socket::open_in(pod));
  Seen seen;
  seen.pod =
      TRY(netlink::observe(inside, plan.pod.name, netlink::Routes::kAll));
  return verify(plan, std::move(seen));
}

}  // namespace linsey::datapath
