#include <algorithm>

#include <gmock/gmock.h>

#include "netlink/socket.h"
#include "tests/support/netns.h"

namespace linsey::netlink {
namespace {

using ::testing::HasSubstr;
using tests::must;

class TrafficControl : public tests::NetnsTest {
 protected:
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    socket.emplace(must(Socket::open_in(*host)));
    std::optional<Link> link;
    std::optional<Link> other;
    must(socket->run(Batch()
                         .add_link({.name = "a",
                                    .kind = "veth",
                                    .up = true,
                                    .peer = PeerSpec{.name = "b"}})
                         .add_link({.name = "i", .kind = "ifb", .up = true})
                         .read_link("a", link)
                         .read_link("i", other)));
    a = link->index;
    ifb = other->index;
  }
  std::optional<Tbf> tbf_of(int index) {
    for (const Qdisc& qdisc : must(socket->qdiscs(index))) {
      if (qdisc.tbf) return qdisc.tbf;
    }
    return std::nullopt;
  }

  std::optional<Socket> socket;
  int a = 0;
  int ifb = 0;
};

TEST_F(TrafficControl, KeepsASmallBucketExactly) {
  must(socket->run(Batch().replace_tbf(
      a, {.rate = 125000, .burst = 125000, .limit = 128125})));

  const Tbf tbf = tbf_of(a).value();
  EXPECT_EQ(tbf.rate, 125000U);
  EXPECT_NEAR(tbf.burst, 125000, 100);
  EXPECT_EQ(tbf.limit, 128125U);
}

TEST_F(TrafficControl, KeepsARateAbove32Bits) {
  const Tbf want{
      .rate = 12'500'000'000, .burst = 256U << 20, .limit = 580'000'000};
  must(socket->run(Batch().replace_tbf(a, want)));

  const Tbf tbf = tbf_of(a).value();
  EXPECT_EQ(tbf.rate, want.rate);
  EXPECT_NEAR(tbf.burst, want.burst, want.burst * 0.01);
  EXPECT_EQ(tbf.limit, want.limit);
  EXPECT_THAT(sh(*host, "tc qdisc show dev a"), HasSubstr("rate 100Gbit"));
}

TEST_F(TrafficControl, ReplacesABucket) {
  must(socket->run(Batch().replace_tbf(
      a, {.rate = 125000, .burst = 20000, .limit = 30000})));
  must(socket->run(Batch().replace_tbf(
      a, {.rate = 250000, .burst = 20000, .limit = 40000})));

  EXPECT_EQ(tbf_of(a).value().rate, 250000U);
}

TEST_F(TrafficControl, RedirectsWhatEntersALink) {
  EXPECT_EQ(must(socket->ingress_redirect(a)), std::nullopt);

  must(socket->run(Batch().add_ingress_redirect(a, ifb)));

  EXPECT_EQ(must(socket->ingress_redirect(a)), ifb);
  must(socket->run(Batch().delete_qdisc(a, true)));
  EXPECT_EQ(must(socket->ingress_redirect(a)), std::nullopt);
}

TEST_F(TrafficControl, CountsAMissingQdiscAsDeletedWhereAsked) {
  EXPECT_FALSE(socket->run(Batch().delete_qdisc(a, true)));
  must(socket->run(Batch()
                       .delete_qdisc(a, true, Missing::kFine)
                       .delete_qdisc(a, false, Missing::kFine)
                       .delete_qdisc(4711, false, Missing::kFine)));
}

}  // namespace
}  // namespace linsey::netlink
