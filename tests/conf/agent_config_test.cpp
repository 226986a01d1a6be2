#include "conf/agent_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/golden.h"

namespace linsey::conf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

AgentConfig must_parse(std::string_view text) {
  const Result<AgentConfig> config = parse_agent_config(text);
  EXPECT_TRUE(config) << config.error().msg;
  return config.value_or(AgentConfig());
}

TEST(AgentConfig, HasADefaultForEverything) {
  const AgentConfig config = must_parse("{}");

  EXPECT_EQ(config.version, 1);
  EXPECT_EQ(config.cluster, "default");
  EXPECT_EQ(config.socket, "/run/linsey/agent.sock");
  EXPECT_EQ(config.state_dir, "/var/lib/linsey");
  EXPECT_EQ(config.ipam.cool_down, std::chrono::seconds(30));
  EXPECT_EQ(config.bgp.as_number, 64512U);
  EXPECT_EQ(config.bgp.router_id, std::nullopt);
  EXPECT_EQ(config.eni.pool.min_idle, 2U);
  EXPECT_THAT(config.modes, IsEmpty());
  EXPECT_THAT(config.pools, IsEmpty());
}

TEST(AgentConfig, ReadsEveryKeyOfTheFullExample) {
  const AgentConfig config =
      must_parse(*read_file(tests::source_dir() + "/tests/conf/full.json"));

  EXPECT_EQ(config.cluster, "north");
  EXPECT_EQ(config.node.name, "m1");
  EXPECT_EQ(config.metrics_listen, "127.0.0.1:9479");
  EXPECT_EQ(config.mtu, 1500U);
  EXPECT_EQ(config.mtu_headroom, 50U);
  ASSERT_EQ(config.modes.size(), 2U);
  EXPECT_EQ(config.modes[1].name, "cloud");
  EXPECT_EQ(config.modes[1].mode, Mode::kEni);
  EXPECT_TRUE(config.modes[1].selector.matches({{"linsey.dev/site", "cloud"}}));
  EXPECT_EQ(config.evidence.timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(config.cidrs.services.size(), 2U);
  EXPECT_THAT(config.cidrs.vpc, ElementsAre(*Cidr::parse("172.16.0.0/12")));
  ASSERT_EQ(config.pools.size(), 2U);
  EXPECT_EQ(config.pools[0].block_size, 26U);
  EXPECT_FALSE(config.pools[0].node_selector.empty());
  EXPECT_EQ(config.blocks.assignments.at("m1").size(), 2U);
  EXPECT_EQ(config.ipam.wait, std::chrono::seconds(20));
  EXPECT_EQ(config.bgp.as_numbers.at(0).as_number, 64513U);
  EXPECT_EQ(config.bgp.router_id, *IpAddr::parse("10.0.1.11"));
  EXPECT_EQ(config.bgp.bird.binary, "/usr/sbin/bird");
  EXPECT_EQ(config.eni.rate.calls_per_minute, 30U);
  EXPECT_EQ(config.eni.rate.burst, 5U);
  EXPECT_EQ(config.eni.rules.return_mark, 256U);
  EXPECT_EQ(config.eni.rules.return_priority, 1000U);
  EXPECT_EQ(config.cni.conf_dir, "/etc/cni/net.d");
  EXPECT_EQ(config.log.format, "json");
}

TEST(AgentConfig, ReadsTheApiServerOfTheFullExample) {
  const AgentConfig config =
      must_parse(*read_file(tests::source_dir() + "/tests/conf/full.json"));

  EXPECT_EQ(config.kubernetes.source, "kubeconfig");
  EXPECT_EQ(config.kubernetes.kubeconfig, "/etc/linsey/kubeconfig");
  EXPECT_EQ(config.kubernetes.config_map_namespace, "linsey");
  EXPECT_EQ(config.kubernetes.config_map, "linsey-agent");
  EXPECT_EQ(config.kubernetes.config_map_key, "north.json");
  EXPECT_EQ(config.kubernetes.writes_per_second, 3U);
  EXPECT_EQ(config.kubernetes.taint_after, std::chrono::seconds(20));
  EXPECT_EQ(config.kubernetes.untaint_after, std::chrono::minutes(1));
}

TEST(AgentConfig, ReadsAPeerOfTheFullExample) {
  const AgentConfig config =
      must_parse(*read_file(tests::source_dir() + "/tests/conf/full.json"));

  ASSERT_EQ(config.bgp.peers.size(), 2U);
  const BgpPeer& peer = config.bgp.peers[0];
  EXPECT_EQ(peer.name, "tor-1");
  EXPECT_EQ(peer.address, *IpAddr::parse("10.0.1.1"));
  EXPECT_EQ(peer.as_number, 65000U);
  EXPECT_EQ(peer.password_file, "/etc/linsey/bgp/tor-1");
  EXPECT_EQ(peer.hold_time, std::chrono::seconds(30));
  EXPECT_EQ(peer.multihop, 2U);
  EXPECT_EQ(peer.source_address, *IpAddr::parse("10.0.1.11"));
  EXPECT_TRUE(peer.ttl_security);
  EXPECT_EQ(peer.restart_time, std::chrono::seconds(60));
  EXPECT_TRUE(peer.long_lived_graceful_restart);
  EXPECT_EQ(peer.stale_time, std::chrono::hours(12));
  EXPECT_EQ(peer.bfd.mode, "graceful");
  EXPECT_EQ(peer.bfd.interval, std::chrono::milliseconds(200));
  EXPECT_EQ(peer.bfd.multiplier, 4U);
  EXPECT_EQ(peer.families, (std::vector{Family::kV4, Family::kV6}));
  EXPECT_FALSE(peer.next_hop_self);
  EXPECT_EQ(peer.allow_own_as, 1U);
  EXPECT_EQ(peer.communities,
            (std::vector<Community>{{64512, 100, {}}, {4200000000, 1, 2}}));
  EXPECT_EQ(peer.med, 50U);
  EXPECT_EQ(peer.prepend, 2U);
  EXPECT_EQ(peer.max_prefixes, 5000U);
  EXPECT_EQ(peer.max_prefix_action, "block");
  ASSERT_TRUE(peer.import.has_value());
  EXPECT_EQ(*peer.import,
            (std::vector<ImportRule>{{*Cidr::parse("10.244.0.0/16"), 26, 26}}));
  EXPECT_TRUE(config.bgp.peers[1].extended_next_hop);
  EXPECT_EQ(config.bgp.peers[1].local_preference, 200U);
}

TEST(AgentConfig, ReadsTheEniPartOfTheFullExample) {
  const AgentConfig config =
      must_parse(*read_file(tests::source_dir() + "/tests/conf/full.json"));

  EXPECT_THAT(config.eni.zones.at("cn-x-a").v_switches,
              ElementsAre("vsw-a1", "vsw-a2"));
  EXPECT_EQ(config.eni.selection, "most-free");
  EXPECT_EQ(config.eni.tags.at("team"), "net");
  EXPECT_EQ(config.eni.pool.max_idle, 10U);
  EXPECT_FALSE(config.eni.credentials.ram_role);
  EXPECT_EQ(config.eni.call_timeout, std::chrono::seconds(15));
}

TEST(AgentConfig, GivesPoolsTheBlockSizeOfTheirFamily) {
  const AgentConfig config = must_parse(R"({"pools": [
    {"name": "a", "cidr": "10.0.0.0/16"},
    {"name": "b", "cidr": "fd00::/64", "blockSize": 0},
    {"name": "c", "cidr": "10.1.0.0/28", "blockSize": 28}]})");

  EXPECT_EQ(config.pools.at(0).block_size, 26U);
  EXPECT_EQ(config.pools.at(1).block_size, 122U);
  EXPECT_EQ(config.pools.at(2).block_size, 28U);
}

TEST(AgentConfig, LetsTheKeepaliveTimeFollowTheHoldTime) {
  const AgentConfig config = must_parse(R"({"bgp": {"peers": [
    {"name": "a", "address": "10.0.0.1", "holdTime": "10s"},
    {"name": "b", "address": "10.0.0.2"},
    {"name": "c", "address": "10.0.0.3", "holdTime": "0s"}]}})");

  EXPECT_EQ(config.bgp.peers.at(0).keepalive_time, std::chrono::seconds(3));
  EXPECT_EQ(config.bgp.peers.at(1).keepalive_time, std::chrono::seconds(30));
  EXPECT_EQ(config.bgp.peers.at(2).keepalive_time, std::chrono::seconds(0));
}

TEST(AgentConfig, AllowsNodesInsideTheVpcAndTheDataCentre) {
  must_parse(R"({"cidrs": {"vpc": ["172.16.0.0/12"],
    "dataCentre": ["10.0.0.0/16"],
    "nodes": ["10.0.1.0/24", "172.16.8.0/24", "192.0.2.0/24"]}})");
}

struct RefusedCase {
  const char* text;
  Code code;
  const char* says;
};

class AgentConfigRefuses : public ::testing::TestWithParam<RefusedCase> {};

TEST_P(AgentConfigRefuses, WithPointerFactAndRemedy) {
  const RefusedCase& c = GetParam();

  const Result<AgentConfig> config = parse_agent_config(c.text);

  ASSERT_FALSE(config) << c.text;
  EXPECT_EQ(config.error().code, c.code) << config.error().msg;
  EXPECT_THAT(config.error().msg, HasSubstr(c.says));
}

constexpr Code kInvalid = Code::kInvalidConfig;

INSTANTIATE_TEST_SUITE_P(
    Document, AgentConfigRefuses,
    ::testing::Values(
        RefusedCase{"{", Code::kDecode, "agent configuration"},
        RefusedCase{"[]", kInvalid, "must be an object"},
        RefusedCase{"null", kInvalid, "must be an object"},
        RefusedCase{R"({"pool": []})", kInvalid, "did you mean \"pools\"?"},
        RefusedCase{R"({"Pools": []})", kInvalid, "did you mean \"pools\"?"},
        RefusedCase{R"({"version": 2})", kInvalid, "/version"},
        RefusedCase{R"({"cluster": ""})", kInvalid, "/cluster"},
        RefusedCase{R"({"cluster": "a b"})", kInvalid, "/cluster"},
        RefusedCase{R"({"socket": "agent.sock"})", kInvalid, "/socket"},
        RefusedCase{R"({"stateDir": ""})", kInvalid, "/stateDir"},
        RefusedCase{R"({"node": {"file": "x"}})", kInvalid, "/node/file"},
        RefusedCase{R"({"metricsListen": "9479"})", kInvalid, "/metricsListen"},
        RefusedCase{R"({"metricsListen": "localhost:9479"})", kInvalid,
                    "/metricsListen"},
        RefusedCase{R"({"metricsListen": "127.0.0.1:0"})", kInvalid,
                    "/metricsListen"},
        RefusedCase{R"({"mtu": "1500"})", kInvalid, "/mtu"},
        RefusedCase{R"({"mtu": 70000})", kInvalid, "0..65535"},
        RefusedCase{R"({"mtu": 1279})", kInvalid, "IPv6 needs"},
        RefusedCase{R"({"mtu": 1300, "mtuHeadroom": 50})", kInvalid,
                    "raise mtu"},
        RefusedCase{R"({"evidence": {"metadataUrl": "x"}})", kInvalid,
                    "/evidence/metadataUrl"},
        RefusedCase{R"({"evidence": {"timeout": 1}})", kInvalid,
                    "/evidence/timeout"},
        RefusedCase{R"({"evidence": {"timeout": "0s"}})", kInvalid,
                    "/evidence/timeout"},
        RefusedCase{R"({"log": {"level": "trace"}})", kInvalid, "/log/level"},
        RefusedCase{R"({"log": {"format": "xml"}})", kInvalid, "\"json\""},
        RefusedCase{R"({"cni": {"conflist": "linsey"}})", kInvalid,
                    "/cni/conflist"},
        RefusedCase{R"({"cni": {"conflist": "../a.conflist"}})", kInvalid,
                    "/cni/conflist"},
        RefusedCase{R"({"ipam": {"coolDownMin": "1m"}})", kInvalid,
                    "/ipam/coolDownMin"},
        RefusedCase{R"({"ipam": {"wait": "60s"}})", kInvalid, "/ipam/wait"}));

INSTANTIATE_TEST_SUITE_P(
    Modes, AgentConfigRefuses,
    ::testing::Values(
        RefusedCase{R"({"modes": [{}]})", kInvalid, "/modes/0/name"},
        RefusedCase{R"({"modes": [{"name": "a", "mode": "bgp"}]})", kInvalid,
                    "/modes/0/selector"},
        RefusedCase{R"({"modes": [{"name": "a", "selector": "x"}]})", kInvalid,
                    "/modes/0/mode"},
        RefusedCase{R"({"modes": [{"name": "a", "selector": "x=",
                       "mode": "BGP"}]})",
                    kInvalid, "none of \"bgp\", \"eni\""},
        RefusedCase{R"({"modes": [{"name": "a", "selector": "x in a",
                       "mode": "bgp"}]})",
                    kInvalid, "/modes/0/selector: selector"},
        RefusedCase{R"({"modes": [
                       {"name": "a", "selector": "x=1,y", "mode": "bgp"},
                       {"name": "b", "selector": "y, x==1", "mode": "eni"}]})",
                    kInvalid, "same nodes as /modes/0"},
        RefusedCase{R"({"modes": [
                       {"name": "a", "selector": "x", "mode": "bgp"},
                       {"name": "a", "selector": "y", "mode": "eni"}]})",
                    kInvalid, "/modes/1/name"}));

INSTANTIATE_TEST_SUITE_P(
    Networks, AgentConfigRefuses,
    ::testing::Values(
        RefusedCase{R"({"pools": [{"name": "a"}]})", kInvalid, "/pools/0/cidr"},
        RefusedCase{R"({"pools": [{"name": "a", "cidr": "10.0.0.1/16"}]})",
                    kInvalid, "/pools/0/cidr"},
        RefusedCase{R"({"pools": [{"name": "a", "cidr": "10.0.0.0/16",
                       "blockSize": 19}]})",
                    kInvalid, "must lie in 20..32"},
        RefusedCase{R"({"pools": [{"name": "a", "cidr": "fd00::/64",
                       "blockSize": 26}]})",
                    kInvalid, "must lie in 116..128"},
        RefusedCase{R"({"pools": [{"name": "a", "cidr": "10.0.0.0/27"}]})",
                    kInvalid, "set blockSize to 27 or more"},
        RefusedCase{R"({"pools": [{"name": "a", "cidr": "10.0.0.0/16"},
                       {"name": "a", "cidr": "10.1.0.0/16"}]})",
                    kInvalid, "/pools/1/name"},
        RefusedCase{R"({"pools": [{"name": "a", "cidr": "10.0.0.0/16"},
                       {"name": "b", "cidr": "10.0.0.0/20"}]})",
                    Code::kPoolOverlap,
                    "/pools/1/cidr: pool \"b\" 10.0.0.0/20"},
        RefusedCase{R"({"pools": [{"name": "a", "cidr": "10.0.0.0/16"}],
                       "cidrs": {"vpc": ["10.0.0.0/8"]}})",
                    Code::kCidrOverlap, "/cidrs/vpc/0"},
        RefusedCase{R"({"cidrs": {"services": ["10.96.0.0/12"],
                       "dataCentre": ["10.0.0.0/8"]}})",
                    Code::kCidrOverlap, "dataCentre 10.0.0.0/8"},
        RefusedCase{R"({"cidrs": {"nodes": ["10.0.0.0/33"]}})", kInvalid,
                    "/cidrs/nodes/0"}));

INSTANTIATE_TEST_SUITE_P(
    Blocks, AgentConfigRefuses,
    ::testing::Values(
        RefusedCase{R"({"blocks": {"source": "etcd"}})", kInvalid,
                    "\"cluster\""},
        RefusedCase{R"({"blocks": {"assignments": []}})", kInvalid,
                    "/blocks/assignments"},
        RefusedCase{R"({"blocks": {"assignments": {"m1": "x"}}})", kInvalid,
                    "/blocks/assignments/m1"},
        RefusedCase{R"({"blocks": {"assignments": {"m1": ["10.0.0.0/26"]}}})",
                    kInvalid, "lies in no pool"},
        RefusedCase{R"({"pools": [{"name": "a", "cidr": "10.0.0.0/16"}],
                       "blocks": {"assignments": {"m1": ["10.0.0.0/19"]}}})",
                    kInvalid, "larger than a /20"},
        RefusedCase{R"({"pools": [{"name": "a", "cidr": "10.0.0.0/16"}],
                       "blocks": {"assignments": {"m1": ["10.0.0.0/26"],
                       "m2": ["10.0.0.32/27"]}}})",
                    kInvalid, "/blocks/assignments/m1/0"},
        RefusedCase{R"({"pools": [{"name": "a", "cidr": "10.0.0.0/16"}],
                       "blocks": {"source": "cluster",
                       "assignments": {"m1": ["10.0.0.0/26"]}}})",
                    kInvalid, "remove one of the two"},
        RefusedCase{R"({"blocks": {"source": "cluster"}})", kInvalid,
                    "/kubernetes/source is \"off\""},
        RefusedCase{R"({"kubernetes": {"source": "kubeconfig"}})", kInvalid,
                    "/kubernetes/kubeconfig"},
        RefusedCase{R"({"kubernetes": {"source": "elsewhere"}})", kInvalid,
                    "\"in-cluster\""},
        RefusedCase{R"({"kubernetes": {"configMap": {"name": "a",
                       "namespace": ""}}})",
                    kInvalid, "/kubernetes/configMap/namespace"},
        RefusedCase{R"({"kubernetes": {"writesPerSecond": 0}})", kInvalid,
                    "/kubernetes/writesPerSecond"}));

INSTANTIATE_TEST_SUITE_P(
    Bgp, AgentConfigRefuses,
    ::testing::Values(
        RefusedCase{R"({"bgp": {"asNumber": 0}})", kInvalid, "/bgp/asNumber"},
        RefusedCase{R"({"bgp": {"asNumber": 4294967296}})", kInvalid,
                    "/bgp/asNumber"},
        RefusedCase{R"({"bgp": {"asNumbers": [{"nodeSelector": "x"}]}})",
                    kInvalid, "/bgp/asNumbers/0/asNumber"},
        RefusedCase{R"({"bgp": {"routerId": "fd00::1"}})", kInvalid,
                    "/bgp/routerId"},
        RefusedCase{R"({"bgp": {"routerId": "x"}})", kInvalid, "/bgp/routerId"},
        RefusedCase{R"({"bgp": {"listenPort": 0}})", kInvalid,
                    "/bgp/listenPort"},
        RefusedCase{R"({"bgp": {"peers": [{"name": "a"}]}})", kInvalid,
                    "/bgp/peers/0/address"},
        RefusedCase{R"({"bgp": {"peers": [{"name": "a",
                       "address": "224.0.0.1"}]}})",
                    kInvalid, "unicast"},
        RefusedCase{R"({"bgp": {"peers": [{"name": "a",
                       "address": "fe80::1"}]}})",
                    kInvalid, "global address"},
        RefusedCase{R"({"bgp": {"peers": [{"name": "a", "address": "10.0.0.1",
                       "sourceAddress": "fd00::1"}]}})",
                    kInvalid, "/bgp/peers/0/sourceAddress"},
        RefusedCase{R"({"bgp": {"peers": [{"name": "a", "address": "10.0.0.1",
                       "holdTime": "2s"}]}})",
                    kInvalid, "3s..65535s"},
        RefusedCase{R"({"bgp": {"peers": [{"name": "a", "address": "10.0.0.1",
                       "holdTime": "3500ms"}]}})",
                    kInvalid, "whole seconds"},
        RefusedCase{R"({"bgp": {"peers": [{"name": "a", "address": "10.0.0.1",
                       "holdTime": "30s", "keepaliveTime": "11s"}]}})",
                    kInvalid, "a third of holdTime (30s)"},
        RefusedCase{R"({"bgp": {"peers": [{"name": "a", "address": "10.0.0.1"},
                       {"name": "a", "address": "10.0.0.2"}]}})",
                    kInvalid, "/bgp/peers/1/name"},
        RefusedCase{R"({"bgp": {"peers": [{"name": "a", "address": "10.0.0.1"},
                       {"name": "b", "address": "10.0.0.1"}]}})",
                    kInvalid, "same router"},
        RefusedCase{R"({"bgp": {"peers": [{"name": "a", "address": "10.0.0.1",
                       "passwordFile": "secret"}]}})",
                    kInvalid, "/bgp/peers/0/passwordFile"},
        RefusedCase{R"({"bgp": {"import": ["10.0.0.1/8"]}})", kInvalid,
                    "/bgp/import/0"},
        RefusedCase{R"({"bgp": {"import": ["10.0.0.0/8 ge 24 le 16"]}})",
                    kInvalid, "/bgp/import/0"},
        RefusedCase{R"({"bgp": {"import": ["10.0.0.0/8 le 33"]}})", kInvalid,
                    "lengths from 8 to 32"},
        RefusedCase{R"({"bgp": {"import": ["10.0.0.0/8 ge"]}})", kInvalid,
                    "no import rule"},
        RefusedCase{R"({"bgp": {"import": ["10.0.0.0/8 ge 9 ge 10"]}})",
                    kInvalid, "no import rule"},
        RefusedCase{R"({"cidrs": {"services": ["10.96.0.0/12"]},
                       "bgp": {"import": ["10.0.0.0/8", "10.96.4.0/24"]}})",
                    kInvalid, "/bgp/import/1"},
        RefusedCase{R"({"bgp": {"drain": {"quiet": "6m"}}})", kInvalid,
                    "/bgp/drain/quiet"},
        RefusedCase{R"({"bgp": {"drain": {"communities": ["1"]}}})", kInvalid,
                    "/bgp/drain/communities/0"},
        RefusedCase{R"({"bgp": {"bird": {"binary": ""}}})", kInvalid,
                    "/bgp/bird/binary"}));

struct PeerCase {
  const char* keys;
  const char* where;
};
class AgentConfigRefusesAPeer : public ::testing::TestWithParam<PeerCase> {};

TEST_P(AgentConfigRefusesAPeer, WithThePointerOfTheKey) {
  const Result<AgentConfig> config = parse_agent_config(fmt::format(
      R"({{"bgp": {{"peers": [{{"name": "a", {}}}]}}}})", GetParam().keys));

  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(config.error().code, Code::kInvalidConfig);
  EXPECT_THAT(config.error().msg, HasSubstr(GetParam().where));
}

INSTANTIATE_TEST_SUITE_P(
    Keys, AgentConfigRefusesAPeer,
    ::testing::Values(
        PeerCase{R"("address": "127.0.0.1")", "unicast"},
        PeerCase{R"("address": "10.0.0.1", "restartTime": "0s")",
                 "/bgp/peers/0/restartTime"},
        PeerCase{R"("address": "10.0.0.1", "restartTime": "4096s")",
                 "1s..4095s"},
        PeerCase{R"("address": "10.0.0.1", "staleTime": "1500ms")",
                 "/bgp/peers/0/staleTime"},
        PeerCase{R"("address": "10.0.0.1", "gracefulRestart": false,
                    "longLivedGracefulRestart": true)",
                 "set both"},
        PeerCase{R"("address": "10.0.0.1", "bfd": {"mode": "maybe"})",
                 "/bgp/peers/0/bfd/mode"},
        PeerCase{R"("address": "10.0.0.1", "bfd": {"interval": "5ms"})",
                 "10ms..60s"},
        PeerCase{R"("address": "10.0.0.1", "bfd": {"multiplier": 1})",
                 "/bgp/peers/0/bfd/multiplier"},
        PeerCase{R"("address": "10.0.0.1", "families": ["ipv5"])",
                 "/bgp/peers/0/families/0"},
        PeerCase{R"("address": "10.0.0.1", "families": ["ipv4", "ipv4"])",
                 "twice"},
        PeerCase{R"("address": "10.0.0.1", "extendedNextHop": true)",
                 "/bgp/peers/0/extendedNextHop"},
        PeerCase{R"("address": "10.0.0.1", "communities": ["65536:1"])",
                 "/bgp/peers/0/communities/0"},
        PeerCase{R"("address": "10.0.0.1", "communities": ["1:2:3:4"])",
                 "no community"},
        PeerCase{R"("address": "10.0.0.1", "communities": ["1:2", "1:2"])",
                 "listed twice"},
        PeerCase{R"("address": "10.0.0.1", "prepend": 11)",
                 "/bgp/peers/0/prepend"},
        PeerCase{R"("address": "10.0.0.1", "allowOwnAs": 11)",
                 "/bgp/peers/0/allowOwnAs"},
        PeerCase{R"("address": "10.0.0.1", "maxPrefixAction": "stop")",
                 "/bgp/peers/0/maxPrefixAction"},
        PeerCase{R"("address": "10.0.0.1", "import": ["10.0.0.1/8"])",
                 "/bgp/peers/0/import/0"},
        PeerCase{R"("address": "10.0.0.1", "hold": "90s")",
                 "/bgp/peers/0/hold"}));

TEST(ImportRule, MeansThePrefixAndAllInsideUnlessLengthsAreGiven) {
  const auto rule = [](const char* text) { return *ImportRule::parse(text); };
  const Cidr ten = *Cidr::parse("10.0.0.0/8");

  EXPECT_EQ(rule("10.0.0.0/8"), (ImportRule{ten, 8, 32}));
  EXPECT_EQ(rule("10.0.0.0/8 ge 16"), (ImportRule{ten, 16, 32}));
  EXPECT_EQ(rule("10.0.0.0/8 le 24"), (ImportRule{ten, 8, 24}));
  EXPECT_EQ(rule("10.0.0.0/8 le 24 ge 16"), (ImportRule{ten, 16, 24}));
  EXPECT_EQ(rule("0.0.0.0/0"), (ImportRule{*Cidr::parse("0.0.0.0/0"), 0, 0}));
  EXPECT_EQ(rule("::/0 le 128"), (ImportRule{*Cidr::parse("::/0"), 0, 128}));
}

INSTANTIATE_TEST_SUITE_P(
    Eni, AgentConfigRefuses,
    ::testing::Values(
        RefusedCase{R"({"eni": {"selection": "first"}})", kInvalid,
                    "/eni/selection"},
        RefusedCase{R"({"eni": {"zones": {"z": {}}}})", kInvalid,
                    "/eni/zones/z/vSwitches"},
        RefusedCase{R"({"eni": {"zones": {"z": {"vSwitches": []}}}})", kInvalid,
                    "has no pod vSwitch"},
        RefusedCase{R"({"eni": {"zones": {"": {"vSwitches": ["v"]}}}})",
                    kInvalid, "/eni/zones/"},
        RefusedCase{R"({"eni": {"zones": {"z": {"vSwitches": [""]}}}})",
                    kInvalid, "no resource id"},
        RefusedCase{R"({"eni": {"zones": {"z": {"vswitches": ["v"]}}}})",
                    kInvalid, "/eni/zones/z/vSwitches"},
        RefusedCase{R"({"eni": {"zones": {"a": {"vSwitches": ["v"]},
                       "b": {"vSwitches": ["v"]}}}})",
                    kInvalid,
                    "/eni/zones/b/vSwitches/0: v is listed at "
                    "/eni/zones/a/vSwitches/0"},
        RefusedCase{R"({"eni": {"securityGroups": ["s", "s"]}})", kInvalid,
                    "/eni/securityGroups/1"},
        RefusedCase{R"({"eni": {"tags": {"acs:x": "y"}}})", kInvalid,
                    "/eni/tags/acs:x"},
        RefusedCase{R"({"eni": {"tags": {"x": 5}}})", kInvalid, "/eni/tags/x"},
        RefusedCase{R"({"eni": {"pool": {"minIdle": 9}}})", kInvalid,
                    "/eni/pool/minIdle"},
        RefusedCase{R"({"eni": {"rate": {"callsPerMinute": 0}}})", kInvalid,
                    "/eni/rate/callsPerMinute"},
        RefusedCase{R"({"eni": {"rate": {"burst": 0}}})", kInvalid,
                    "/eni/rate/burst"},
        RefusedCase{R"({"eni": {"rate": {"perMinute": 6}}})", kInvalid,
                    "/eni/rate/perMinute"},
        RefusedCase{R"({"eni": {"rate": 60}})", kInvalid, "/eni/rate"},
        RefusedCase{R"({"eni": {"rules": {"toPodPriority": 2048}}})", kInvalid,
                    "/eni/rules/toPodPriority"},
        RefusedCase{R"({"eni": {"rules": {"returnMark": 3}}})", kInvalid,
                    "/eni/rules/returnMark"},
        RefusedCase{R"({"eni": {"rules": {"returnPriority": 2048}}})", kInvalid,
                    "/eni/rules/returnPriority"},
        RefusedCase{R"({"eni": {"rules": {"tableBase": 254}}})", kInvalid,
                    "/eni/rules/tableBase"},
        RefusedCase{R"({"eni": {"zones": {"z": {"vSwitches": ["v"]}},
                       "credentials": {"ramRole": false}}})",
                    kInvalid, "/eni/credentials"},
        RefusedCase{R"({"eni": {"ecsEndpoint": "ecs.example"}})", kInvalid,
                    "/eni/ecsEndpoint"},
        RefusedCase{R"({"eni": {"callTimeout": "0s"}})", kInvalid,
                    "/eni/callTimeout"}));

}  // namespace
}  // namespace linsey::conf
