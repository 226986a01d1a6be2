// Desired: what one link and all that hangs on it should look like, as data.
//
// apply makes it so, verify says what differs, remove takes it away. A plan
// (datapath/plan.h) holds two of them, one for each end of the pair; ADD,
// CHECK, DEL and the agent's repair all read the same value.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "netlink/socket.h"
#include "netlink/types.h"

namespace linsey::netlink {

/// Link indices inside addresses, routes and neighbours are 0 and stand for
/// the link itself, which is found by name; a route of another link says so.
struct Desired {
  std::string name;
  std::string alias;  // empty: not looked at
  Mac mac;
  std::uint32_t mtu = 1500;  // set, never verified: chained plugins change it
  bool strict_reverse_path = false;  // rp_filter 1, else left alone
  bool ipv4_forwarding = false;
  bool route_localnet = false;     // host ports of 127.0.0.1 lead over it
  bool manual_link_local = false;  // no automatic fe80:: address
  std::vector<Address> addresses;
  std::vector<Route> routes;
  std::vector<Rule> rules;
  std::vector<Neighbor> neighbors;

  bool operator==(const Desired&) const = default;
};

/// Puts all that `desired` asks of the existing link `index` into `batch`:
/// attributes, up, addresses, neighbours, routes, rules. kExact is for a link
/// just made with its MAC and MTU and refuses what is there already; kRepair
/// replaces it and sets the MAC again.
enum class Apply : std::uint8_t { kExact, kRepair };
void add_to(Batch& batch, const Desired& desired, int index,
            Apply how = Apply::kExact);

/// add_to and run. Errors: kKernel naming the step; kStateMismatch when there
/// is no such link (kRepair only makes what hangs on it).
Result<void> apply(Socket& socket, const Desired& desired,
                   Apply how = Apply::kExact);

/// What stands on one link.
struct Observed {
  Link link;
  std::vector<Address> addresses;
  std::vector<Route> routes;
  std::vector<Neighbor> neighbors;  // permanent ones
};

/// Reads the link and, of what hangs on it, the kinds and families that
/// `desired` speaks of: each kind is a round trip. Of the families in `whole`
/// all addresses of the link and all routes of its namespace are read besides.
/// nullopt when there is no such link. Errors: kKernel.
Result<std::optional<Observed>> observe(Socket& socket, const Desired& desired,
                                        const std::set<Family>& whole = {});
/// The rules of `desired` that are missing. No round trip when it has none.
Result<std::vector<std::string>> verify_rules(Socket& socket,
                                              const Desired& desired);
/// As verify, without rules, of what was read before. Pure.
std::vector<std::string> compare(const Desired& desired,
                                 const std::optional<Observed>& observed);

/// What differs, one sentence each; empty: all as wanted. More than wanted is
/// no difference, nor is another MTU. Errors: kKernel.
Result<std::vector<std::string>> verify(Socket& socket, const Desired& desired);

/// Removes rules, routes, neighbours and addresses; the link stays. What is
/// missing is success; errors are gathered.
Result<void> remove(Socket& socket, const Desired& desired);

}  // namespace linsey::netlink
