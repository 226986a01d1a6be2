#include "tests/lab/sim/support.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace linsey::sim::tests {
namespace {

Cidr cidr(const char* text) {
  return Cidr::parse(text).value();
}

Json value_at(const std::string& body, const std::string& pointer) {
  const Json json = Json::parse(body, nullptr, false);
  const Json::json_pointer where(pointer);
  return json.contains(where) ? json.at(where) : Json();
}

}  // namespace

void fill(Cloud& cloud) {
  cloud
      .add(VpcSpec{.id = "vpc-1",
                   .cidr = cidr("172.16.0.0/16"),
                   .secondary = {},
                   .cidr_v6 = cidr("fd00:1::/56")})
      .value();
  cloud
      .add(VpcSpec{.id = "vpc-2",
                   .cidr = cidr("172.17.0.0/16"),
                   .secondary = {},
                   .cidr_v6 = {}})
      .value();
  const std::vector<VSwitchSpec> v_switches = {
      {"vsw-host-a", "vpc-1", "cn-sim-a", cidr("172.16.0.0/24"), {}},
      {"vsw-host-b", "vpc-1", "cn-sim-b", cidr("172.16.1.0/24"), {}},
      {"vsw-pod-a", "vpc-1", "cn-sim-a", cidr("172.16.16.0/24"),
       cidr("fd00:1:0:10::/64")},
      {"vsw-pod-b", "vpc-1", "cn-sim-b", cidr("172.16.32.0/24"), {}},
      {"vsw-tiny", "vpc-1", "cn-sim-a", cidr("172.16.48.0/29"), {}},
      {"vsw-far", "vpc-2", "cn-sim-a", cidr("172.17.0.0/24"), {}}};
  for (const VSwitchSpec& v_switch : v_switches)
    cloud.add(v_switch).value();
  cloud.add(SecurityGroupSpec{.id = "sg-1", .vpc = "vpc-1"}).value();
  cloud.add(SecurityGroupSpec{.id = "sg-2", .vpc = "vpc-2"}).value();
  for (const std::string zone : {"a", "b"}) {
    cloud
        .add(InstanceSpec{.id = "i-" + zone,
                          .type = "ecs.g7.large",
                          .v_switch = "vsw-host-" + zone,
                          .address = {},
                          .security_groups = {"sg-1"},
                          .host_name = "node-" + zone,
                          .role = "linsey",
                          .role_allows = {}})
        .value();
  }
}

Reply ask(Cloud& cloud, const std::string& action, Params params) {
  const bool vpc =
      action.find("VSwitch") != std::string::npos || action == "DescribeVpcs";
  params.emplace("RegionId", "cn-sim");
  return cloud.call({.product = vpc ? "vpc" : "ecs",
                     .action = action,
                     .params = std::move(params),
                     .caller = {}});
}

std::string ask_ok(Cloud& cloud, const std::string& action, Params params) {
  const Reply reply = ask(cloud, action, std::move(params));
  EXPECT_EQ(reply.code, "") << action << ": " << reply.body;
  return reply.body;
}

std::string at(const std::string& body, const std::string& pointer) {
  const Json value = value_at(body, pointer);
  return value.is_string() ? value.get<std::string>()
         : value.is_null() ? std::string()
                           : value.dump();
}

std::size_t size_at(const std::string& body, const std::string& pointer) {
  return value_at(body, pointer).size();
}

std::string make_eni(Cloud& cloud, Params more) {
  more.emplace("VSwitchId", "vsw-pod-a");
  more.emplace("SecurityGroupId", "sg-1");
  return at(ask_ok(cloud, "CreateNetworkInterface", std::move(more)),
            "/NetworkInterfaceId");
}

std::string attached_eni(Cloud& cloud, Params more) {
  std::string eni = make_eni(cloud, std::move(more));
  ask_ok(cloud, "AttachNetworkInterface",
         {{"NetworkInterfaceId", eni}, {"InstanceId", "i-a"}});
  return eni;
}

std::string eni_status(Cloud& cloud, const std::string& eni) {
  return at(ask_ok(cloud, "DescribeNetworkInterfaces",
                   {{"NetworkInterfaceId.1", eni}}),
            "/NetworkInterfaceSets/NetworkInterfaceSet/0/Status");
}

}  // namespace linsey::sim::tests
