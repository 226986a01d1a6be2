#include "lab/vpc.h"

#include <unistd.h>

#include <optional>

#include <gtest/gtest.h>

#include "lab/prober.h"
#include "lab/shipped.h"
#include "netlink/socket.h"

namespace linsey::lab {
namespace {

/// A VPC with two machines whose primary ENIs are plugged in and configured
/// as an operating system does it.
class Vpc : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for network namespaces";
    topology_ = *parse_topology(shipped_topology());
    vpc_.emplace(*VpcNetwork::build(topology_));
    plug(a_, primary_a_, "172.16.0.253");
    plug(b_, primary_b_, "172.16.1.253");
  }

  void plug(const netlink::NetNs& node, const EniLink& eni,
            const std::string& gateway) {
    ASSERT_TRUE(vpc_->attach(eni, node, "eth0").has_value());
    const std::string address = eni.addresses.front().to_string();
    ASSERT_TRUE(ip_batch(node, "link set lo up\naddr add " + address +
                                   "/24 dev eth0\nlink set eth0 up\n"
                                   "route add default via " +
                                   gateway + "\n")
                    .has_value());
  }

  /// From a, out of whatever address: does b answer?
  Probe probe(const IpAddr& from, const IpAddr& to) {
    std::vector<Endpoint> endpoints;
    endpoints.push_back({"a", {from}, *netlink::NetNs::open(a_.path())});
    endpoints.push_back({"b", {to}, *netlink::NetNs::open(b_.path())});
    return sweep(endpoints, {.limit = std::chrono::milliseconds(1500)})
        ->front();
  }

  Topology topology_;
  std::optional<VpcNetwork> vpc_;
  netlink::NetNs a_ = *netlink::NetNs::create();
  netlink::NetNs b_ = *netlink::NetNs::create();
  EniLink primary_a_{"eni-a",
                     *Mac::parse("00:16:3e:00:00:01"),
                     "vsw-lab0hosta",
                     {IpAddr::v4(0xac10000b)}};
  EniLink primary_b_{"eni-b",
                     *Mac::parse("00:16:3e:00:00:02"),
                     "vsw-lab0hostb",
                     {IpAddr::v4(0xac10010c)}};
};

TEST_F(Vpc, RoutesBetweenVSwitches) {
  const Probe seen =
      probe(primary_a_.addresses.front(), primary_b_.addresses.front());

  EXPECT_TRUE(seen.ok()) << seen.error;
  EXPECT_EQ(*vpc_->spoofed(), 0U);
}

TEST_F(Vpc, ASecurityGroupAdmitsEachDirectionByItself) {
  const IpAddr far = *IpAddr::parse("10.0.9.9");
  topology_.vpc.groups["sg-in"] = {.ingress = {*Cidr::parse("10.0.9.0/24")},
                                   .egress = {}};
  vpc_.emplace(*VpcNetwork::build(topology_));
  a_ = *netlink::NetNs::create();
  b_ = *netlink::NetNs::create();
  primary_a_.groups = {"sg-in"};
  primary_b_.addresses.push_back(far);
  plug(a_, primary_a_, "172.16.0.253");
  plug(b_, primary_b_, "172.16.1.253");
  ASSERT_TRUE(ip_batch(b_,
                       "addr add 10.0.9.9/32 dev eth0\n"
                       "route replace default via 172.16.1.253 src "
                       "10.0.9.9\n")
                  .has_value());

  std::vector<Endpoint> endpoints;
  endpoints.push_back(
      {"a", primary_a_.addresses, *netlink::NetNs::open(a_.path())});
  endpoints.push_back({"b", {far}, *netlink::NetNs::open(b_.path())});
  const auto probes =
      *sweep(endpoints, {.limit = std::chrono::milliseconds(1500)});

  EXPECT_FALSE(probes[0].ok());  // a to b: no egress
  EXPECT_TRUE(probes[1].ok()) << probes[1].error;
  EXPECT_GT(*vpc_->refused(), 0U);
  EXPECT_TRUE(vpc_->detach("eni-a").has_value());
}

TEST_F(Vpc, APluggedEniIsABareLinkWithTheCloudsMac) {
  const EniLink eni{"eni-2",
                    *Mac::parse("00:16:3e:00:00:09"),
                    "vsw-lab0poda",
                    {IpAddr::v4(0xac101005)}};

  ASSERT_TRUE(vpc_->attach(eni, a_, "eth1").has_value());

  netlink::Socket socket = *netlink::Socket::open_in(a_);
  const auto link = *socket.find_link("eth1");
  ASSERT_TRUE(link.has_value());
  EXPECT_EQ(link->mac, eni.mac);
  EXPECT_FALSE(link->up);
  ASSERT_TRUE(vpc_->detach("eni-2").has_value());
  EXPECT_FALSE((*socket.find_link("eth1")).has_value());
}

TEST_F(Vpc, ASourceThatTheEniDoesNotOwnDies) {
  ASSERT_TRUE(ip_batch(a_,
                       "addr add 172.16.16.9/32 dev lo\n"
                       "route replace default via 172.16.0.253 dev eth0 "
                       "src 172.16.16.9\n")
                  .has_value());

  const Probe seen =
      probe(IpAddr::v4(0xac101009), primary_b_.addresses.front());

  EXPECT_FALSE(seen.icmp);
  EXPECT_FALSE(seen.tcp);
  EXPECT_GT(*vpc_->spoofed(), 0U);
}

TEST_F(Vpc, AnAddressWorksFromTheMomentItIsAssigned) {
  const IpAddr second = IpAddr::v4(0xac101009);
  ASSERT_TRUE(ip_batch(a_,
                       "addr add 172.16.16.9/32 dev lo\n"
                       "route replace default via 172.16.0.253 dev eth0 "
                       "src 172.16.16.9\n")
                  .has_value());

  ASSERT_TRUE(
      vpc_->set_addresses("eni-a", {primary_a_.addresses.front(), second})
          .has_value());

  EXPECT_TRUE(probe(second, primary_b_.addresses.front()).ok());
  ASSERT_TRUE(vpc_->set_addresses("eni-a", primary_a_.addresses).has_value());
  EXPECT_FALSE(probe(second, primary_b_.addresses.front()).ok());
}

TEST_F(Vpc, RefusesAnEniOfAForeignVSwitch) {
  const EniLink eni{"eni-3", *Mac::parse("00:16:3e:00:00:0a"), "vsw-other", {}};

  const Result<void> done = vpc_->attach(eni, a_, "eth1");

  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, Code::kVSwitchNotFound);
}

}  // namespace
}  // namespace linsey::lab
