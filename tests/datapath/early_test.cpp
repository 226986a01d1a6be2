// The pair that is made before the allocation is known.
#include <gmock/gmock.h>

#include "datapath/wire.h"
#include "tests/datapath/wired_pod.h"

namespace linsey::datapath {
namespace {

using ::testing::IsEmpty;
using tests::attachment_of;
using tests::dual_stack;
using tests::must;

class EarlyPairTest : public tests::WiredTest {
 protected:
  /// Works in the host's namespace, as the plugin does.
  template <typename Work>
  void on_host(Work work) {
    must(host->run(work));
  }
};

TEST_F(EarlyPairTest, BecomesThePlan) {
  const Plan plan = must(make_plan(attachment_of(), dual_stack()));
  on_host([&]() -> Result<void> {
    Rollback undo;
    TRY(datapath::wire(plan, *pod, undo,
                       EarlyPair::make(attachment_of(), *pod)));
    undo.commit();
    return {};
  });
  EXPECT_THAT(differences(plan), IsEmpty());
}

TEST_F(EarlyPairTest, TakesTheAllocationsMtu) {
  ipam::Allocation allocation = dual_stack();
  allocation.mtu = 1400;
  const Plan plan = must(make_plan(attachment_of(), allocation));
  on_host([&]() -> Result<void> {
    Rollback undo;
    TRY(datapath::wire(plan, *pod, undo,
                       EarlyPair::make(attachment_of(), *pod)));
    undo.commit();
    netlink::Socket outside = TRY(netlink::Socket::open());
    netlink::Socket inside = TRY(netlink::Socket::open_in(*pod));
    EXPECT_EQ(TRY(outside.find_link(plan.host.name))->mtu, 1400U);
    EXPECT_EQ(TRY(inside.find_link(plan.pod.name))->mtu, 1400U);
    return {};
  });
  EXPECT_THAT(differences(plan), IsEmpty());
}

TEST_F(EarlyPairTest, LeavesNothingWhenTheAgentRefuses) {
  const std::string before = host_state();
  on_host([&]() -> Result<void> {
    const EarlyPair unused = EarlyPair::make(attachment_of(), *pod);
    EXPECT_NE(host_state(), before);
    return {};
  });
  EXPECT_EQ(host_state(), before);
}

TEST_F(EarlyPairTest, TouchesNothingThatStandsInItsWay) {
  const Plan plan = must(make_plan(attachment_of(), dual_stack()));
  must(wire(plan));
  const std::string before = host_state();
  on_host([&]() -> Result<void> {
    const EarlyPair blocked = EarlyPair::make(attachment_of(), *pod);
    EXPECT_EQ(host_state(), before);
    return {};
  });
  EXPECT_EQ(host_state(), before);
  EXPECT_THAT(differences(plan), IsEmpty());
}

TEST_F(EarlyPairTest, OfAnotherAttachmentIsNotUsed) {
  const Plan plan = must(make_plan(attachment_of(), dual_stack()));
  ipam::Attachment other = attachment_of();
  other.key.container_id = "other";
  on_host([&]() -> Result<void> {
    Rollback undo;
    TRY(datapath::wire(plan, *pod, undo, EarlyPair::make(other, *pod)));
    undo.commit();
    return {};
  });
  EXPECT_THAT(differences(plan), IsEmpty());
}

}  // namespace
}  // namespace linsey::datapath
