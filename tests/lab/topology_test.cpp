#include "lab/topology.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "lab/router.h"
#include "lab/shipped.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace linsey::lab {
namespace {

Json shipped() {
  return *parse_json(shipped_topology());
}

std::string error_of(const Json& json) {
  const Result<Topology> parsed = parse_topology(dump_json(json));
  return parsed ? "accepted" : to_string(parsed.error());
}

TEST(Topology, TheShippedOneHasTwoSitesAndANodeThatLies) {
  const Result<Topology> parsed = parse_topology(shipped_topology());

  ASSERT_TRUE(parsed.has_value()) << parsed.error().msg;
  EXPECT_EQ(parsed->name, "hybrid");
  EXPECT_EQ(parsed->nodes.at("m1").site, Site::kDataCentre);
  EXPECT_EQ(parsed->nodes.at("c2").zone, "cn-lab-b");
  EXPECT_TRUE(parsed->vpc.zones.at("cn-lab-f").pod_v_switches.empty());
  EXPECT_TRUE(parsed->nodes.at("x1").joins_later);
  EXPECT_EQ(parsed->nodes.at("x1").labels.at("linsey.dev/site"), "dc");
}

TEST(Topology, TheGatewayIsTheThirdAddressFromTheEnd) {
  const VSwitch v_switch{"vsw-1", *Cidr::parse("172.16.16.0/20")};

  EXPECT_EQ(v_switch.gateway().to_string(), "172.16.31.253");
}

TEST(Topology, FindsVSwitchesOfAllZones) {
  const Topology topology = *parse_topology(shipped_topology());

  EXPECT_NE(topology.vpc.find_v_switch("vsw-lab0podb"), nullptr);
  EXPECT_NE(topology.vpc.find_v_switch("vsw-lab0hostf"), nullptr);
  EXPECT_EQ(topology.vpc.find_v_switch("vsw-other"), nullptr);
}

TEST(Topology, RefusesAnUnknownKeyNamingIt) {
  Json json = shipped();
  json["nodes"]["m1"]["adress"] = "10.0.1.11";

  EXPECT_NE(error_of(json).find("/nodes/m1"), std::string::npos)
      << error_of(json);
}

TEST(Topology, RefusesTwoNodesWithOneAddress) {
  Json json = shipped();
  json["nodes"]["m2"]["address"] = "10.0.1.11";

  EXPECT_NE(error_of(json).find("/nodes/m2/address"), std::string::npos)
      << error_of(json);
}

TEST(Topology, RefusesANodeOutsideItsNetwork) {
  Json metal = shipped();
  metal["nodes"]["m1"]["address"] = "10.0.2.11";
  Json cloud = shipped();
  cloud["nodes"]["c1"]["address"] = "172.16.1.11";

  EXPECT_NE(error_of(metal).find("/nodes/m1/address"), std::string::npos);
  EXPECT_NE(error_of(cloud).find("/nodes/c1/address"), std::string::npos);
}

TEST(Topology, TheIpv6GatewayIsTheNinthAddressFromTheEnd) {
  const VSwitch v_switch{"vsw-1", *Cidr::parse("172.16.16.0/20"),
                         Cidr::parse("fd00:5::/64").value()};

  EXPECT_EQ(v_switch.gateway6(), *IpAddr::parse("fd00:5::ffff:ffff:ffff:fff7"));
}

TEST(Topology, RefusesAVpcThatIsDualStackInPart) {
  Json json = shipped();
  json["vpc"]["cidr6"] = "fd00:5::/56";

  EXPECT_NE(error_of(json).find("address6"), std::string::npos)
      << error_of(json);
}

TEST(Topology, RefusesACloudNodeInAZoneNobodyDescribed) {
  Json json = shipped();
  json["nodes"]["c1"]["zone"] = "cn-lab-z";

  EXPECT_NE(error_of(json).find("/nodes/c1/zone"), std::string::npos)
      << error_of(json);
}

TEST(Topology, RefusesAVSwitchNamedTwice) {
  Json json = shipped();
  json["vpc"]["zones"]["cn-lab-b"]["podVSwitches"][0]["id"] = "vsw-lab0poda";

  EXPECT_NE(error_of(json).find("vsw-lab0poda"), std::string::npos)
      << error_of(json);
}

TEST(Topology, RefusesNamesThatMakeNoLinkName) {
  Json json = shipped();
  json["name"] = "a/b";

  EXPECT_NE(error_of(json).find("/name"), std::string::npos) << error_of(json);
}

TEST(Topology, TheOnesWithRoutersParseAndBirdReadsTheirRouters) {
  for (const char* name : {"rr-pair", "rr-bfd", "tor-pair", "tor-26"}) {
    const std::string file =
        tests::source_dir() + "/lab/topologies/" + name + ".json";
    const Result<Topology> topology = parse_topology(*read_file(file));
    ASSERT_TRUE(topology.has_value()) << to_string(topology.error());
    ASSERT_EQ(topology->data_centre.routers.size(), 2U);
    for (const auto& [ignored, router] : topology->data_centre.routers) {
      const tests::TempDir dir;
      ASSERT_TRUE(write_file_atomic(dir / "bird.conf",
                                    router_config(*topology, router),
                                    {.sync = false})
                      .has_value());
      const auto parsed =
          run_ok({.argv = {"bird", "-p", "-c", dir / "bird.conf"}});
      EXPECT_TRUE(parsed.has_value()) << to_string(parsed.error());
    }
  }
}

TEST(Topology, ARouterNeedsAnAddressOfItsOwnInTheFabric) {
  Json json = shipped();
  json["dataCentre"]["routers"]["rr1"] = {{"address", "10.0.1.1"},
                                          {"asNumber", 64512}};

  EXPECT_NE(error_of(json).find("/dataCentre/routers/rr1"), std::string::npos);
}

}  // namespace
}  // namespace linsey::lab
