// Eni mode when things go wrong: restarts, lost replies, refusals, hands in
// the console.

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/eni_node.h"

namespace linsey::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::SizeIs;

class EniFaults : public tests::NetnsTest {
 protected:
  void in_region(const std::function<void(EniRegion&, conf::AgentConfig)>& fn) {
    in_host([&] {
      EniRegion region(*host, *pod);
      fn(region, EniAgent::default_config(region));
    });
  }
  static void fill(EniAgent& agent) {
    agent.start();
    agent.pass_until([&] { return agent.counts().free == 6; });
  }
};

sim::ActionKnobs& knobs_of(sim::Knobs& knobs, const std::string& action) {
  return knobs.actions[action];
}

TEST_F(EniFaults, ARestartTakesItsInterfacesOver) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    EniAgent before(region, config);
    fill(before);
    const IpAddr given = before.lease("c1")->allocation.addresses.at(0);
    before.supplier.stop();
    const auto enis = region.secondary();

    EniAgent after(region, config, before.remembered());
    after.start();
    after.pass(minutes(1));

    EXPECT_EQ(*after.ledger.holder(given), key_of("c1"));
    EXPECT_EQ(after.counts().free, 5U);
    EXPECT_THAT(region.secondary(), SizeIs(enis.size()));
    EXPECT_TRUE(after.lease("c2"));
  });
}

TEST_F(EniFaults, ARestartWithoutItsLedgerTakesThemOverByTheirTags) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    EniAgent before(region, config);
    fill(before);
    before.supplier.stop();

    EniAgent after(region, config);
    fill(after);

    EXPECT_THAT(region.secondary(), SizeIs(1));
  });
}

TEST_F(EniFaults, ARestartBehindACutLineServesWhatTheNodeHas) {
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    EniAgent before(region, config);
    fill(before);
    before.supplier.stop();

    config.eni.ecs_endpoint = config.eni.vpc_endpoint = "http://127.0.0.1:9";
    EniAgent after(region, config, before.remembered());
    after.start();

    const auto lease = after.lease("c1");
    ASSERT_TRUE(lease) << lease.error().msg;
    EXPECT_TRUE(after.supplier.health().ready);
  });
}

TEST_F(EniFaults, AnInterfaceOfAnotherOwnerIsNotTouched) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    ASSERT_EQ(
        region.call("CreateNetworkInterface",
                    {{"VSwitchId", "vsw-pod-a"}, {"SecurityGroupId", "sg-1"}}),
        200);

    EniAgent agent(region, config);
    fill(agent);

    EXPECT_THAT(region.secondary(), SizeIs(2));
    EXPECT_EQ(
        std::ranges::count(region.secondary(), "i-a", &sim::EniView::instance),
        1);
  });
}

TEST_F(EniFaults, AnInterfaceThatWasMadeButNotAttachedIsAdopted) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    region.tune([](sim::Knobs& knobs) {
      knobs_of(knobs, "AttachNetworkInterface").lose_requests = 1000;
    });
    EniAgent before(region, config);
    before.start();
    before.pass(seconds(5));
    before.supplier.stop();
    ASSERT_THAT(region.secondary(), SizeIs(1));

    region.tune([](sim::Knobs& knobs) {
      knobs_of(knobs, "AttachNetworkInterface").lose_requests = 0;
    });
    EniAgent after(region, config);
    fill(after);

    EXPECT_THAT(region.secondary(), SizeIs(1));
  });
}

class EniLostReply : public EniFaults,
                     public testing::WithParamInterface<const char*> {};

TEST_P(EniLostReply, HasItsEffectOnce) {
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    config.eni.pool = {
        .min_idle = 2, .max_idle = 2, .check_every = seconds(30)};
    region.tune([](sim::Knobs& knobs) {
      knobs_of(knobs, GetParam()).lose_replies = 1;
    });
    EniAgent agent(region, config);
    agent.start();
    for (int i = 0; i < 5; ++i) {
      const auto lease = agent.lease("c" + std::to_string(i));
      EXPECT_TRUE(lease) << lease.error().msg;
    }
    agent.pass(minutes(1));

    EXPECT_THAT(region.secondary(), SizeIs(2));
    std::size_t addresses = 0;
    for (const sim::EniView& eni : region.secondary()) {
      EXPECT_EQ(eni.instance, "i-a");
      addresses += eni.addresses.size();
    }
    EXPECT_LE(addresses, 8U);
    EXPECT_TRUE(agent.ledger.check_invariants());
  });
}

INSTANTIATE_TEST_SUITE_P(Table, EniLostReply,
                         testing::Values("CreateNetworkInterface",
                                         "AttachNetworkInterface",
                                         "AssignPrivateIpAddresses",
                                         "DescribeNetworkInterfaces",
                                         "DescribeVSwitches"));

TEST_F(EniFaults, AThrottledCallIsTriedAgainLaterAndNotAtOnce) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    region.tune([](sim::Knobs& knobs) {
      knobs_of(knobs, "CreateNetworkInterface").refuse = {
          {400, "Throttling.User", "slow"}, {429, "Throttling.Api", "slow"}};
    });
    EniAgent agent(region, config);
    agent.start();
    EXPECT_EQ(region.cloud.count("CreateNetworkInterface"), 1U);
    EXPECT_EQ(agent.supplier.health().why.code, Code::kCloudThrottled);

    agent.pass(seconds(2));
    EXPECT_EQ(region.cloud.count("CreateNetworkInterface"), 1U);
    EXPECT_TRUE(agent.lease("c1"));

    EXPECT_EQ(region.cloud.count("CreateNetworkInterface"), 3U);
    EXPECT_THAT(region.secondary(), SizeIs(1));
  });
}

TEST_F(EniFaults, KeepsToItsShareOfTheCallsOfAnAction) {
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    config.eni.pool = {.min_idle = 1, .max_idle = 1};
    config.eni.rate = {.calls_per_minute = 1, .burst = 1};
    EniAgent agent(region, config);
    agent.start();
    agent.pass_until([&] { return agent.counts().free == 1; });
    const auto assigned = [&] {
      return std::ranges::count_if(region.cloud.calls(), [](const auto& call) {
        return call.action == "AssignPrivateIpAddresses";
      });
    };

    // Each pod takes the only warm address: without a limit five calls.
    for (int i = 0; i < 5; ++i) {
      (void)agent.add("c" + std::to_string(i));
      agent.pass(seconds(6));
    }
    EXPECT_EQ(assigned(), 1);

    agent.pass(minutes(1));
    EXPECT_EQ(assigned(), 2);
  });
}

TEST_F(EniFaults, AnAttachThatFallsBackIsTriedAgain) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    region.tune([](sim::Knobs& knobs) { knobs.fail_attaches = 1; });
    EniAgent agent(region, config);

    fill(agent);

    EXPECT_THAT(region.secondary(), SizeIs(1));
    EXPECT_EQ(region.cloud.count("AttachNetworkInterface"), 2U);
  });
}

TEST_F(EniFaults, AnInterfaceThatTheTypeHasNoPlaceForIsNotLeftBehind) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    region.tune([](sim::Knobs& knobs) {
      knobs_of(knobs, "AttachNetworkInterface").refuse = {
          {403, "EniPerInstanceLimitExceeded", "no"}};
    });
    EniAgent agent(region, config);
    agent.start();
    agent.pass_until([&] { return region.secondary().empty(); });

    EXPECT_EQ(region.cloud.count("DeleteNetworkInterface"), 1U);
    EXPECT_EQ(agent.supplier.health().why.code, Code::kEniLimit);
  });
}

TEST_F(EniFaults, AddressesAreGivenOnlyWhenTheMachineSeesThem) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    region.tune([](sim::Knobs& knobs) {
      knobs.attach_time = seconds(3);
      knobs.eni_lag = seconds(2);
    });
    EniAgent agent(region, config);
    agent.start();
    agent.pass(seconds(4));
    EXPECT_EQ(agent.counts().free, 0U);

    agent.pass(seconds(4));
    EXPECT_EQ(agent.counts().free, 6U);
  });
}

TEST_F(EniFaults, AnInterfaceWithoutALinkIsNamed) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    region.links_appear = false;
    EniAgent agent(region, config);
    agent.start();
    agent.pass(seconds(30));

    const Health health = agent.supplier.health();
    EXPECT_FALSE(health.ready);
    EXPECT_EQ(health.why.code, Code::kEniNotReady);
    EXPECT_THAT(health.why.msg, HasSubstr("no link of the node has its MAC"));
  });
}

TEST_F(EniFaults, AHardenedMetadataServiceServesAsWell) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    region.tune([](sim::Knobs& knobs) { knobs.hardened = true; });
    EniAgent agent(region, config);

    fill(agent);

    EXPECT_TRUE(agent.lease("c1"));
  });
}

TEST_F(EniFaults, RotatedCredentialsAreFetchedAnew) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    EniAgent agent(region, config);
    fill(agent);
    region.cloud.rotate_role("i-a", seconds(0));

    for (int i = 0; i < 8; ++i) {
      EXPECT_TRUE(agent.lease("c" + std::to_string(i)));
    }
  });
}

TEST_F(EniFaults, AnUnansweredMetadataServiceIsTheReason) {
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    config.evidence.metadata_url = "http://127.0.0.1:9";
    EniAgent agent(region, config);
    agent.start();

    const auto lease = agent.lease("c1");

    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code, Code::kMetadataUnavailable);
  });
}

TEST_F(EniFaults, AnInterfaceOutsideTheZonesListIsDrainedAndRemoved) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    EniAgent agent(region, config);
    fill(agent);
    const IpAddr old = agent.lease("c1")->allocation.addresses.at(0);

    agent.config.eni.zones["cn-sim-a"].v_switches = {"vsw-more-a"};
    agent.supplier.config_changed();
    const auto fresh = agent.lease("c2");

    ASSERT_TRUE(fresh) << fresh.error().msg;
    EXPECT_THAT(fresh->allocation.source, HasSubstr("vsw-more-a"));
    EXPECT_EQ(*agent.ledger.holder(old), key_of("c1"));
    agent.pass(minutes(2));
    EXPECT_THAT(region.secondary(), SizeIs(2));

    agent.del("c1");
    agent.pass_until([&] { return region.secondary().size() == 1; });
    EXPECT_EQ(region.secondary().at(0).v_switch, "vsw-more-a");
    EXPECT_FALSE(agent.ledger.row(old, region.clock.now()));
  });
}

TEST_F(EniFaults, ABadListLaterStopsGivingButRemovesNothing) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    EniAgent agent(region, config);
    fill(agent);
    const auto zones = agent.config.eni.zones;

    agent.config.eni.zones["cn-sim-a"].v_switches.push_back("vsw-none");
    agent.supplier.config_changed();
    const auto refused = agent.lease("c1");
    agent.pass(minutes(1));

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kVSwitchNotFound);
    EXPECT_THAT(region.secondary(), SizeIs(1));

    agent.config.eni.zones = zones;
    agent.supplier.config_changed();
    EXPECT_TRUE(agent.lease("c2"));
  });
}

TEST_F(EniFaults, ASurplusIsGivenBackAfterAWhile) {
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    config.eni.pool = {
        .min_idle = 1, .max_idle = 2, .check_every = seconds(30)};
    EniAgent agent(region, config);
    agent.start();
    (void)agent.burst(9);
    ASSERT_THAT(region.secondary(), SizeIs(2));
    for (int i = 0; i < 9; ++i) {
      agent.del("burst" + std::to_string(i));
    }

    agent.pass(minutes(2));
    agent.pass(minutes(2));

    std::size_t addresses = 0;
    for (const sim::EniView& eni : region.secondary()) {
      addresses += eni.addresses.size();
    }
    EXPECT_EQ(addresses, 2U);
    EXPECT_EQ(agent.counts().free, 2U);
    EXPECT_TRUE(agent.ledger.check_invariants());
  });
}

TEST_F(EniFaults, ASurplusIsKeptWhenUnassigningFails) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    EniAgent agent(region, config);
    fill(agent);
    region.tune([](sim::Knobs& knobs) {
      knobs_of(knobs, "UnassignPrivateIpAddresses").lose_requests = 1;
    });

    agent.config.eni.pool = {
        .min_idle = 1, .max_idle = 3, .check_every = seconds(10)};
    agent.supplier.config_changed();
    agent.pass(minutes(2));

    EXPECT_THAT(region.secondary().at(0).addresses, SizeIs(3));
    EXPECT_EQ(agent.counts().free, 3U);
  });
}

TEST_F(EniFaults, AnInterfaceTakenAwayIsNoticedAndReplaced) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    EniAgent agent(region, config);
    fill(agent);
    const std::string eni = region.secondary().at(0).id;
    ASSERT_EQ(region.call("DetachNetworkInterface",
                          {{"NetworkInterfaceId", eni}, {"InstanceId", "i-a"}}),
              200);

    agent.pass(minutes(2));

    EXPECT_TRUE(agent.lease("c1"));
    EXPECT_TRUE(agent.supplier.health().ready);
  });
}

std::size_t routes_of(const netlink::NetNs& host, std::uint32_t table) {
  const auto routes = tests::must(
      tests::must(netlink::Socket::open_in(host)).routes({.table = table}));
  return routes.size();
}

TEST_F(EniFaults, ATableThatWasEmptiedIsFilledAgainAtOnce) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    EniAgent agent(region, config);
    fill(agent);
    const std::uint32_t table = agent.lease("c1")->allocation.eni->table;
    ASSERT_EQ(routes_of(*host, table), 2U);

    sh(*host, "ip route flush table " + std::to_string(table));
    agent.pass(seconds(2));

    EXPECT_EQ(routes_of(*host, table), 2U);
    EXPECT_THAT(agent.metrics.text(),
                HasSubstr("linsey_drift_repairs_total{kind=\"table\"}"));
  });
}

TEST_F(EniFaults, ALinkThatWasRenamedAndTakenDownServesOn) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    EniAgent agent(region, config);
    fill(agent);
    const std::uint32_t table = agent.lease("c1")->allocation.eni->table;

    sh(*host, "ip link set eth1 down");
    sh(*host, "ip link set eth1 name odd7");
    agent.pass(seconds(2));

    EXPECT_EQ(routes_of(*host, table), 2U);
    EXPECT_THAT(agent.supplier.describe(), HasSubstr("odd7"));
    EXPECT_THAT(agent.metrics.text(),
                HasSubstr("linsey_drift_repairs_total{kind=\"link-renamed\"}"));
    EXPECT_TRUE(agent.lease("c2"));
  });
}

TEST_F(EniFaults, ADetachedInterfaceIsReportedAndItsPodsTableComesBack) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    EniAgent agent(region, config);
    fill(agent);
    const ipam::Allocation held = agent.lease("c1")->allocation;
    const std::string eni = region.secondary().at(0).id;
    ASSERT_EQ(region.call("DetachNetworkInterface",
                          {{"NetworkInterfaceId", eni}, {"InstanceId", "i-a"}}),
              200);

    agent.pass(seconds(2));
    EXPECT_THAT(agent.metrics.text(),
                HasSubstr("linsey_drift_repairs_total{kind=\"link-gone\"}"));

    agent.pass(minutes(1));
    EXPECT_EQ(region.secondary().at(0).instance, "i-a");
    EXPECT_EQ(routes_of(*host, held.eni->table), 2U);
    EXPECT_EQ(*agent.ledger.holder(held.addresses.at(0)), key_of("c1"));
  });
}

TEST_F(EniFaults, AnAddressTakenAwayIsGivenNoMore) {
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    config.eni.pool.min_idle = 0;
    EniAgent agent(region, config);
    agent.start();
    ASSERT_TRUE(agent.lease("c1"));
    (void)agent.burst(3);
    const sim::EniView eni = region.secondary().at(0);
    std::optional<IpAddr> free;
    for (const ipam::AddressRow& row : agent.ledger.rows(region.clock.now())) {
      if (row.state == ipam::State::kFree && row.address != eni.addresses[0]) {
        free = row.address;
      }
    }
    ASSERT_TRUE(free);
    ASSERT_EQ(region.call("UnassignPrivateIpAddresses",
                          {{"NetworkInterfaceId", eni.id},
                           {"PrivateIpAddress.1", free->to_string()}}),
              200);

    agent.pass(minutes(1));

    EXPECT_FALSE(agent.ledger.row(*free, region.clock.now()));
  });
}

TEST_F(EniFaults, OneNodesWaitersAreServedThroughAStorm) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    region.tune([](sim::Knobs& knobs) {
      knobs.attach_time = seconds(2);
      knobs.address_lag = milliseconds(500);
      for (const char* action :
           {"CreateNetworkInterface", "AttachNetworkInterface",
            "AssignPrivateIpAddresses"}) {
        knobs_of(knobs, action).refuse = {
            {500, "InternalError", "sorry"},
            {403, "Operation.Conflict", "an ECS task conflicts"}};
      }
    });
    EniAgent agent(region, config);
    agent.start();

    for (const auto& heard : agent.burst(10)) {
      EXPECT_TRUE(heard->answer->has_value()) << heard->answer->error().msg;
    }
    EXPECT_TRUE(agent.ledger.check_invariants());
  });
}

}  // namespace
}  // namespace linsey::agent
