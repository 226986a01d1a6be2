// What Socket reads of traffic control.
#include <linux/gen_stats.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <netinet/in.h>

#include <algorithm>

#include "netlink/dump.h"
#include "netlink/message.h"
#include "netlink/socket.h"

namespace linsey::netlink {
namespace {

using TcAttributes = Attributes<TCA_MAX>;

TcCounters parse_counters(const TcAttributes& attributes) {
  const Attributes<TCA_STATS_MAX> stats(attributes.get(TCA_STATS2));
  TcCounters counters;
  if (const auto basic = stats.value<gnet_stats_basic>(TCA_STATS_BASIC)) {
    counters.bytes = basic->bytes;
    counters.packets =
        stats.value<std::uint64_t>(TCA_STATS_PKT64).value_or(basic->packets);
  }
  if (const auto queue = stats.value<gnet_stats_queue>(TCA_STATS_QUEUE)) {
    counters.drops = queue->drops;
    counters.backlog = queue->backlog;
  }
  return counters;
}

const tcmsg* header_of(const nlmsghdr* message) {
  if (nlmsg_valid_hdr(message, sizeof(tcmsg)) == 0) return nullptr;
  return static_cast<const tcmsg*>(nlmsg_data(message));
}

std::optional<TcQdisc> parse_tc_qdisc(const nlmsghdr* message) {
  const tcmsg* header = header_of(message);
  if (header == nullptr) return {};
  const TcAttributes attributes(message, sizeof *header);
  TcQdisc qdisc{.link_index = header->tcm_ifindex,
                .kind = attributes.text(TCA_KIND),
                .handle = header->tcm_handle,
                .parent = header->tcm_parent,
                .counters = parse_counters(attributes)};
  if (qdisc.kind == "htb") {
    const Attributes<TCA_HTB_MAX> htb(attributes.get(TCA_OPTIONS));
    if (const auto glob = htb.value<tc_htb_glob>(TCA_HTB_INIT)) {
      qdisc.default_class = glob->defcls;
    }
  } else if (qdisc.kind == "bfifo") {
    if (const auto fifo = attributes.value<tc_fifo_qopt>(TCA_OPTIONS)) {
      qdisc.limit = fifo->limit;
    }
  }
  return qdisc;
}

std::optional<HtbClass> parse_htb_class(const nlmsghdr* message) {
  const tcmsg* header = header_of(message);
  if (header == nullptr) return {};
  const TcAttributes attributes(message, sizeof *header);
  if (attributes.text(TCA_KIND) != "htb") return {};
  const Attributes<TCA_HTB_MAX> htb(attributes.get(TCA_OPTIONS));
  const auto parms = htb.value<tc_htb_opt>(TCA_HTB_PARMS);
  if (!parms) return {};
  HtbClass cls{
      .link_index = header->tcm_ifindex,
      .handle = header->tcm_handle,
      .parent = header->tcm_parent,
      .rate =
          htb.value<std::uint64_t>(TCA_HTB_RATE64).value_or(parms->rate.rate),
      .ceil =
          htb.value<std::uint64_t>(TCA_HTB_CEIL64).value_or(parms->ceil.rate),
      .quantum = parms->quantum,
      .prio = parms->prio,
      .counters = parse_counters(attributes)};
  const double burst = parms->buffer * 64e-9 * static_cast<double>(cls.rate);
  cls.burst = static_cast<std::uint32_t>(std::min(burst, 4294967295.0));
  return cls;
}

void parse_selector(std::string_view raw, U32Filter& filter) {
  if (raw.size() < sizeof(tc_u32_sel)) return;
  // Attributes are aligned to 4, as this is.
  const auto* selector = reinterpret_cast<const tc_u32_sel*>(raw.data());
  filter.hash_mask = ntohl(selector->hmask);
  filter.hash_offset = selector->hoff;
  raw.remove_prefix(sizeof *selector);
  for (unsigned i = 0; i < selector->nkeys; ++i) {
    tc_u32_key key{};
    if (raw.size() < sizeof key) return;
    std::memcpy(&key, raw.data(), sizeof key);
    raw.remove_prefix(sizeof key);
    filter.keys.push_back({ntohl(key.val), ntohl(key.mask), key.off});
  }
}

void parse_u32(const nlattr* options, U32Filter& filter) {
  const Attributes<TCA_U32_MAX> u32(options);
  filter.table = filter.handle >> 20;
  filter.bucket = filter.handle >> 12 & 0xff;
  filter.divisor = u32.value<std::uint32_t>(TCA_U32_DIVISOR).value_or(0);
  filter.class_id = u32.value<std::uint32_t>(TCA_U32_CLASSID).value_or(0);
  filter.link_table = u32.value<std::uint32_t>(TCA_U32_LINK).value_or(0) >> 20;
  parse_selector(u32.bytes(TCA_U32_SEL), filter);
}

std::optional<U32Filter> parse_filter(const nlmsghdr* message) {
  const tcmsg* header = header_of(message);
  if (header == nullptr) return {};
  const TcAttributes attributes(message, sizeof *header);
  U32Filter filter{
      .link_index = header->tcm_ifindex,
      .parent = header->tcm_parent,
      .pref = static_cast<std::uint16_t>(header->tcm_info >> 16),
      .protocol = ntohs(static_cast<std::uint16_t>(header->tcm_info & 0xffff)),
      .kind = attributes.text(TCA_KIND),
      .handle = header->tcm_handle};
  if (filter.kind == "u32" && attributes.has(TCA_OPTIONS)) {
    parse_u32(attributes.get(TCA_OPTIONS), filter);
    filter.redirect = parse_redirect(message).value_or(0);
  }
  return filter;
}

tcmsg request_for(int link_index, std::uint32_t parent) {
  tcmsg header{};
  header.tcm_ifindex = link_index;
  header.tcm_parent = parent;
  return header;
}

}  // namespace

Result<std::vector<TcQdisc>> Socket::tc_qdiscs(int link_index) {
  const Message request =
      dump_request(RTM_GETQDISC, request_for(link_index, 0));
  auto found = TRY(list<TcQdisc>(request.get(), "list qdiscs", parse_tc_qdisc));
  keep_of_link(found, link_index);
  return found;
}

Result<std::vector<HtbClass>> Socket::htb_classes(int link_index) {
  const Message request =
      dump_request(RTM_GETTCLASS, request_for(link_index, 0));
  auto found =
      TRY(list<HtbClass>(request.get(), "list classes", parse_htb_class));
  keep_of_link(found, link_index);
  return found;
}

Result<std::vector<U32Filter>> Socket::filters(int link_index,
                                               std::uint32_t parent) {
  const Message request =
      dump_request(RTM_GETTFILTER, request_for(link_index, parent));
  return list<U32Filter>(request.get(), "list filters", parse_filter);
}

}  // namespace linsey::netlink
