// The planner of eni mode: what to ask of the cloud next. Pure.
//
// It looks at what is there (interfaces, how many of their addresses are held,
// what the vSwitches still have) and at what is wanted (waiters, the warm
// pool), and answers with actions and, when demand cannot be met, the true
// reason. It is run again after every action, so it needs no memory, and what
// an earlier run or another process did is simply part of what is there.
// Interfaces outside the zone's vSwitches are drained: pods keep their
// addresses, nothing new is given, and the empty interface is removed.
// Rejected: a pool with one state machine for each interface, which has to be
// told of every surprise instead of seeing it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cloud/types.h"

namespace linsey::cloud {

inline constexpr unsigned kAssignBatch = 10;  // addresses per call, safe
inline constexpr unsigned kCreateBatch = 50;  // primary and 49 secondary ones
inline constexpr unsigned kCreateIpv6 = 10;

/// One secondary interface of ours.
struct PlanEni {
  std::string id;
  std::string v_switch;
  EniStatus status = EniStatus::kUnknown;
  bool usable = false;    // its link is set up, its addresses are supplied
  bool retiring = false;  // drained before: on its way out
  bool broken = false;    // could not be attached: to be deleted
  bool busy = false;      // detaching or deleting was asked for already
  bool overdue = false;   // should be attached by now: do not count on it
  unsigned ipv4 = 0;      // addresses on it, the primary one included
  unsigned ipv6 = 0;
  unsigned supplied = 0;      // IPv4 addresses of it that the ledger may give
  unsigned in_use = 0;        // held, reserved or cooling ones, both families
  std::vector<IpAddr> spare;  // free IPv4, not primary, longest idle first
  std::vector<IpAddr> spare6;
};

enum class Selection : std::uint8_t { kOrdered, kMostFree, kRandom };

struct PlanInput {
  std::vector<PlanEni> enis;
  unsigned other_enis = 1;  // attached ones that are not ours, the primary too
  InstanceType limits;
  std::vector<VSwitch> v_switches;  // of the zone, validated, by preference
  /// What must not be asked for now: vSwitch id -> why ("" = any creation).
  std::map<std::string, Error> suspended;
  Selection selection = Selection::kOrdered;
  std::uint64_t seed = 0;  // for kRandom
  bool dual_stack = false;
  unsigned waiting = 0;  // requests without an address
  unsigned free = 0;     // addresses that can be given now
  unsigned cooling = 0;
  unsigned min_idle = 0;
  unsigned max_idle = 0;
  bool may_reclaim = false;  // the surplus has lasted long enough
};

enum class ActionKind : std::uint8_t {
  kCreate,  // a new interface in `v_switch` with `count` addresses
  kAttach,
  kAssign,    // `count` more addresses of `family`
  kUnassign,  // `addresses`
  kDrain,     // give no address of it any more
  kDetach,
  kDelete,
};

struct EniAction {
  ActionKind kind = ActionKind::kCreate;
  std::string eni_id;
  std::string v_switch;
  Family family = Family::kV4;
  unsigned count = 0;
  unsigned count6 = 0;  // kCreate: IPv6 addresses
  std::vector<IpAddr> addresses;

  bool operator==(const EniAction&) const = default;
};
/// "create 6 in vsw-1", "assign 4 IPv4 on eni-1": for logs and tests.
std::string to_string(const EniAction& action);

struct EniPlan {
  std::vector<EniAction> actions;
  /// Why some waiters (or the warm pool) cannot be served by the actions and
  /// by what is on its way. kVSwitchExhausted, kEniLimit, kIpPerEniLimit, or
  /// the reason of a suspension.
  std::optional<Error> shortage;
  unsigned waiters_short = 0;  // how many of the waiters that concerns
};

EniPlan plan_enis(const PlanInput& input);

}  // namespace linsey::cloud
