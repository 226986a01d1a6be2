// The real linseyd in eni mode, killed at every step against the cloud and
// started again: no address twice, no interface left behind.

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "tests/agent/eni_node.h"
#include "tests/support/agent_process.h"
#include "tests/support/eventually.h"

namespace linsey::agent {
namespace {

using testing::SizeIs;
using tests::AgentOptions;
using tests::AgentProcess;
using tests::must;

ipam::Attachment attachment(const std::string& container) {
  ipam::Attachment attachment;
  attachment.key = key_of(container);
  attachment.netns = "/proc/self/ns/net";
  return attachment;
}

AgentOptions options(EniRegion& region) {
  const std::string metadata = region.metadata_url_of("i-a");
  return {.node = "node-a",
          .labels = {{"place", "ecs"}},
          .provider_id = "cn-sim.i-a",
          .addresses = {"172.16.0.9/24"},
          .blocks = {},
          .config_patch = dump_json(
              {{"pools", nullptr},
               {"evidence", {{"metadataUrl", metadata}}},
               {"eni",
                {{"ecsEndpoint", region.api_url()},
                 {"vpcEndpoint", region.api_url()},
                 {"zones", {{"cn-sim-a", {{"vSwitches", {"vsw-pod-a"}}}}}},
                 {"pool",
                  {{"minIdle", 1}, {"maxIdle", 1}, {"checkEvery", "1s"}}}}}})};
}

class EniCrash : public tests::NetnsTest,
                 public testing::WithParamInterface<const char*> {};

TEST_P(EniCrash, LosesNothingAndGivesNothingTwice) {
  in_host([&] {
    EniRegion region(*host, *pod, true);
    AgentProcess agent(*host, options(region));
    agent.start_unready({{"LINSEY_CRASH_AT", GetParam()}});
    std::map<std::string, IpAddr> given;
    for (int i = 0; i < 4 && agent.alive(); ++i) {
      const std::string container = "c" + std::to_string(i);
      const auto lease = agent.client().allocate(attachment(container));
      if (lease) given[container] = lease->allocation.addresses.at(0);
    }
    ASSERT_TRUE(agent.wait_end()) << agent.log();

    agent.start();
    for (int i = 0; i < 8; ++i) {
      const std::string container = "c" + std::to_string(i);
      const auto lease = agent.client().allocate(attachment(container));
      ASSERT_TRUE(lease) << lease.error().msg << agent.log();
      const IpAddr address = lease->allocation.addresses.at(0);
      if (given.contains(container)) {
        EXPECT_EQ(given.at(container), address);
      }
      given[container] = address;
    }

    std::set<IpAddr> different;
    for (const auto& [container, address] : given) {
      different.insert(address);
    }
    EXPECT_THAT(different, SizeIs(8));
    EXPECT_THAT(region.secondary(), SizeIs(2));
    for (const sim::EniView& eni : region.secondary()) {
      EXPECT_EQ(eni.instance, "i-a");
    }
    EXPECT_EQ(agent.stop(), 0);
  });
}

/// Addresses of the node's secondary interfaces, in the cloud's books.
std::size_t addresses_in(const EniRegion& region) {
  std::size_t count = 0;
  for (const sim::EniView& eni : region.secondary()) {
    count += eni.addresses.size();
  }
  return count;
}

class EniCrashInReclaim : public tests::NetnsTest,
                          public testing::WithParamInterface<const char*> {};

TEST_P(EniCrashInReclaim, GivesBackTheRestAndKeepsWhatIsHeld) {
  in_host([&] {
    EniRegion region(*host, *pod, true);
    AgentOptions wanted = options(region);
    Json patch = must(parse_json(wanted.config_patch));
    patch["ipam"] = {{"coolDown", "1s"}, {"coolDownMin", "0s"}};
    wanted.config_patch = dump_json(patch);
    AgentProcess agent(*host, wanted);
    agent.start();
    std::map<std::string, IpAddr> given;
    for (int i = 0; i < 8; ++i) {
      const std::string container = "c" + std::to_string(i);
      given[container] = must(agent.client().allocate(attachment(container)))
                             .allocation.addresses.at(0);
    }
    ASSERT_THAT(region.secondary(), SizeIs(2));
    agent.kill_now();
    agent.start({{"LINSEY_CRASH_AT", GetParam()}});
    for (int i = 0; i < 7; ++i) {
      must(agent.client().release(
          {.key = key_of("c" + std::to_string(i)), .pod = {}}));
    }
    ASSERT_TRUE(agent.wait_end()) << agent.log();

    agent.start();

    // One pod's and one kept warm.
    EXPECT_TRUE(tests::eventually([&] { return addresses_in(region) == 2; }))
        << addresses_in(region) << agent.log();
    EXPECT_EQ(must(agent.client().check(key_of("c7"))).allocation.addresses,
              std::vector{given.at("c7")});
    const auto lease = agent.client().allocate(attachment("c9"));
    ASSERT_TRUE(lease) << lease.error().msg;
    EXPECT_NE(lease->allocation.addresses.at(0), given.at("c7"));
    for (const sim::EniView& eni : region.secondary()) {
      EXPECT_EQ(eni.instance, "i-a");
    }
    EXPECT_EQ(agent.stop(), 0);
  });
}

INSTANTIATE_TEST_SUITE_P(Points, EniCrashInReclaim,
                         testing::Values("eni.unassigned", "eni.detached",
                                         "eni.deleted"));

INSTANTIATE_TEST_SUITE_P(Points, EniCrash,
                         testing::Values("eni.created", "eni.attached",
                                         "eni.assigned", "eni.supplied",
                                         "eni.supplied:2", "allocate.assigned",
                                         "allocate.saved"));

}  // namespace
}  // namespace linsey::agent
