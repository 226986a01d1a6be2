#include "lab/sim/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/lab/sim/support.h"

namespace linsey::sim::tests {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

/// The guest's side of i-a.
struct Guest : SmallCloud {
  HttpResponse get(const std::string& path,
                   std::map<std::string, std::string> headers = {}) {
    return metadata.handle({.method = "GET",
                            .path = "/latest/" + path,
                            .query = {},
                            .headers = std::move(headers),
                            .body = {}});
  }
  std::string item(const std::string& path) {
    return get("meta-data/" + path).body;
  }
  HttpResponse put_token(std::map<std::string, std::string> headers) {
    return metadata.handle({.method = "PUT",
                            .path = "/latest/api/token",
                            .query = {},
                            .headers = std::move(headers),
                            .body = {}});
  }
  std::string mac_of(const std::string& eni) const {
    for (const EniView& one : cloud.enis()) {
      if (one.id == eni) return one.mac.to_string();
    }
    return "none";
  }

  Metadata metadata{cloud, "i-a"};
};

constexpr const char* kTtl = "x-aliyun-ecs-metadata-token-ttl-seconds";
constexpr const char* kToken = "x-aliyun-ecs-metadata-token";

TEST(SimMetadata, TellsWhoTheInstanceIs) {
  Guest guest;

  EXPECT_EQ(guest.item("instance-id"), "i-a");
  EXPECT_EQ(guest.item("instance/instance-type"), "ecs.g7.large");
  EXPECT_EQ(guest.item("region-id"), "cn-sim");
  EXPECT_EQ(guest.item("zone-id"), "cn-sim-a");
  EXPECT_EQ(guest.item("vpc-id"), "vpc-1");
  EXPECT_EQ(guest.item("vswitch-id"), "vsw-host-a");
  EXPECT_EQ(guest.item("vswitch-cidr-block"), "172.16.0.0/24");
  EXPECT_EQ(guest.get("meta-data/no-such-item").status, 404);
  EXPECT_EQ(guest.get("user-data").status, 404);
  EXPECT_THAT(guest.get("dynamic/instance-identity/document").body,
              testing::HasSubstr("\"zone-id\":\"cn-sim-a\""));
}

TEST(SimMetadata, DescribesAnAttachedEni) {
  Guest guest;
  const std::string eni =
      attached_eni(guest.cloud, {{"PrimaryIpAddress", "172.16.16.5"},
                                 {"PrivateIpAddress.1", "172.16.16.6"},
                                 {"Ipv6Address.1", "fd00:1:0:10::99"}});
  const std::string base = "network/interfaces/macs/" + guest.mac_of(eni) + "/";

  EXPECT_THAT(guest.item("network/interfaces/macs/"),
              testing::HasSubstr(guest.mac_of(eni) + "/"));
  EXPECT_EQ(guest.item(base + "network-interface-id"), eni);
  EXPECT_EQ(guest.item(base + "primary-ip-address"), "172.16.16.5");
  EXPECT_EQ(guest.item(base + "private-ipv4s"),
            "[\"172.16.16.5\",\"172.16.16.6\"]");
  EXPECT_EQ(guest.item(base + "ipv6s"), "[fd00:1:0:10::99]");
  EXPECT_EQ(guest.item(base + "netmask"), "255.255.255.0");
  EXPECT_EQ(guest.item(base + "gateway"), "172.16.16.253");
  EXPECT_EQ(guest.item(base + "ipv6-gateway"),
            "fd00:1:0:10:ffff:ffff:ffff:fff7");
  EXPECT_EQ(guest.item(base + "vswitch-id"), "vsw-pod-a");
}

TEST(SimMetadata, AMacAppearsAfterTheLag) {
  Guest guest;
  guest.cloud.tune([](Knobs& knobs) { knobs.eni_lag = seconds(4); });
  const std::string mac = guest.mac_of(attached_eni(guest.cloud));
  const std::string path =
      "meta-data/network/interfaces/macs/" + mac + "/network-interface-id";

  EXPECT_EQ(guest.get(path).status, 404);
  guest.clock.advance(seconds(4));
  EXPECT_EQ(guest.get(path).status, 200);
}

TEST(SimMetadata, AnAddressAppearsAfterTheLag) {
  Guest guest;
  const std::string eni =
      attached_eni(guest.cloud, {{"PrimaryIpAddress", "172.16.16.5"}});
  guest.cloud.tune([](Knobs& knobs) { knobs.address_lag = seconds(4); });
  ask_ok(guest.cloud, "AssignPrivateIpAddresses",
         {{"NetworkInterfaceId", eni}, {"PrivateIpAddress.1", "172.16.16.6"}});
  const std::string path =
      "network/interfaces/macs/" + guest.mac_of(eni) + "/private-ipv4s";

  EXPECT_EQ(guest.item(path), "[\"172.16.16.5\"]");
  guest.clock.advance(seconds(4));
  EXPECT_EQ(guest.item(path), "[\"172.16.16.5\",\"172.16.16.6\"]");
}

TEST(SimMetadata, AnEniWithoutIpv6HasNoSuchItem) {
  Guest guest;
  const std::string mac = guest.mac_of(attached_eni(guest.cloud));

  EXPECT_EQ(
      guest.get("meta-data/network/interfaces/macs/" + mac + "/ipv6s").status,
      404);
}

TEST(SimMetadata, HardenedModeWantsAToken) {
  Guest guest;
  guest.cloud.tune([](Knobs& knobs) { knobs.hardened = true; });

  EXPECT_EQ(guest.get("meta-data/instance-id").status, 403);
  const HttpResponse token = guest.put_token({{kTtl, "60"}});
  ASSERT_EQ(token.status, 200);
  EXPECT_EQ(guest.get("meta-data/instance-id", {{kToken, token.body}}).body,
            "i-a");
  guest.clock.advance(seconds(60));
  EXPECT_EQ(guest.get("meta-data/instance-id", {{kToken, token.body}}).status,
            401);
}

TEST(SimMetadata, GivesNoTokenForABadTtlOrThroughAProxy) {
  Guest guest;

  EXPECT_EQ(guest.put_token({}).status, 400);
  EXPECT_EQ(guest.put_token({{kTtl, "0"}}).status, 400);
  EXPECT_EQ(guest.put_token({{kTtl, "21601"}}).status, 400);
  EXPECT_EQ(
      guest.put_token({{kTtl, "60"}, {"x-forwarded-for", "10.0.0.1"}}).status,
      403);
}

TEST(SimMetadata, OffMeansForbidden) {
  Guest guest;
  guest.cloud.tune([](Knobs& knobs) { knobs.metadata_off = true; });

  EXPECT_EQ(guest.get("meta-data/instance-id").status, 403);
}

TEST(SimMetadata, OffersANewRoleSetHalfAnHourBeforeTheEnd) {
  Guest guest;
  const std::string path = "ram/security-credentials/linsey";
  const std::string first = guest.item(path);

  EXPECT_EQ(guest.item("ram/security-credentials/"), "linsey");
  EXPECT_EQ(at(first, "/Code"), "Success");
  EXPECT_EQ(at(first, "/Expiration"), "2026-01-02T06:00:00Z");
  EXPECT_THAT(at(first, "/AccessKeyId"), testing::StartsWith("STS."));
  guest.clock.advance(hours(5) + minutes(29));
  EXPECT_EQ(guest.item(path), first);
  guest.clock.advance(minutes(1));
  EXPECT_NE(guest.item(path), first);
  EXPECT_EQ(guest.get("meta-data/ram/security-credentials/other").status, 404);
}

TEST(SimMetadata, AReleasedInstanceHasNone) {
  Guest guest;
  ASSERT_TRUE(guest.cloud.release_instance("i-a"));

  EXPECT_EQ(guest.get("meta-data/instance-id").status, 404);
}

}  // namespace
}  // namespace linsey::sim::tests
