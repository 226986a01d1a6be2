#include "agent/blackholes.h"

#include <algorithm>

namespace linsey::agent {

Result<void> set_blackholes(netlink::Socket& socket,
                            const std::vector<Cidr>& blocks) {
  std::vector<Cidr> present;
  netlink::Batch batch;
  bool any = false;
  for (const netlink::Route& route : TRY(socket.routes(
           {.table = netlink::kMainTable, .protocol = netlink::kProtocol}))) {
    if (route.type != netlink::RouteType::kBlackhole) continue;
    if (route.priority == kBlackholePriority &&
        std::ranges::find(blocks, route.dst) != blocks.end()) {
      present.push_back(route.dst);
    } else {
      batch.delete_route(route);
      any = true;
    }
  }
  for (const Cidr& block : blocks) {
    if (std::ranges::find(present, block) != present.end()) continue;
    batch.add_route({.dst = block,
                     .type = netlink::RouteType::kBlackhole,
                     .priority = kBlackholePriority});
    any = true;
  }
  if (!any) return {};
  return context(socket.run(batch), "blackhole the node's blocks");
}

}  // namespace linsey::agent
