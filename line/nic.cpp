#include "line/nic.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>
#include <utility>

namespace linsey::line {
namespace {

using netlink::Batch;
using netlink::Missing;
using netlink::TcQdisc;
using netlink::U32Filter;

constexpr std::array kClassful{"htb", "hfsc", "prio", "drr",
                               "qfq", "ets",  "cbq",  "multiq"};

constexpr unsigned kPrefsInUse = 8;

bool is_hook(std::uint32_t parent) {
  return parent == netlink::kClsactIngress || parent == netlink::kClsactEgress;
}

bool is_ours(const U32Filter& filter) {
  return filter.kind == "u32" && filter.class_id == kMark;
}

/// Of one preference and protocol; the kernel keeps an empty one until it is
/// told to drop it.
using Chain = std::pair<std::uint16_t, std::uint16_t>;
Chain chain_of(const U32Filter& filter) {
  return {filter.pref, filter.protocol};
}

/// Deletes `stale`: whole chains where nothing else is in them.
Result<void> delete_filters(const std::vector<U32Filter>& all,
                            const std::vector<U32Filter>& stale,
                            const std::vector<U32Filter>& added,
                            Changes& changes) {
  std::map<Chain, long> others;  // that stay
  for (const U32Filter& filter : all) {
    if (filter.handle != 0 && !is_root_table(filter))
      ++others[chain_of(filter)];
  }
  for (const U32Filter& filter : added) {
    ++others[chain_of(filter)];
  }
  for (const U32Filter& filter : stale) {
    --others[chain_of(filter)];
  }
  std::set<Chain> dropped;
  for (U32Filter filter : stale) {
    if (others[chain_of(filter)] == 0) {
      if (!dropped.insert(chain_of(filter)).second) continue;
      filter.handle = 0;
    }
    TRY(changes.put(
        [&](Batch& batch) { batch.delete_filter(filter, Missing::kFine); }));
  }
  return changes.finish();
}

/// The parents under which filters may stand, for the qdiscs that are there.
std::vector<std::uint32_t> parents_of(const std::vector<TcQdisc>& qdiscs) {
  std::vector<std::uint32_t> out;
  for (const TcQdisc& qdisc : qdiscs) {
    if (qdisc.kind == "clsact") {
      out.push_back(netlink::kClsactIngress);
      out.push_back(netlink::kClsactEgress);
    } else if (qdisc.kind == "ingress" ||
               std::ranges::count(kClassful, qdisc.kind) != 0) {
      out.push_back(qdisc.handle);
    }
  }
  return out;
}

/// The two names that an ingress qdisc goes by. The kernel shows all filters
/// under the one that was used last, so we use that of those that are there.
Result<std::uint32_t> ingress_parent(netlink::Socket& socket, const Nic& nic) {
  const auto filters = TRY(socket.filters(nic.index, netlink::kClsactHandle));
  return filters.empty() ? netlink::kClsactHandle : filters.front().parent;
}

bool is_foreign(const U32Filter& filter) {
  return filter.handle != 0 && !is_root_table(filter) && !is_ours(filter);
}

/// A filter of others that would come behind ours; or, on the other hook of a
/// clsact, one of our preferences, since u32 mixes what is equal there.
Result<std::optional<Error>> find_conflict(netlink::Socket& socket,
                                           const NicDirection& at,
                                           const std::vector<U32Filter>& all) {
  std::vector<U32Filter> foreign;
  std::ranges::copy_if(all, std::back_inserter(foreign), is_foreign);
  std::erase_if(foreign, [&](const U32Filter& filter) {
    return filter.pref < at.preference;
  });
  for (const std::uint32_t parent :
       {netlink::kClsactIngress, netlink::kClsactEgress}) {
    if (!is_hook(at.place.parent) || parent == at.place.parent) continue;
    const auto others = TRY(socket.filters(at.nic.index, parent));
    std::ranges::copy_if(
        others, std::back_inserter(foreign), [&](const U32Filter& filter) {
          return is_foreign(filter) && filter.pref >= at.preference &&
                 filter.pref < at.preference + kPrefsInUse;
        });
  }
  if (foreign.empty()) return std::optional<Error>();
  return std::optional(make_error(
      Code::kLineQdiscConflict,
      "{}: {} is not limited: a {} filter of others has preference {}, which "
      "is not before ours; raise line.preference above it",
      at.nic.name, name(at.direction), foreign.front().kind,
      foreign.front().pref));
}

}  // namespace

Result<Place> find_place(netlink::Socket& socket, const Nic& nic,
                         Direction direction) {
  const std::vector<TcQdisc> qdiscs = TRY(socket.tc_qdiscs(nic.index));
  const bool down = direction == Direction::kDown;
  const std::uint32_t hook =
      down ? netlink::kClsactIngress : netlink::kClsactEgress;
  const auto has = [&](std::string_view kind) {
    return std::ranges::count(qdiscs, kind, &TcQdisc::kind) != 0;
  };
  if (has("clsact")) return Place{.parent = hook};
  if (!has("ingress")) return Place{.parent = hook, .clsact_missing = true};
  if (down) return Place{.parent = TRY(ingress_parent(socket, nic))};
  const auto root =
      std::ranges::find(qdiscs, netlink::kTcRoot, &TcQdisc::parent);
  if (root != qdiscs.end() && std::ranges::count(kClassful, root->kind) != 0) {
    return Place{.parent = root->handle};
  }
  return make_error(
      Code::kLineQdiscConflict,
      "{}: up is not limited: an ingress qdisc of others excludes clsact, and "
      "the root qdisc {} takes no filters; use clsact in place of ingress",
      nic.name, root == qdiscs.end() ? "(none)" : root->kind);
}

Result<void> apply_filters(netlink::Socket& socket, const NicDirection& at,
                           const std::vector<U32Filter>& wanted,
                           Changes& changes) {
  const auto all = TRY(socket.filters(at.nic.index, at.place.parent));
  std::vector<U32Filter> ours;
  std::ranges::copy_if(all, std::back_inserter(ours), is_ours);
  if (const auto conflict = TRY(find_conflict(socket, at, all))) {
    TRY(delete_filters(all, ours, {}, changes));
    return *conflict;
  }
  std::vector<U32Filter> asked = wanted;
  for (U32Filter& filter : asked) {
    filter.link_index = at.nic.index;
    filter.parent = at.place.parent;
    if (filter.redirect == kToIfb) filter.redirect = at.ifb;
  }
  const FilterDifference filters = difference(ours, asked);
  // What is new comes first, so that there is no gap between.
  for (const U32Filter& filter : filters.missing) {
    TRY(changes.put([&](Batch& batch) { batch.add_filter(filter); }));
  }
  return delete_filters(all, filters.stale, filters.missing, changes);
}

Result<void> clear_nic(netlink::Socket& socket, int index, bool with_clsact) {
  Changes changes(socket);
  for (const std::uint32_t parent : parents_of(TRY(socket.tc_qdiscs(index)))) {
    const auto all = TRY(socket.filters(index, parent));
    std::vector<U32Filter> ours;
    std::ranges::copy_if(all, std::back_inserter(ours), is_ours);
    TRY(delete_filters(all, ours, {}, changes));
  }
  if (!with_clsact) return {};
  for (const std::uint32_t parent :
       {netlink::kClsactIngress, netlink::kClsactEgress}) {
    if (!TRY(socket.filters(index, parent)).empty()) return {};
  }
  return socket.run(Batch().delete_qdisc({.link_index = index,
                                          .kind = "clsact",
                                          .handle = netlink::kClsactHandle,
                                          .parent = 0xfffffff1},
                                         Missing::kFine));
}

}  // namespace linsey::line
