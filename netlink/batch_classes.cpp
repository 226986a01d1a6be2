// The verbs of Batch for trees of classes and their filters.
#include <linux/gen_stats.h>
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

constexpr std::uint32_t kHtbVersion = 3;
constexpr std::size_t kMaxKeys = 16;

std::uint32_t saturated(double value) {
  constexpr double kMax = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::min(value, kMax));
}

/// The kernel wants a burst as time, in ticks of 64 ns.
std::uint32_t ticks(std::uint32_t burst, std::uint64_t rate) {
  if (rate == 0) return 0;
  return saturated(static_cast<double>(burst) / static_cast<double>(rate) /
                   64e-9);
}

tc_ratespec rate_spec(std::uint64_t rate) {
  tc_ratespec spec{};
  spec.linklayer = TC_LINKLAYER_ETHERNET;
  spec.rate = saturated(static_cast<double>(rate));
  return spec;
}

/// The selector, and behind it the keys.
void put_selector(nl_msg* message, const U32Filter& filter) {
  if (filter.keys.size() > kMaxKeys) panic("u32 filter with too many keys");
  constexpr std::size_t kSize =
      sizeof(tc_u32_sel) + kMaxKeys * sizeof(tc_u32_key);
  alignas(tc_u32_sel) std::array<char, kSize> bytes{};
  auto* selector = reinterpret_cast<tc_u32_sel*>(bytes.data());
  selector->nkeys =
      static_cast<unsigned char>(std::max<std::size_t>(filter.keys.size(), 1));
  if (filter.link_table != 0) {
    selector->hmask = htonl(filter.hash_mask);
    selector->hoff = static_cast<short>(filter.hash_offset);
  } else {
    selector->flags = TC_U32_TERMINAL;
  }
  std::size_t at = sizeof(tc_u32_sel);
  for (const U32Key& key : filter.keys) {
    tc_u32_key raw{};
    raw.val = htonl(key.value & key.mask);
    raw.mask = htonl(key.mask);
    raw.off = key.offset;
    std::memcpy(bytes.data() + at, &raw, sizeof raw);
    at += sizeof raw;
  }
  put_bytes(message, TCA_U32_SEL, bytes.data(),
            sizeof(tc_u32_sel) + selector->nkeys * sizeof(tc_u32_key));
}

tcmsg header_of(const U32Filter& filter, std::uint32_t handle) {
  tcmsg header = header_for(filter.link_index, filter.parent, handle);
  header.tcm_info =
      TC_H_MAKE(std::uint32_t{filter.pref} << 16, htons(filter.protocol));
  return header;
}

std::string named(const char* verb, const U32Filter& filter) {
  return fmt::format("{} filter {} of #{} parent {:x}", verb, filter.pref,
                     filter.link_index, filter.parent);
}

}  // namespace

Batch& Batch::put_qdisc(const TcQdisc& qdisc) {
  const int flags = qdisc.kind == "clsact" ? NLM_F_CREATE | NLM_F_EXCL
                                           : NLM_F_CREATE | NLM_F_REPLACE;
  nl_msg* message = start(RTM_NEWQDISC, flags, [qdisc] {
    return fmt::format("put qdisc {} {:x} on #{}", qdisc.kind, qdisc.handle,
                       qdisc.link_index);
  });
  put_header(message, header_for(qdisc.link_index, qdisc.parent, qdisc.handle));
  put_string(message, TCA_KIND, qdisc.kind);
  if (qdisc.kind == "htb") {
    const Nest options(message, TCA_OPTIONS);
    tc_htb_glob glob{};
    glob.version = kHtbVersion;
    glob.rate2quantum = 10;
    glob.defcls = qdisc.default_class;
    put(message, TCA_HTB_INIT, glob);
  } else if (qdisc.kind == "bfifo") {
    put(message, TCA_OPTIONS, tc_fifo_qopt{qdisc.limit});
  }
  return *this;
}

Batch& Batch::delete_qdisc(const TcQdisc& qdisc, Missing missing) {
  nl_msg* message = start(RTM_DELQDISC, 0, [qdisc] {
    return fmt::format("remove qdisc {} {:x} of #{}", qdisc.kind, qdisc.handle,
                       qdisc.link_index);
  });
  put_header(message, header_for(qdisc.link_index, qdisc.parent, qdisc.handle));
  if (missing == Missing::kFine) tolerate({ENOENT, ENODEV, EINVAL});
  return *this;
}

Batch& Batch::put_class(const HtbClass& cls) {
  nl_msg* message = start(RTM_NEWTCLASS, NLM_F_CREATE, [cls] {
    return fmt::format("put class {:x} on #{}", cls.handle, cls.link_index);
  });
  put_header(message, header_for(cls.link_index, cls.parent, cls.handle));
  put_string(message, TCA_KIND, "htb");
  const Nest options(message, TCA_OPTIONS);
  tc_htb_opt parms{};
  parms.rate = rate_spec(cls.rate);
  parms.ceil = rate_spec(cls.ceil);
  parms.buffer = ticks(cls.burst, cls.rate);
  parms.cbuffer = ticks(cls.burst, cls.ceil);
  parms.quantum = cls.quantum;
  parms.prio = cls.prio;
  put(message, TCA_HTB_PARMS, parms);
  put(message, TCA_HTB_RATE64, cls.rate);
  put(message, TCA_HTB_CEIL64, cls.ceil);
  return *this;
}

Batch& Batch::delete_class(const HtbClass& cls, Missing missing) {
  nl_msg* message = start(RTM_DELTCLASS, 0, [cls] {
    return fmt::format("remove class {:x} of #{}", cls.handle, cls.link_index);
  });
  put_header(message, header_for(cls.link_index, cls.parent, cls.handle));
  if (missing == Missing::kFine) tolerate({ENOENT, ENODEV, EINVAL});
  return *this;
}

Batch& Batch::add_filter(const U32Filter& filter) {
  nl_msg* message = start(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL,
                          [filter] { return named("add", filter); });
  const std::uint32_t own_table = filter.table << 20;
  put_header(message, header_of(filter, filter.divisor != 0 ? own_table : 0));
  put_string(message, TCA_KIND, "u32");
  const Nest options(message, TCA_OPTIONS);
  if (filter.divisor != 0) {
    put(message, TCA_U32_DIVISOR, filter.divisor);
    return *this;
  }
  put_selector(message, filter);
  if (filter.table != 0) {
    put(message, TCA_U32_HASH, own_table | filter.bucket << 12);
  }
  if (filter.class_id != 0) put(message, TCA_U32_CLASSID, filter.class_id);
  if (filter.link_table != 0) {
    put(message, TCA_U32_LINK, filter.link_table << 20);
  }
  if (filter.redirect != 0) put_redirect(message, filter.redirect);
  return *this;
}

Batch& Batch::delete_filter(const U32Filter& filter, Missing missing) {
  nl_msg* message =
      start(RTM_DELTFILTER, 0, [filter] { return named("remove", filter); });
  put_header(message, header_of(filter, filter.handle));
  if (filter.handle != 0) put_string(message, TCA_KIND, "u32");
  if (missing == Missing::kFine) tolerate({ENOENT, ENODEV, EINVAL});
  return *this;
}

}  // namespace linsey::netlink
