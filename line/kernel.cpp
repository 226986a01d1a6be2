#include "line/kernel.h"

#include <algorithm>

#include "line/nic.h"
#include "line/owned.h"
#include "line/tree.h"

namespace linsey::line {
namespace {

using netlink::Batch;
using netlink::HtbClass;
using netlink::Link;
using netlink::Missing;
using netlink::Socket;
using netlink::TcQdisc;
using netlink::U32Filter;

constexpr std::uint32_t kClsactParent = 0xfffffff1;

Result<std::optional<Link>> find_ifb(Socket& socket, Direction direction) {
  const std::string name(ifb_name(direction));
  std::optional<Link> link = TRY(socket.find_link(name));
  if (link && link->kind != "ifb") {
    return make_error(Code::kLineQdiscConflict,
                      "a link {} is there that is no ifb; rename it", name);
  }
  return link;
}

Result<Link> ensure_ifb(Socket& socket, Direction direction) {
  if (auto link = TRY(find_ifb(socket, direction))) {
    if (!link->up) TRY(socket.run(Batch().set_link(link->index, {.up = true})));
    return *link;
  }
  const std::string name(ifb_name(direction));
  TRY(socket.run(Batch().add_link({.name = name, .kind = "ifb", .up = true})));
  const auto made = TRY(find_ifb(socket, direction));
  if (!made) return make_error(Code::kKernel, "link {} vanished", name);
  return *made;
}

Result<std::vector<Nic>> find_nics(Socket& socket, const conf::Line& line) {
  std::vector<Nic> nics;
  for (const Link& link : TRY(socket.links())) {
    if (is_nic(line.links, link.name)) nics.push_back({link.index, link.name});
  }
  return nics;
}

Result<void> remember(Socket& socket, int ifb, const Owned& before,
                      const Owned& now) {
  if (now == before) return {};
  return socket.run(Batch().set_link(ifb, {.alias = to_text(now)}));
}

/// One NIC's two directions; conflicts go into the report.
Result<void> guard_nic(Socket& socket, const Nic& nic, const Plan& plan,
                       const std::array<int, 2>& ifbs, const conf::Line& line,
                       Report& report, Changes& changes) {
  for (const Direction direction : kDirections) {
    const Result<Place> place = find_place(socket, nic, direction);
    if (!place && place.error().code != Code::kLineQdiscConflict) {
      return place.error();
    }
    if (!place) {
      report.conflicts.push_back(place.error());
      continue;
    }
    if (place->clsact_missing) {
      const TcQdisc clsact{.link_index = nic.index,
                           .kind = "clsact",
                           .handle = netlink::kClsactHandle,
                           .parent = kClsactParent};
      TRY(changes.put([&](Batch& batch) { batch.put_qdisc(clsact); }));
      TRY(changes.finish());
    }
    const Result<void> applied =
        apply_filters(socket,
                      {.nic = nic,
                       .direction = direction,
                       .place = *place,
                       .ifb = ifbs.at(static_cast<std::size_t>(direction)),
                       .preference = line.preference},
                      plan.nic_filters(direction), changes);
    if (!applied && applied.error().code != Code::kLineQdiscConflict) {
      return applied.error();
    }
    if (!applied) report.conflicts.push_back(applied.error());
  }
  report.nics.push_back(nic.name);
  return {};
}

/// What is written down before anything is made. `made` holds the NICs that
/// have neither clsact nor ingress of others.
Result<Owned> about_to_own(Socket& socket, const Owned& before,
                           const std::vector<Nic>& nics) {
  Owned owned = before;
  for (const Nic& nic : nics) {
    if (!owned.nics.insert(nic.index).second) continue;
    const auto place = find_place(socket, nic, Direction::kDown);
    if (place && place->clsact_missing) owned.made.insert(nic.index);
  }
  return owned;
}

}  // namespace

Result<Report> apply(Socket& socket, const conf::Line& line, const Plan& plan) {
  Report report;
  Changes changes(socket);
  std::array<int, 2> ifbs{};
  Owned before;
  for (const Direction direction : kDirections) {
    const Link ifb = TRY(ensure_ifb(socket, direction));
    const auto at = static_cast<std::size_t>(direction);
    ifbs.at(at) = ifb.index;
    if (direction == Direction::kDown) before = parse_owned(ifb.alias);
    TRY(context(apply_tree(socket, ifb.index, plan.trees.at(at), changes),
                "the line's tree on {}", ifb.name));
  }
  const std::vector<Nic> nics = TRY(find_nics(socket, line));
  Owned owned = TRY(about_to_own(socket, before, nics));
  TRY(remember(socket, ifbs.front(), before, owned));
  for (const Nic& nic : nics) {
    TRY(guard_nic(socket, nic, plan, ifbs, line, report, changes));
  }
  Owned now;
  for (const int index : owned.nics) {
    const bool wanted =
        std::ranges::find(nics, index, &Nic::index) != nics.end();
    const bool made = owned.made.contains(index);
    if (!wanted) {
      TRY(clear_nic(socket, index, made));
      continue;
    }
    now.nics.insert(index);
    if (made) now.made.insert(index);
  }
  TRY(remember(socket, ifbs.front(), owned, now));
  report.changes = changes.count();
  return report;
}

Result<void> remove_all(Socket& socket) {
  const auto down = TRY(find_ifb(socket, Direction::kDown));
  if (down) {
    const Owned owned = parse_owned(down->alias);
    for (const int index : owned.nics) {
      TRY(clear_nic(socket, index, owned.made.contains(index)));
    }
  }
  // linsey-down goes last: it holds what is still to be removed.
  for (const Direction direction : {Direction::kUp, Direction::kDown}) {
    const auto ifb = TRY(find_ifb(socket, direction));
    if (!ifb) continue;
    TRY(socket.run(Batch().delete_link(ifb->index, Missing::kFine)));
  }
  return {};
}

Result<std::string> leaf_queue(Socket& socket) {
  const Link ifb = TRY(ensure_ifb(socket, Direction::kDown));
  for (const TcQdisc& qdisc : TRY(socket.tc_qdiscs(ifb.index))) {
    const std::uint32_t node_leaf = 0x10000 | kNodeLeafMinor;
    if (qdisc.parent == node_leaf) return qdisc.kind;
  }
  const TcQdisc trial{.link_index = ifb.index,
                      .kind = "fq_codel",
                      .handle = 0x20000,
                      .parent = netlink::kTcRoot};
  if (!socket.run(Batch().put_qdisc(trial))) return std::string("bfifo");
  TRY(socket.run(Batch().delete_qdisc(trial, Missing::kFine)));
  return trial.kind;
}

Result<Numbers> recover_numbers(Socket& socket) {
  Numbers numbers;
  const auto ifb = TRY(find_ifb(socket, Direction::kDown));
  if (!ifb) return numbers;
  std::map<std::uint32_t, std::uint32_t> parents;
  for (const HtbClass& cls : TRY(socket.htb_classes(ifb->index))) {
    parents[cls.handle] = cls.parent & 0xffff;
  }
  for (const U32Filter& filter : TRY(socket.filters(ifb->index, 0x10000))) {
    // A pod is told by its first address; one with both families is numbered
    // by its IPv4 one, and the key of its other address is never asked for.
    if (filter.class_id == 0) continue;
    std::vector<std::uint8_t> bytes;
    for (const netlink::U32Key& key : filter.keys) {
      for (const int shift : {24, 16, 8, 0}) {
        bytes.push_back(static_cast<std::uint8_t>(key.value >> shift));
      }
    }
    if (bytes.size() != 4 && bytes.size() != 16) continue;
    for (const conf::LineClass cls : conf::kLineClasses) {
      if (parents[filter.class_id] != class_minor(cls)) continue;
      numbers.take({IpAddr::from_bytes(bytes), cls}, filter.class_id & 0xffff);
    }
  }
  return numbers;
}

Result<std::array<std::vector<HtbClass>, 2>> read_classes(Socket& socket) {
  std::array<std::vector<HtbClass>, 2> out;
  for (const Direction direction : kDirections) {
    const auto ifb = TRY(find_ifb(socket, direction));
    if (!ifb) continue;
    out.at(static_cast<std::size_t>(direction)) =
        TRY(socket.htb_classes(ifb->index));
  }
  return out;
}

}  // namespace linsey::line
