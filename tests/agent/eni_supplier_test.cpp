#include "agent/eni_supplier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "agent/kube_events.h"
#include "agent/node_report.h"
#include "base/json.h"
#include "ctl/report.h"
#include "tests/agent/eni_node.h"
#include "tests/support/fake_api.h"

namespace linsey::agent {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::SizeIs;
using tests::must;

class EniSupplierTest : public tests::NetnsTest {
 protected:
  /// A region and a configuration; the agent is the test's.
  void in_region(const std::function<void(EniRegion&, conf::AgentConfig)>& fn) {
    in_host([&] {
      EniRegion region(*host, *pod);
      fn(region, EniAgent::default_config(region));
    });
  }
  /// And a running agent whose warm pool is filled.
  void with_agent(const std::function<void(EniRegion&, EniAgent&)>& fn) {
    in_region([&](EniRegion& region, const conf::AgentConfig& config) {
      EniAgent agent(region, config);
      agent.start();
      agent.pass_until([&] { return agent.counts().free == 6; });
      fn(region, agent);
    });
  }
};

TEST_F(EniSupplierTest, FillsTheWarmPoolFromTheZonesVSwitch) {
  with_agent([&](EniRegion& region, EniAgent& agent) {
    const auto enis = region.secondary();
    ASSERT_THAT(enis, SizeIs(1));
    EXPECT_EQ(enis[0].v_switch, "vsw-pod-a");
    EXPECT_EQ(enis[0].instance, "i-a");
    EXPECT_THAT(enis[0].addresses, SizeIs(6));
    EXPECT_EQ(enis[0].tags.at(kClusterTag), "test");
    EXPECT_EQ(enis[0].tags.at(kInstanceTag), "i-a");
    EXPECT_TRUE(agent.supplier.health().ready);
    EXPECT_EQ(agent.supplier.health().zone, "cn-sim-a");
  });
}

TEST_F(EniSupplierTest, GivesAnAddressWithItsInterfacesPath) {
  with_agent([&](EniRegion& region, EniAgent& agent) {
    const auto lease = agent.lease("c1");

    ASSERT_TRUE(lease) << lease.error().msg;
    const ipam::Allocation& given = lease->allocation;
    const sim::EniView eni = region.secondary().at(0);
    EXPECT_THAT(eni.addresses, testing::Contains(given.addresses.at(0)));
    EXPECT_EQ(given.node_addresses,
              std::vector{must(IpAddr::parse("172.16.0.9"))});
    EXPECT_EQ(given.mtu, 1450U);
    EXPECT_EQ(given.source, "vsw-pod-a/" + eni.id);
    ASSERT_TRUE(given.eni);
    EXPECT_EQ(given.eni->eni_id, eni.id);
    EXPECT_EQ(given.eni->to_pod_priority, 512U);
    EXPECT_EQ(given.eni->from_pod_priority, 2048U);
    const std::string table = std::to_string(given.eni->table);
    EXPECT_THAT(sh(*host, "ip route show table " + table),
                HasSubstr("default via 172.16.16.253 dev eth1"));
  });
}

TEST_F(EniSupplierTest, SetsTheInterfacesLinkUpAndLetsThePrimaryForward) {
  with_agent([&](EniRegion&, EniAgent&) {
    EXPECT_THAT(sh(*host, "ip link show eth1"), HasSubstr("mtu 1450"));
    EXPECT_THAT(sh(*host, "ip link show eth1"), HasSubstr(",UP"));
    EXPECT_THAT(sh(*host, "ip addr show eth1"),
                testing::Not(HasSubstr("inet ")));
    EXPECT_EQ(sh(*host, "cat /proc/sys/net/ipv4/conf/eth1/rp_filter"), "2\n");
    EXPECT_EQ(sh(*host, "cat /proc/sys/net/ipv4/conf/eth1/forwarding"), "1\n");
    EXPECT_THAT(sh(*host, "ip link show eth0"), HasSubstr("state DOWN"));
    // The primary one forwards what is for a pod: NodePort, hostPort.
    EXPECT_EQ(sh(*host, "cat /proc/sys/net/ipv4/conf/eth0/forwarding"), "1\n");
    EXPECT_EQ(sh(*host, "cat /proc/sys/net/ipv4/conf/all/forwarding"), "0\n");
    EXPECT_EQ(sh(*host, "cat /proc/sys/net/ipv4/conf/all/rp_filter"), "0\n");
  });
}

TEST_F(EniSupplierTest, ServesWaitersBeyondTheWarmPool) {
  with_agent([&](EniRegion& region, EniAgent& agent) {
    const auto all = agent.burst(9);

    for (const auto& heard : all) {
      EXPECT_TRUE(heard->answer->has_value()) << heard->answer->error().msg;
    }
    EXPECT_THAT(region.secondary(), SizeIs(2));
    EXPECT_TRUE(agent.ledger.check_invariants());
  });
}

TEST_F(EniSupplierTest, ServesABurstInFewCalls) {
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    must(region.cloud.add(sim::InstanceSpec{.id = "i-big",
                                            .type = "ecs.g7.4xlarge",
                                            .v_switch = "vsw-host-a",
                                            .address = {},
                                            .security_groups = {"sg-1"},
                                            .host_name = "node-big",
                                            .role = "linsey",
                                            .role_allows = {}}));
    config.evidence.metadata_url = region.metadata_url_of("i-big");
    EniAgent agent(region, config);
    agent.start();

    const auto all = agent.burst(200);

    for (const auto& heard : all) {
      EXPECT_TRUE(heard->answer->has_value()) << heard->answer->error().msg;
    }
    const double calls = static_cast<double>(region.calls());
    EXPECT_LE(calls / 200, 0.15);
  });
}

TEST_F(EniSupplierTest, RefusesAtOnceWhenAllInterfacesAreFull) {
  with_agent([&](EniRegion&, EniAgent& agent) {
    for (int i = 0; i < 12; ++i) {
      ASSERT_TRUE(agent.lease("c" + std::to_string(i)));
    }

    const auto lease = agent.lease("one-too-many");

    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code, Code::kIpPerEniLimit);
    EXPECT_FALSE(agent.supplier.health().ready);
    EXPECT_EQ(agent.supplier.health().why.code, Code::kIpPerEniLimit);
  });
}

TEST_F(EniSupplierTest, GivesOneAddressOfEachFamilyOfOneInterface) {
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    ASSERT_EQ(region.call("AssignIpv6Addresses",
                          {{"NetworkInterfaceId", region.primary().id},
                           {"Ipv6AddressCount", "1"}}),
              200);
    config.eni.ipv6 = true;
    config.eni.zones["cn-sim-a"].v_switches = {"vsw-pod-a"};
    EniAgent agent(region, config);
    agent.start();

    for (const auto& heard : agent.burst(12)) {
      ASSERT_TRUE(heard->answer->has_value()) << heard->answer->error().msg;
      const ipam::Allocation& given = (*heard->answer)->allocation;
      ASSERT_THAT(given.addresses, SizeIs(2));
      EXPECT_TRUE(given.addresses[0].is_v4());
      EXPECT_FALSE(given.addresses[1].is_v4());
      EXPECT_EQ(
          agent.ledger.row(given.addresses[0], region.clock.now())->group,
          agent.ledger.row(given.addresses[1], region.clock.now())->group);
      EXPECT_THAT(given.node_addresses, SizeIs(2));
      EXPECT_THAT(sh(*host, "ip -6 route show table " +
                                std::to_string(given.eni->table)),
                  HasSubstr("default via"));
    }
  });
}

TEST_F(EniSupplierTest, RefusesIpv6WhereTheVSwitchHasNone) {
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    ASSERT_EQ(region.call("AssignIpv6Addresses",
                          {{"NetworkInterfaceId", region.primary().id},
                           {"Ipv6AddressCount", "1"}}),
              200);
    config.eni.ipv6 = true;
    EniAgent agent(region, config);
    agent.start();

    const auto lease = agent.lease("c1");

    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code, Code::kInvalidConfig);
    EXPECT_THAT(lease.error().msg, HasSubstr("vsw-more-a has no IPv6"));
  });
}

TEST_F(EniSupplierTest, TakesTheSecurityGroupsOfTheInstanceByDefault) {
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    config.eni.security_groups.clear();
    EniAgent agent(region, config);
    agent.start();

    ASSERT_TRUE(agent.lease("c1"));
    EXPECT_EQ(region.secondary().at(0).security_groups,
              std::vector<std::string>{"sg-1"});
  });
}

TEST_F(EniSupplierTest, RefusesAZoneThatIsNotMapped) {
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    config.eni.zones.clear();
    config.eni.zones["cn-sim-b"].v_switches = {"vsw-pod-b"};
    EniAgent agent(region, config);
    agent.start();

    const auto lease = agent.lease("c1");

    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code, Code::kZoneNotMapped);
    EXPECT_EQ(lease.error().msg,
              "zone cn-sim-a has no pod vSwitch; add it under eni.zones");
    EXPECT_TRUE(region.secondary().empty());
    EXPECT_EQ(agent.supplier.health().why.code, Code::kZoneNotMapped);
  });
}

struct BadZone {
  const char* v_switch;
  Code code;
};

class EniBadZone : public EniSupplierTest,
                   public testing::WithParamInterface<BadZone> {};

TEST_P(EniBadZone, IsRefusedWithItsReasonAndNothingIsMade) {
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    config.eni.zones["cn-sim-a"].v_switches = {"vsw-pod-a",
                                               GetParam().v_switch};
    EniAgent agent(region, config);
    agent.start();

    const auto lease = agent.lease("c1");

    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code, GetParam().code) << lease.error().msg;
    EXPECT_THAT(lease.error().msg, HasSubstr(GetParam().v_switch));
    EXPECT_TRUE(region.secondary().empty());
  });
}

INSTANTIATE_TEST_SUITE_P(
    Table, EniBadZone,
    testing::Values(BadZone{"vsw-none", Code::kVSwitchNotFound},
                    BadZone{"vsw-pod-b", Code::kVSwitchWrongZone},
                    BadZone{"vsw-far", Code::kVSwitchWrongVpc},
                    BadZone{"vsw-host-a", Code::kVSwitchIsHost}));

struct Mistake {
  const char* name;
  std::vector<std::string> v_switches;  // listed for the node's zone
  Code code;
  const char* fact;
};

class EniMistake : public EniSupplierTest,
                   public testing::WithParamInterface<Mistake> {
 protected:
  static void make(const Mistake& mistake, EniRegion& region,
                   conf::AgentConfig& config) {
    config.eni.zones.clear();
    config.eni.zones["cn-sim-b"].v_switches = {"vsw-pod-b"};
    if (!mistake.v_switches.empty()) {
      config.eni.zones["cn-sim-a"].v_switches = mistake.v_switches;
    }
    region.tune([&](sim::Knobs& knobs) {
      if (mistake.code != Code::kVSwitchExhausted) return;
      knobs.exhausted = {{"vsw-pod-a", "InvalidVSwitchId.IpNotEnough"}};
    });
  }
  /// In the cloud's whole record: no interface was ever made elsewhere, and
  /// addresses were assigned to none but those. How many were made.
  static std::size_t expect_only_pod_v_switches_ever(const EniRegion& region) {
    std::set<std::string> ours;
    for (const sim::EniView& eni : region.secondary()) {
      EXPECT_THAT(eni.v_switch, testing::AnyOf("vsw-pod-a", "vsw-more-a"));
      ours.insert(eni.id);
    }
    std::size_t made = 0;
    for (const sim::CallRecord& call : region.cloud.calls()) {
      if (!call.code.empty()) continue;
      if (call.action == "CreateNetworkInterface") {
        EXPECT_THAT(call.params.at("VSwitchId"),
                    testing::AnyOf("vsw-pod-a", "vsw-more-a"));
        ++made;
      } else if (call.action == "AssignPrivateIpAddresses") {
        EXPECT_TRUE(ours.contains(call.params.at("NetworkInterfaceId")));
      }
    }
    return made;
  }
  /// At the cloud: nothing of the node's outside the vSwitches for pods.
  static void expect_only_pod_v_switches(const EniRegion& region) {
    for (const sim::BookLine& line : region.cloud.books()) {
      if (line.instance != "i-a" || line.v_switch == "vsw-host-a") continue;
      EXPECT_THAT(line.v_switch, testing::AnyOf("vsw-pod-a", "vsw-more-a"));
    }
    EXPECT_EQ(region.primary().addresses.size(), 1U);
  }
};

/// The API server's side of an agent: refused ADDs become events.
struct Events {
  explicit Events(EniAgent& agent, const Clock& clock)
      : worker(agent.loop, "kube", Worker::Kind::kInline),
        writer({.loop = agent.loop,
                .worker = worker,
                .metrics = agent.metrics,
                .connect = [this] { return connect(); }}),
        events({.loop = agent.loop,
                .clock = clock,
                .metrics = agent.metrics,
                .writer = writer,
                .node_name = "node-a"}) {
    api.put("/api/v1/namespaces/web", {{"metadata", {{"name", "web"}}}});
    agent.on_refused = [this](const ipam::Attachment& attachment,
                              const Error& why) {
      events.pod_refused(attachment.pod, why);
    };
  }
  Result<std::unique_ptr<kube::Transport>> connect() { return api.connect(); }
  /// "REASON: NOTE" of each event about the pod.
  std::vector<std::string> about(const std::string& pod) {
    const auto transport = api.connect();
    std::vector<std::string> texts;
    const auto list = must(kube::Client(*transport).list(kube::kEvents, "web"));
    for (const Json& event : list.items) {
      if (event["regarding"]["name"] != pod) continue;
      texts.push_back(event["reason"].get<std::string>() + ": " +
                      event["note"].get<std::string>());
    }
    return texts;
  }

  tests::FakeApi api;
  Worker worker;
  KubeWriter writer;
  KubeEvents events;
};

TEST_P(EniMistake, IsToldByEventConditionMetricAndCli) {
  const Mistake& mistake = GetParam();
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    make(mistake, region, config);
    EniAgent agent(region, config);
    Events events(agent, region.clock);
    agent.start();

    ASSERT_FALSE(agent.lease("c1"));
    agent.pass(seconds(5));

    const rpc::Status status = agent.service.status();
    const auto conditions = node_conditions(status);
    const kube::Condition* ready =
        kube::find_condition(conditions, "LinseyReady");
    ASSERT_NE(ready, nullptr);
    const auto told = testing::AllOf(
        HasSubstr(std::string(name(mistake.code))), HasSubstr(mistake.fact),
        HasSubstr(std::string(info(mistake.code).remedy)));
    EXPECT_THAT(events.about("c1"), testing::ElementsAre(told));
    EXPECT_EQ(ready->status, "False");
    EXPECT_THAT(ready->reason + ": " + ready->message, told);
    EXPECT_THAT(ctl::status_report(status).text, told);
    EXPECT_THAT(agent.metrics.text(),
                HasSubstr(fmt::format("code=\"{}\"", name(mistake.code))));
  });
}

TEST_P(EniMistake, IsRefusedWithFactAndRemedyAndServedOnceItIsMended) {
  const Mistake& mistake = GetParam();
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    const auto good = config.eni.zones;
    make(mistake, region, config);
    EniAgent agent(region, config);
    agent.start();

    for (int i = 0; i < 5; ++i) {
      const auto lease = agent.lease("c" + std::to_string(i));
      ASSERT_FALSE(lease);
      EXPECT_EQ(lease.error().code, mistake.code) << lease.error().msg;
      EXPECT_THAT(lease.error().msg, HasSubstr(mistake.fact));
      EXPECT_THAT(to_string(lease.error()),
                  HasSubstr(std::string(info(mistake.code).remedy)));
      agent.pass(seconds(20));
      expect_only_pod_v_switches(region);
    }
    EXPECT_FALSE(info(mistake.code).remedy.empty());
    EXPECT_FALSE(agent.supplier.health().ready);
    EXPECT_EQ(agent.supplier.health().why.code, mistake.code);
    EXPECT_THAT(agent.metrics.text(),
                HasSubstr(fmt::format("code=\"{}\"", name(mistake.code))));

    region.tune([](sim::Knobs& knobs) { knobs.exhausted.clear(); });
    agent.config.eni.zones = good;
    agent.supplier.config_changed();
    const auto lease = agent.lease("mended");
    ASSERT_TRUE(lease) << lease.error().msg;
    expect_only_pod_v_switches(region);
    EXPECT_EQ(expect_only_pod_v_switches_ever(region), 1U);
  });
}

INSTANTIATE_TEST_SUITE_P(
    All, EniMistake,
    testing::Values(
        Mistake{"unmapped", {}, Code::kZoneNotMapped, "cn-sim-a"},
        Mistake{"another zone",
                {"vsw-pod-b"},
                Code::kVSwitchWrongZone,
                "vsw-pod-b"},
        Mistake{"another VPC", {"vsw-far"}, Code::kVSwitchWrongVpc, "vsw-far"},
        Mistake{"missing", {"vsw-none"}, Code::kVSwitchNotFound, "vsw-none"},
        Mistake{
            "exhausted", {"vsw-pod-a"}, Code::kVSwitchExhausted, "vsw-pod-a"},
        Mistake{
            "the host's", {"vsw-host-a"}, Code::kVSwitchIsHost, "vsw-host-a"}));

TEST_F(EniSupplierTest, RefusesALabelThatDisagreesWithTheMetadata) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    EniAgent agent(region, config);
    agent.node.labels["topology.kubernetes.io/zone"] = "cn-sim-b";
    agent.start();

    const auto lease = agent.lease("c1");

    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code, Code::kZoneMismatch);
  });
}

TEST_F(EniSupplierTest, StartsWhenTheConfigurationIsMended) {
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    const auto good = config.eni.zones;
    config.eni.zones.clear();
    EniAgent agent(region, config);
    agent.start();
    ASSERT_FALSE(agent.lease("c1"));

    agent.config.eni.zones = good;
    agent.supplier.config_changed();

    EXPECT_TRUE(agent.lease("c1"));
  });
}

TEST_F(EniSupplierTest, NamesTheExhaustedVSwitches) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    region.tune([](sim::Knobs& knobs) {
      knobs.exhausted = {{"vsw-pod-a", "InvalidVSwitchId.IpNotEnough"},
                         {"vsw-more-a", "QuotaExceeded.PrivateIpAddress"}};
    });
    EniAgent agent(region, config);
    agent.start();

    const auto lease = agent.lease("c1");

    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code, Code::kVSwitchExhausted);
    EXPECT_TRUE(region.secondary().empty());
  });
}

TEST_F(EniSupplierTest, GoesToTheSecondVSwitchWhenTheFirstIsExhausted) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    region.tune([](sim::Knobs& knobs) {
      knobs.exhausted = {{"vsw-pod-a", "InvalidVSwitchId.IpNotEnough"}};
    });
    EniAgent agent(region, config);
    agent.start();

    const auto lease = agent.lease("c1");

    ASSERT_TRUE(lease) << lease.error().msg;
    EXPECT_EQ(region.secondary().at(0).v_switch, "vsw-more-a");
  });
}

TEST_F(EniSupplierTest, ComesBackToAVSwitchThatHasRoomAgain) {
  in_region([&](EniRegion& region, conf::AgentConfig config) {
    config.eni.zones["cn-sim-a"].v_switches = {"vsw-pod-a"};
    region.tune([](sim::Knobs& knobs) {
      knobs.exhausted = {{"vsw-pod-a", "InvalidVSwitchId.IpNotEnough"}};
    });
    EniAgent agent(region, config);
    agent.start();
    ASSERT_FALSE(agent.lease("c1"));

    region.tune([](sim::Knobs& knobs) { knobs.exhausted.clear(); });
    agent.pass(minutes(1));

    EXPECT_TRUE(agent.lease("c2"));
  });
}

TEST_F(EniSupplierTest, NamesTheMissingRight) {
  in_region([&](EniRegion& region, const conf::AgentConfig& config) {
    region.tune([](sim::Knobs& knobs) {
      knobs.actions["CreateNetworkInterface"].denied = true;
    });
    EniAgent agent(region, config);
    agent.start();

    const auto lease = agent.lease("c1");

    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code, Code::kCloudForbidden);
    EXPECT_THAT(lease.error().msg, HasSubstr("ecs:CreateNetworkInterface"));
  });
}

}  // namespace
}  // namespace linsey::agent
