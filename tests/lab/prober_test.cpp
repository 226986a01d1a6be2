#include "lab/prober.h"

#include <unistd.h>

#include <algorithm>

#include <gtest/gtest.h>

#include "lab/in_namespace.h"

namespace linsey::lab {
namespace {

constexpr SweepOptions kShort{.limit = std::chrono::milliseconds(1200)};

/// Two namespaces with a cable between them, both families.
class Prober : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for network namespaces";
    ASSERT_TRUE(
        ip_batch(a_, "link add e type veth peer name e netns " + b_.path() +
                         "\naddr add 10.9.0.1/24 dev e\n"
                         "addr add fd00::1/64 dev e nodad\nlink set e up\n"
                         "link set lo up\n")
            .has_value());
    ASSERT_TRUE(ip_batch(b_,
                         "addr add 10.9.0.2/24 dev e\n"
                         "addr add fd00::2/64 dev e nodad\nlink set e up\n"
                         "link set lo up\n")
                    .has_value());
  }

  std::vector<Endpoint> endpoints(const std::string& a6,
                                  const std::string& b6) {
    std::vector<Endpoint> out;
    out.push_back({"a",
                   {*IpAddr::parse("10.9.0.1"), *IpAddr::parse(a6)},
                   *netlink::NetNs::open(a_.path())});
    out.push_back({"b",
                   {*IpAddr::parse("10.9.0.2"), *IpAddr::parse(b6)},
                   *netlink::NetNs::open(b_.path())});
    return out;
  }

  netlink::NetNs a_ = *netlink::NetNs::create();
  netlink::NetNs b_ = *netlink::NetNs::create();
};

TEST_F(Prober, SeesBothFamiliesInBothDirections) {
  const auto probes = sweep(endpoints("fd00::1", "fd00::2"));

  ASSERT_TRUE(probes.has_value()) << probes.error().details;
  EXPECT_EQ(probes->size(), 4U);
  EXPECT_TRUE(std::ranges::all_of(*probes, &Probe::ok));
}

TEST_F(Prober, ManyProbesTakeSeveralRounds) {
  const auto probes = sweep(endpoints("fd00::1", "fd00::2"), {.at_once = 1});

  ASSERT_TRUE(probes.has_value()) << probes.error().details;
  EXPECT_EQ(probes->size(), 4U);
  EXPECT_TRUE(std::ranges::all_of(*probes, &Probe::ok));
}

TEST_F(Prober, ReportsASilentPairInsteadOfWaitingForEver) {
  ASSERT_TRUE(nft(b_,
                  "table inet t {\nchain c { type filter hook input "
                  "priority 0; ip protocol { tcp, icmp } drop;\n}\n}\n")
                  .has_value());

  const auto probes = sweep(endpoints("fd00::1", "fd00::2"), kShort);

  ASSERT_TRUE(probes.has_value());
  const auto to_b =
      std::ranges::find(*probes, *IpAddr::parse("10.9.0.2"), &Probe::address);
  ASSERT_NE(to_b, probes->end());
  EXPECT_FALSE(to_b->icmp);
  EXPECT_FALSE(to_b->tcp);
  EXPECT_EQ(to_b->error, "no answer in time");
}

TEST_F(Prober, SaysWhoAnsweredInstead) {
  // b's address is taken by a itself: the connection ends in the wrong place.
  std::vector<Endpoint> list = endpoints("fd00::1", "fd00::2");
  list.push_back(
      {"c", {*IpAddr::parse("10.9.0.3")}, *netlink::NetNs::create()});
  ASSERT_TRUE(ip_batch(list[2].ns,
                       "link set lo up\n"
                       "addr add 10.9.0.3/32 dev lo\n")
                  .has_value());
  ASSERT_TRUE(ip_batch(b_, "addr add 10.9.0.3/32 dev e\n").has_value());
  ASSERT_TRUE(nft(b_,
                  "table ip t {\nchain c { type nat hook prerouting "
                  "priority -100; ip daddr 10.9.0.3 dnat to 10.9.0.2;\n}\n}\n")
                  .has_value());

  const auto probes = sweep(list, kShort);

  ASSERT_TRUE(probes.has_value());
  const auto wrong = std::ranges::find_if(*probes, [](const Probe& probe) {
    return probe.from == "a" && probe.to == "c";
  });
  ASSERT_NE(wrong, probes->end());
  EXPECT_FALSE(wrong->tcp);
  EXPECT_EQ(wrong->error, "answered by b");
}

}  // namespace
}  // namespace linsey::lab
