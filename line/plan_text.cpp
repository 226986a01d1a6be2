#include <fmt/core.h>

#include "line/plan.h"

namespace linsey::line {
namespace {

using netlink::U32Filter;

std::string handle_text(std::uint32_t handle) {
  return fmt::format("{:x}:{:x}", handle >> 16, handle & 0xffff);
}

std::string filter_text(const U32Filter& filter) {
  std::string out = fmt::format("filter pref {} protocol {:04x}", filter.pref,
                                filter.protocol);
  if (filter.divisor != 0) {
    return out + fmt::format(" table {} of {}", filter.table, filter.divisor);
  }
  if (filter.table != 0) {
    out += fmt::format(" in {}:{:x}", filter.table, filter.bucket);
  }
  for (const netlink::U32Key& key : filter.keys) {
    out += fmt::format(" {:08x}/{:08x}@{}", key.value, key.mask, key.offset);
  }
  if (filter.redirect != 0) return out + " -> ifb";
  if (filter.class_id == kMark) return out + " -> exempt";
  if (filter.link_table != 0) {
    return out + fmt::format(" -> table {} by {:x}@{}", filter.link_table,
                             filter.hash_mask, filter.hash_offset);
  }
  return out + " -> " + handle_text(filter.class_id);
}

}  // namespace

std::string to_text(const Plan& plan) {
  std::string out;
  for (const Direction direction : kDirections) {
    const Tree& tree = plan.tree(direction);
    out += fmt::format("{} {}\n", name(direction), ifb_name(direction));
    for (const netlink::HtbClass& cls : tree.classes) {
      out += fmt::format(
          "  class {} under {} rate {} ceil {} burst {} quantum {} prio {}\n",
          handle_text(cls.handle), handle_text(cls.parent), cls.rate, cls.ceil,
          cls.burst, cls.quantum, cls.prio);
    }
    for (const netlink::TcQdisc& queue : tree.queues) {
      out += fmt::format("  queue {} {} under {} limit {}\n", queue.kind,
                         handle_text(queue.handle), handle_text(queue.parent),
                         queue.limit);
    }
    for (const U32Filter& filter : tree.filters) {
      out += "  " + filter_text(filter) + "\n";
    }
    out += "  each NIC\n";
    for (const U32Filter& filter : plan.nic_filters(direction)) {
      out += "    " + filter_text(filter) + "\n";
    }
  }
  return out;
}

}  // namespace linsey::line
