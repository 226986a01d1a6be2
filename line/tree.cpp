#include "line/tree.h"

#include <algorithm>
#include <map>
#include <set>

namespace linsey::line {
namespace {

using netlink::Batch;
using netlink::HtbClass;
using netlink::Missing;
using netlink::TcQdisc;
using netlink::U32Filter;

/// The kernel keeps the burst as time; it follows from the rates. Quantum and
/// priority are a leaf's alone.
bool same_class(const HtbClass& a, const HtbClass& b) {
  const bool leaf = (a.handle & 0xffff) >= kNodeLeafMinor;
  return a.parent == b.parent && a.rate == b.rate && a.ceil == b.ceil &&
         (!leaf || (a.quantum == b.quantum && a.prio == b.prio));
}

template <typename T>
std::vector<T> on_link(std::vector<T> items, int index) {
  for (T& item : items) {
    item.link_index = index;
  }
  return items;
}

struct Standing {
  std::map<std::uint32_t, HtbClass> classes;
  std::map<std::uint32_t, TcQdisc> queues;  // by parent
  std::vector<U32Filter> filters;
};

Result<Standing> read(netlink::Socket& socket, int index, const Tree& wanted,
                      Changes& changes) {
  Standing standing;
  TcQdisc root = wanted.root;
  root.link_index = index;
  for (const TcQdisc& qdisc : TRY(socket.tc_qdiscs(index))) {
    standing.queues[qdisc.parent] = qdisc;
  }
  const TcQdisc& have = standing.queues[root.parent];
  if (have.kind != root.kind || have.handle != root.handle ||
      have.default_class != root.default_class) {
    TRY(changes.put([&](Batch& batch) {
      batch.delete_qdisc({.link_index = index, .parent = root.parent},
                         Missing::kFine);
    }));
    TRY(changes.put([&](Batch& batch) { batch.put_qdisc(root); }));
    return Standing{};
  }
  for (const HtbClass& cls : TRY(socket.htb_classes(index))) {
    standing.classes[cls.handle] = cls;
  }
  standing.filters = TRY(socket.filters(index, root.handle));
  return standing;
}

/// Leaves first, as a class with children cannot go.
std::vector<HtbClass> stale_classes(const Standing& standing,
                                    const Tree& wanted) {
  std::map<std::uint32_t, std::uint32_t> parents;
  for (const HtbClass& cls : wanted.classes) {
    parents[cls.handle] = cls.parent;
  }
  std::vector<HtbClass> out;
  for (const auto& [handle, cls] : standing.classes) {
    const auto found = parents.find(handle);
    if (found == parents.end() || found->second != cls.parent) {
      out.push_back(cls);
    }
  }
  std::ranges::reverse(out);
  return out;
}

Result<void> add_classes(const Standing& standing, int index,
                         const Tree& wanted, Changes& changes) {
  for (const HtbClass& cls : on_link(wanted.classes, index)) {
    const auto have = standing.classes.find(cls.handle);
    if (have != standing.classes.end() && same_class(have->second, cls)) {
      continue;
    }
    TRY(changes.put([&](Batch& batch) { batch.put_class(cls); }));
  }
  for (const TcQdisc& queue : on_link(wanted.queues, index)) {
    const auto have = standing.queues.find(queue.parent);
    if (have != standing.queues.end() && have->second.kind == queue.kind &&
        have->second.handle == queue.handle &&
        have->second.limit == queue.limit) {
      continue;
    }
    TRY(changes.put([&](Batch& batch) { batch.put_qdisc(queue); }));
  }
  return {};
}

}  // namespace

Result<void> apply_tree(netlink::Socket& socket, int index, const Tree& wanted,
                        Changes& changes) {
  Standing standing = TRY(read(socket, index, wanted, changes));
  const FilterDifference filters =
      difference(standing.filters, on_link(wanted.filters, index));
  for (const U32Filter& filter : filters.stale) {
    TRY(changes.put(
        [&](Batch& batch) { batch.delete_filter(filter, Missing::kFine); }));
  }
  for (const HtbClass& cls : stale_classes(standing, wanted)) {
    TRY(changes.put(
        [&](Batch& batch) { batch.delete_class(cls, Missing::kFine); }));
    standing.queues.erase(cls.handle);
    standing.classes.erase(cls.handle);
  }
  TRY(add_classes(standing, index, wanted, changes));
  for (const U32Filter& filter : filters.missing) {
    TRY(changes.put([&](Batch& batch) { batch.add_filter(filter); }));
  }
  return changes.finish();
}

}  // namespace linsey::line
