// Whose a link is, and how one is taken down. For this room only.
#pragma once

#include "datapath/wire.h"
#include "netlink/socket.h"

namespace linsey::datapath {

/// By alias, or by birth group while it is being made.
bool owned_by(const netlink::Link& link, const ipam::AttachmentKey& key);
/// The same, whichever attachment it serves.
bool owned_by_linsey(const netlink::Link& link);

/// Rules and routes to the link's addresses gone, the link down and dying.
Result<TakenDown> take_down_link(netlink::Socket& host,
                                 const netlink::Link& link);

}  // namespace linsey::datapath
