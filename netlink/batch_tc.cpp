// The verbs of Batch for traffic control.
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "netlink/batch.h"
#include "netlink/message.h"
#include "netlink/tc_message.h"

namespace linsey::netlink {
namespace {

constexpr std::uint32_t kRootHandle = 0x10000;  // 1:
constexpr std::uint32_t kIngressHandle = TC_H_MAKE(TC_H_INGRESS, 0U);

/// One key with mask 0, which every packet matches; u32 wants one key. The
/// keys lie right behind the selector.
void put_match_all(nl_msg* message) {
  constexpr std::size_t kSize = sizeof(tc_u32_sel) + sizeof(tc_u32_key);
  alignas(tc_u32_sel) std::array<char, kSize> bytes{};
  auto* selector = reinterpret_cast<tc_u32_sel*>(bytes.data());
  selector->flags = TC_U32_TERMINAL;
  selector->nkeys = 1;
  put_bytes(message, TCA_U32_SEL, bytes.data(), bytes.size());
}

}  // namespace

Batch& Batch::replace_tbf(int link_index, const Tbf& tbf) {
  nl_msg* message =
      start(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, [link_index] {
        return fmt::format("put a token bucket on #{}", link_index);
      });
  put_header(message, header_for(link_index, TC_H_ROOT, kRootHandle));
  put_string(message, TCA_KIND, "tbf");
  const Nest options(message, TCA_OPTIONS);
  tc_tbf_qopt parms{};
  parms.rate.linklayer = TC_LINKLAYER_ETHERNET;
  parms.rate.rate = static_cast<std::uint32_t>(std::min<std::uint64_t>(
      tbf.rate, std::numeric_limits<std::uint32_t>::max()));
  parms.limit = tbf.limit;
  put(message, TCA_TBF_PARMS, parms);
  // The 32-bit fields above wrap at 34 Gbit/s, and the burst in ticks earlier.
  put(message, TCA_TBF_RATE64, tbf.rate);
  put(message, TCA_TBF_BURST, tbf.burst);
  return *this;
}

Batch& Batch::add_ingress_redirect(int link_index, int to_index) {
  nl_msg* message =
      start(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, [link_index] {
        return fmt::format("put an ingress qdisc on #{}", link_index);
      });
  put_header(message, header_for(link_index, TC_H_INGRESS, kIngressHandle));
  put_string(message, TCA_KIND, "ingress");

  message =
      start(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, [link_index, to_index] {
        return fmt::format("redirect what enters #{} to #{}", link_index,
                           to_index);
      });
  tcmsg header = header_for(link_index, kIngressHandle, 0);
  header.tcm_info = TC_H_MAKE(1U << 16, htons(ETH_P_ALL));
  put_header(message, header);
  put_string(message, TCA_KIND, "u32");
  const Nest options(message, TCA_OPTIONS);
  put_match_all(message);
  put_redirect(message, to_index);
  return *this;
}

Batch& Batch::delete_qdisc(int link_index, bool ingress, Missing missing) {
  nl_msg* message = start(RTM_DELQDISC, 0, [link_index, ingress] {
    return fmt::format("remove the {} qdisc of #{}",
                       ingress ? "ingress" : "root", link_index);
  });
  put_header(message, ingress
                          ? header_for(link_index, TC_H_INGRESS, kIngressHandle)
                          : header_for(link_index, TC_H_ROOT, 0));
  // EINVAL: the link has no ingress qdisc; ENOENT: no root of ours.
  if (missing == Missing::kFine) tolerate({ENOENT, ENODEV, EINVAL});
  return *this;
}

}  // namespace linsey::netlink
