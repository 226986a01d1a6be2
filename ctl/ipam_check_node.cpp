// What ipam check reads of this node's kernel, and what it mends there.
#include <algorithm>
#include <chrono>

#include "ctl/ipam_check.h"
#include "datapath/plan.h"
#include "netlink/reaper.h"
#include "netlink/socket.h"

namespace linsey::ctl {
namespace {

const ipam::Held* find(const AgentView& agent, const ipam::AttachmentKey& key) {
  const auto found = std::ranges::find_if(
      agent.held,
      [&](const ipam::Held& held) { return held.attachment.key == key; });
  return found == agent.held.end() ? nullptr : &*found;
}

Result<void> remove(const datapath::OurLink& link) {
  const datapath::TakenDown down = TRY(datapath::take_down(link));
  if (down.link_index == 0) return {};
  netlink::LinkReaper reaper = TRY(netlink::LinkReaper::start(1));
  return netlink::delete_link_until_gone(reaper, down.link_index,
                                         std::chrono::seconds(5));
}

}  // namespace

Result<KernelView> look_at_kernel(const AgentView& agent) {
  KernelView view;
  view.traces = TRY(datapath::find_ours());
  std::set<std::string> whole;
  for (const datapath::OurLink& link : view.traces.links) {
    if (!link.dying && !link.half_made) {
      whole.insert(datapath::alias_of({"", link.container_id, link.ifname}));
    }
  }
  for (const ipam::Held& held : agent.held) {
    const ipam::AttachmentKey& key = held.attachment.key;
    if (!whole.contains(datapath::alias_of(key))) continue;
    const datapath::Plan plan =
        TRY(datapath::make_plan(held.attachment, held.allocation));
    std::vector<std::string> wrong = TRY(datapath::verify_host(plan));
    if (!wrong.empty()) view.differences.emplace(key, std::move(wrong));
  }
  netlink::Socket socket = TRY(netlink::Socket::open());
  for (const netlink::Route& route : TRY(socket.routes())) {
    if (route.type == netlink::RouteType::kBlackhole &&
        route.protocol == netlink::kProtocol) {
      view.blackholes.insert(route.dst);
    }
    if (route.dst.prefix_len() == 0) view.tables.insert(route.table);
  }
  return view;
}

Result<void> mend(const Difference& difference, const AgentView& agent) {
  switch (difference.mend) {
    case Mend::kRemoveLink:
      return remove(*difference.link);
    case Mend::kRemoveRules:
      return datapath::remove_rules(*difference.address);
    case Mend::kRepairHost: {
      const ipam::Held* held = find(agent, difference.key);
      if (held == nullptr) return {};
      return datapath::repair_host(
          TRY(datapath::make_plan(held->attachment, held->allocation)));
    }
    default:
      return {};
  }
}

}  // namespace linsey::ctl
