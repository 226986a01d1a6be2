// Parts of traffic-control messages that all of Batch's verbs for it put.
#pragma once

#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>

#include <cstdint>

#include "netlink/message.h"

namespace linsey::netlink {

inline tcmsg header_for(int link_index, std::uint32_t parent,
                        std::uint32_t handle) {
  tcmsg header{};
  header.tcm_ifindex = link_index;
  header.tcm_parent = parent;
  header.tcm_handle = handle;
  return header;
}

/// The action of a u32 filter: all that matches leaves by the link instead.
inline void put_redirect(nl_msg* message, int to_index) {
  const Nest actions(message, TCA_U32_ACT);
  const Nest first(message, 1);
  put_string(message, TCA_ACT_KIND, "mirred");
  const Nest options(message, TCA_ACT_OPTIONS);
  tc_mirred parms{};
  parms.action = TC_ACT_STOLEN;
  parms.eaction = TCA_EGRESS_REDIR;
  parms.ifindex = static_cast<std::uint32_t>(to_index);
  put(message, TCA_MIRRED_PARMS, parms);
}

}  // namespace linsey::netlink
