// One pod wired by datapath in fresh namespaces: what its tests start from.
#pragma once

#include <string>
#include <vector>

#include "datapath/plan.h"
#include "datapath/wire.h"
#include "tests/support/netns.h"

namespace linsey::tests {

inline constexpr const char* kNode4 = "192.168.50.1";
inline constexpr const char* kNode6 = "fd00:50::1";
inline constexpr const char* kPod4 = "10.64.0.7";
inline constexpr const char* kPod6 = "fd00:64::7";

/// An attachment of pod shop/web-0 in container "c1".
ipam::Attachment attachment_of(const std::string& ifname = "eth0");
/// Both families, node addresses kNode4 and kNode6.
ipam::Allocation dual_stack();
/// dual_stack() on an ENI with table 1003.
ipam::Allocation on_eni();

/// NetnsTest whose host holds the node addresses on an ifb "uplink".
class WiredTest : public NetnsTest {
 protected:
  void SetUp() override;

  /// Wires on the host's side; the undo runs when `keep` is false.
  Result<datapath::Wired> wire(const datapath::Plan& plan,
                               const netlink::NetNs& into, bool keep = true);
  Result<datapath::Wired> wire(const datapath::Plan& plan) {
    return wire(plan, *pod);
  }
  /// All differences from the plan, both sides.
  std::vector<std::string> differences(const datapath::Plan& plan);
  datapath::Traces ours();
  /// Host state that a pod leaves its mark on, as text, for before and after.
  std::string host_state();
};

}  // namespace linsey::tests
