// What the kernel shall hold to guard the leased line, computed from what is
// configured and who is there. Pure.
//
// On each NIC filters in four preferences a direction (by family: exempt, then
// the rest) lead what comes from or goes to the data centre through one ifb for
// the whole node. On the ifb stands a tree: the budget, four classes, a leaf
// for each pod and one for all that is no pod's. Leaves are found by a hash of
// the pod's address, so that the cost for a packet does not grow with the pods.
// A pod's leaf has a number that stays while the pod is there (Numbers): a
// changed plan then changes only what differs. Rejected: a tree on each NIC,
// where an unused share of one cannot be used by another.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "conf/line_config.h"
#include "netlink/tc.h"

namespace linsey::line {

enum class Direction : std::uint8_t { kDown, kUp };
inline constexpr std::array<Direction, 2> kDirections{Direction::kDown,
                                                      Direction::kUp};
std::string_view name(Direction direction);  // "down", "up"
/// The link through which a direction is led: "linsey-down", "linsey-up".
std::string_view ifb_name(Direction direction);

inline constexpr std::uint32_t kRootMinor = 1;  // the budget
inline constexpr std::uint32_t kFirstPodMinor = 0x100;
inline constexpr std::uint32_t kNodeLeafMinor = 0x20;
inline constexpr std::uint32_t kLastPodMinor = 0xfffe;
/// Minor of the inner class: 0x10, 0x11, 0x12, 0x13.
std::uint32_t class_minor(conf::LineClass cls);

struct Pod {
  std::string name_space;
  std::string name;
  std::vector<IpAddr> addresses;  // one or two
  conf::LineClass cls = conf::LineClass::kBurstable;

  bool operator==(const Pod&) const = default;
};

/// Which minor a pod's leaf has. A pod is told by its first address; one that
/// changes its class gets another number, since a class cannot move.
class Numbers {
 public:
  using Key = std::pair<IpAddr, conf::LineClass>;
  /// What the kernel still has from an earlier agent.
  void take(const Key& key, std::uint32_t minor);
  /// Forgets those not in `pods`, numbers those that are new. Numbers just
  /// given up are used again last. More than 65,000 pods: the rest have none.
  void update(const std::vector<Pod>& pods);
  /// 0: none.
  std::uint32_t of(const Pod& pod) const;

 private:
  std::map<Key, std::uint32_t> minors_;
  std::uint32_t next_ = kFirstPodMinor;
};

/// What stands on the ifb of one direction; link_index is filled in later.
struct Tree {
  netlink::TcQdisc root;
  std::vector<netlink::HtbClass> classes;  // parents before children
  std::vector<netlink::TcQdisc> queues;
  std::vector<netlink::U32Filter> filters;  // tables first
};

struct Plan {
  std::array<Tree, 2> trees;
  /// For every NIC; parent and link are filled in later. The filters that
  /// redirect have kToIfb for the ifb.
  std::array<std::vector<netlink::U32Filter>, 2> nic;

  const Tree& tree(Direction direction) const {
    return trees.at(static_cast<std::size_t>(direction));
  }
  const std::vector<netlink::U32Filter>& nic_filters(
      Direction direction) const {
    return nic.at(static_cast<std::size_t>(direction));
  }
};
inline constexpr int kToIfb = -1;
/// The class of every filter of ours on a NIC. No class has this number: it is
/// there to tell our filters from those of others, whatever their preference.
inline constexpr std::uint32_t kMark = 0x4c490000;

/// `far`: what lies beyond the line. `queue`: the kind of a leaf's queue,
/// "fq_codel" where the kernel has it, else "bfifo".
Plan make_plan(const conf::Line& line, const std::vector<Cidr>& far,
               const std::vector<Pod>& pods, const Numbers& numbers,
               const std::string& queue);

/// Whether a link's name is one of `line.links`.
bool is_nic(const std::vector<std::string>& patterns, std::string_view link);

/// One line for each object, for golden files and `linseyctl`.
std::string to_text(const Plan& plan);

}  // namespace linsey::line
