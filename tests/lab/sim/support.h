// A small region on a clock of the test's own, and ways to ask it.
#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "lab/sim/cloud.h"
#include "tests/support/fake_clock.h"

namespace linsey::sim::tests {

/// One VPC, zones a and b, a host vSwitch and a pod vSwitch in each (that of b
/// without IPv6), a security group, two ecs.g7.large instances: i-a and i-b.
void fill(Cloud& cloud);

struct SmallCloud {
  SmallCloud() { fill(cloud); }

  linsey::tests::FakeClock clock;
  Cloud cloud{clock};
};

using Params = std::map<std::string, std::string>;

Reply ask(Cloud& cloud, const std::string& action, Params params);
/// The reply's body; fails the test when the call was refused.
std::string ask_ok(Cloud& cloud, const std::string& action, Params params);
/// The string at a JSON pointer; "" when there is none.
std::string at(const std::string& body, const std::string& pointer);
std::size_t size_at(const std::string& body, const std::string& pointer);

/// Makes an ENI in the pod vSwitch of zone a; its id.
std::string make_eni(Cloud& cloud, Params more = {});
/// As make_eni, and attached to i-a.
std::string attached_eni(Cloud& cloud, Params more = {});
/// "" when it is not listed.
std::string eni_status(Cloud& cloud, const std::string& eni);

}  // namespace linsey::sim::tests
