#include "conf/netconf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace linsey::conf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A valid configuration with `more` (", \"key\": value") added.
std::string with(const std::string& more) {
  return R"({"cniVersion": "1.0.0", "name": "net1", "type": "linsey")" + more +
         "}";
}

TEST(NetConf, HasDefaultsForAllOfOurKeys) {
  const Result<NetConf> conf = parse_netconf(with(""));

  ASSERT_TRUE(conf) << conf.error().msg;
  EXPECT_EQ(conf->cni_version, "1.0.0");
  EXPECT_EQ(conf->name, "net1");
  EXPECT_EQ(conf->type, "linsey");
  EXPECT_EQ(conf->agent_socket, "/run/linsey/agent.sock");
  EXPECT_EQ(conf->notes_dir, "/var/lib/linsey/notes");
  EXPECT_EQ(conf->mtu, std::nullopt);
  EXPECT_EQ(conf->agent_wait, std::chrono::seconds(10));
  EXPECT_EQ(conf->log_file, "");
  EXPECT_EQ(conf->log_level, "warn");
  EXPECT_EQ(conf->bandwidth, ipam::Bandwidth());
  EXPECT_THAT(conf->port_mappings, IsEmpty());
  EXPECT_THAT(conf->ips, IsEmpty());
  EXPECT_EQ(conf->mac, std::nullopt);
  EXPECT_EQ(conf->valid_attachments, std::nullopt);
  EXPECT_EQ(conf->prev_result, nullptr);
}

TEST(NetConf, ReadsOurKeys) {
  const Result<NetConf> conf = parse_netconf(with(
      R"(, "agentSocket": "/r/a", "notesDir": "/n", "mtu": 1400,
         "agentWait": "500ms", "logFile": "/l", "logLevel": "debug")"));

  ASSERT_TRUE(conf) << conf.error().msg;
  EXPECT_EQ(conf->agent_socket, "/r/a");
  EXPECT_EQ(conf->notes_dir, "/n");
  EXPECT_EQ(conf->mtu, 1400U);
  EXPECT_EQ(conf->agent_wait, std::chrono::milliseconds(500));
  EXPECT_EQ(conf->log_file, "/l");
  EXPECT_EQ(conf->log_level, "debug");
}

TEST(NetConf, ReadsAbsentAndEmptyVersionsAsTheOldest) {
  EXPECT_EQ(parse_netconf(R"({"name": "n"})")->cni_version, "0.1.0");
  EXPECT_EQ(parse_netconf(R"({"name": "n", "cniVersion": ""})")->cni_version,
            "0.1.0");
}

TEST(NetConf, MatchesKeysWithoutRegardToCase) {
  const Result<NetConf> conf =
      parse_netconf(R"({"CNIVersion": "0.4.0", "Name": "n", "MTU": 1300})");

  ASSERT_TRUE(conf) << conf.error().msg;
  EXPECT_EQ(conf->cni_version, "0.4.0");
  EXPECT_EQ(conf->mtu, 1300U);
}

TEST(NetConf, IgnoresUnknownKeysAndCapabilities) {
  EXPECT_TRUE(parse_netconf(
      with(R"(, "capabilities": {"bandwidth": true}, "x": [[[[{}]]]],
               "ipam": {"type": "host-local"}, "dns": 5)")));
}

TEST(NetConf, TakesAMegabyte) {
  EXPECT_TRUE(
      parse_netconf(with(R"(, "pad": ")" + std::string(1 << 20, 'x') + "\"")));
}

TEST(NetConf, ReadsCapabilitiesAsContainerdWritesThem) {
  const Result<NetConf> conf = parse_netconf(with(R"(, "runtimeConfig": {
    "portMappings": [{"HostPort": 8080, "ContainerPort": 80,
                      "Protocol": "TCP", "HostIP": ""},
                     {"HostPort": 53, "ContainerPort": 5353,
                      "Protocol": "udp", "HostIP": "192.0.2.1"}],
    "bandwidth": {"IngressRate": 1000000, "IngressBurst": 4294967295,
                  "EgressRate": 2000000, "EgressBurst": 4294967295}})"));

  ASSERT_TRUE(conf) << conf.error().msg;
  EXPECT_THAT(conf->port_mappings,
              ElementsAre(ipam::PortMapping{8080, 80, "tcp", std::nullopt},
                          ipam::PortMapping{53, 5353, "udp",
                                            *IpAddr::parse("192.0.2.1")}));
  EXPECT_EQ(conf->bandwidth,
            (ipam::Bandwidth{1000000, 4294967295, 2000000, 4294967295}));
}

TEST(NetConf, ReadsCapabilitiesAsTheConventionsSpellThem) {
  const Result<NetConf> conf = parse_netconf(with(R"(, "runtimeConfig": {
    "portMappings": [{"hostPort": 8080, "containerPort": 80}],
    "bandwidth": {"ingressRate": 8, "ingressBurst": 8},
    "ips": ["10.1.2.3/24", "fd00::3"], "mac": "02:00:00:00:00:07"})"));

  ASSERT_TRUE(conf) << conf.error().msg;
  EXPECT_THAT(conf->port_mappings,
              ElementsAre(ipam::PortMapping{8080, 80, "tcp", std::nullopt}));
  EXPECT_EQ(conf->bandwidth, (ipam::Bandwidth{8, 8, 0, 0}));
  EXPECT_THAT(conf->ips, ElementsAre(*IpAddr::parse("10.1.2.3"),
                                     *IpAddr::parse("fd00::3")));
  EXPECT_EQ(conf->mac->to_string(), "02:00:00:00:00:07");
}

TEST(NetConf, LetsArgsBeatTheRuntime) {
  const Result<NetConf> conf = parse_netconf(with(R"(,
    "runtimeConfig": {"ips": ["10.1.2.3"], "mac": "02:00:00:00:00:07"},
    "args": {"cni": {"ips": ["10.9.9.9"], "mac": "02:00:00:00:00:09"}})"));

  ASSERT_TRUE(conf) << conf.error().msg;
  EXPECT_THAT(conf->ips, ElementsAre(*IpAddr::parse("10.9.9.9")));
  EXPECT_EQ(conf->mac->to_string(), "02:00:00:00:00:09");
}

TEST(NetConf, KeepsTheRuntimesWishWhereArgsHasNone) {
  const Result<NetConf> conf = parse_netconf(with(R"(,
    "runtimeConfig": {"ips": ["10.1.2.3"]}, "args": {"cni": {"ips": []}})"));

  ASSERT_TRUE(conf) << conf.error().msg;
  EXPECT_THAT(conf->ips, ElementsAre(*IpAddr::parse("10.1.2.3")));
}

TEST(NetConf, KeepsThePreviousResultAsGiven) {
  const Result<NetConf> conf =
      parse_netconf(with(R"(, "prevResult": {"custom": [1, {"a": null}]})"));

  ASSERT_TRUE(conf) << conf.error().msg;
  ASSERT_NE(conf->prev_result, nullptr);
  EXPECT_EQ(conf->prev_result->dump(), R"({"custom":[1,{"a":null}]})");
}

TEST(NetConf, ReadsANullPreviousResultAsAbsent) {
  EXPECT_EQ(parse_netconf(with(R"(, "prevResult": null)"))->prev_result,
            nullptr);
}

struct ValidCase {
  const char* more;
  std::optional<std::vector<std::string>> ids;
};

class NetConfValidAttachments : public ::testing::TestWithParam<ValidCase> {};

TEST_P(NetConfValidAttachments, AreReadUnderEitherKey) {
  const Result<NetConf> conf = parse_netconf(with(GetParam().more));

  ASSERT_TRUE(conf) << conf.error().msg;
  std::optional<std::vector<std::string>> ids;
  if (conf->valid_attachments) {
    ids.emplace();
    for (const ValidAttachment& valid : *conf->valid_attachments) {
      ids->push_back(valid.container_id + ":" + valid.ifname);
    }
  }
  EXPECT_EQ(ids, GetParam().ids);
}

using Ids = std::vector<std::string>;
INSTANTIATE_TEST_SUITE_P(
    Table, NetConfValidAttachments,
    ::testing::Values(ValidCase{"", std::nullopt},
                      ValidCase{R"(, "cni.dev/valid-attachments": null)",
                                Ids{}},
                      ValidCase{R"(, "cni.dev/attachments": null)", Ids{}},
                      ValidCase{R"(, "cni.dev/attachments": [])", Ids{}},
                      ValidCase{R"(, "cni.dev/valid-attachments":
                   [{"containerID": "c1", "ifname": "eth0"}])",
                                Ids{"c1:eth0"}},
                      ValidCase{R"(, "cni.dev/attachments":
                   [{"containerID": "c1", "ifname": "eth0"}])",
                                Ids{"c1:eth0"}},
                      ValidCase{R"(, "cni.dev/attachments":
                   [{"containerID": "c1", "ifname": "eth0"}],
                   "cni.dev/valid-attachments": null)",
                                Ids{"c1:eth0"}},
                      ValidCase{R"(, "cni.dev/attachments": null,
                   "cni.dev/valid-attachments":
                   [{"ContainerID": "c2", "IfName": "net1"}])",
                                Ids{"c2:net1"}}));

struct NetConfErrorCase {
  std::string text;
  Code code;
  const char* says;
};

class NetConfError : public ::testing::TestWithParam<NetConfErrorCase> {};

TEST_P(NetConfError, HasTheCodeOfTheConformanceTable) {
  const Result<NetConf> conf = parse_netconf(GetParam().text);

  ASSERT_FALSE(conf) << GetParam().text;
  EXPECT_EQ(conf.error().code, GetParam().code) << conf.error().msg;
  EXPECT_THAT(conf.error().msg, HasSubstr(GetParam().says));
}

constexpr Code kDecode = Code::kDecode;
constexpr Code kInvalid = Code::kInvalidNetworkConfig;

INSTANTIATE_TEST_SUITE_P(
    Protocol, NetConfError,
    ::testing::Values(
        NetConfErrorCase{"", kDecode, "stdin"},
        NetConfErrorCase{"{", kDecode, "stdin"},
        NetConfErrorCase{"[]", kDecode, "must be an object"},
        NetConfErrorCase{"{}x", kDecode, "stdin"},
        NetConfErrorCase{"null", kInvalid, "/name"},
        NetConfErrorCase{"{}", kInvalid, "/name"},
        NetConfErrorCase{R"({"name": ""})", kInvalid, "/name"},
        NetConfErrorCase{R"({"name": "-a"})", kInvalid, "\"-a\""},
        NetConfErrorCase{R"({"name": "a/b"})", kInvalid, "\"a/b\""},
        NetConfErrorCase{R"({"name": "a b"})", kInvalid, "\"a b\""},
        NetConfErrorCase{R"({"name": "a\n"})", kInvalid, "/name"},
        NetConfErrorCase{R"({"name": 5})", kDecode, "/name"},
        NetConfErrorCase{R"({"name": "n", "cniVersion": 1})", kDecode,
                         "/cniVersion"}));

INSTANTIATE_TEST_SUITE_P(
    OurKeys, NetConfError,
    ::testing::Values(
        NetConfErrorCase{with(R"(, "mtu": 70000)"), kInvalid, "68..65535"},
        NetConfErrorCase{with(R"(, "mtu": 67)"), kInvalid, "68..65535"},
        NetConfErrorCase{with(R"(, "mtu": "1400")"), kDecode, "/mtu"},
        NetConfErrorCase{with(R"(, "mtu": 1.5)"), kDecode, "/mtu"},
        NetConfErrorCase{with(R"(, "mtu": -1)"), kDecode, "/mtu"},
        NetConfErrorCase{with(R"(, "agentWait": "soon")"), kInvalid,
                         "/agentWait"},
        NetConfErrorCase{with(R"(, "agentSocket": "x")"), kInvalid,
                         "/agentSocket"},
        NetConfErrorCase{with(R"(, "notesDir": "")"), kInvalid, "/notesDir"},
        NetConfErrorCase{with(R"(, "logLevel": "loud")"), kInvalid,
                         "/logLevel"}));

std::string runtime(const std::string& inner) {
  return with(R"(, "runtimeConfig": {)" + inner + "}");
}

INSTANTIATE_TEST_SUITE_P(
    Capabilities, NetConfError,
    ::testing::Values(
        NetConfErrorCase{with(R"(, "runtimeConfig": [])"), kDecode,
                         "/runtimeConfig"},
        NetConfErrorCase{runtime(R"("bandwidth": {"ingressRate": 8})"),
                         kInvalid, "ingressBurst"},
        NetConfErrorCase{runtime(R"("bandwidth": {"egressBurst": 8})"),
                         kInvalid, "egressBurst"},
        NetConfErrorCase{runtime(R"("bandwidth": {"ingressRate": 8,
                                    "ingressBurst": 34359738368})"),
                         kInvalid, "34359738359"},
        NetConfErrorCase{runtime(R"("bandwidth": {"ingressRate": "8"})"),
                         kDecode, "/runtimeConfig/bandwidth/ingressRate"},
        NetConfErrorCase{runtime(R"("portMappings": {})"), kDecode,
                         "/runtimeConfig/portMappings"},
        NetConfErrorCase{runtime(R"("portMappings": [{"hostPort": 0,
                                    "containerPort": 1}])"),
                         kInvalid, "/runtimeConfig/portMappings/0/hostPort"},
        NetConfErrorCase{runtime(R"("portMappings": [{"hostPort": 1}])"),
                         kInvalid, "containerPort"},
        NetConfErrorCase{runtime(R"("portMappings": [{"hostPort": 65536,
                                    "containerPort": 1}])"),
                         kInvalid, "1..65535"},
        NetConfErrorCase{runtime(R"("portMappings": [{"hostPort": 1,
                                    "containerPort": 1, "protocol": "icmp"}])"),
                         kInvalid, "icmp"},
        NetConfErrorCase{runtime(R"("portMappings": [{"hostPort": 1,
                                    "containerPort": 1, "hostIP": "h"}])"),
                         kInvalid, "hostIP"},
        NetConfErrorCase{runtime(R"("ips": ["10.0.0"])"), kInvalid,
                         "/runtimeConfig/ips/0"},
        NetConfErrorCase{runtime(R"("ips": ["10.0.0.1", "10.0.0.2"])"),
                         kInvalid, "two addresses of one family"},
        NetConfErrorCase{runtime(R"("ips": [5])"), kDecode, "/ips/0"},
        NetConfErrorCase{runtime(R"("mac": "02:00")"), kInvalid, "/mac"},
        NetConfErrorCase{runtime(R"("mac": "01:00:00:00:00:01")"), kInvalid,
                         "unicast"},
        NetConfErrorCase{with(R"(, "cni.dev/valid-attachments": 5)"), kDecode,
                         "valid-attachments"},
        NetConfErrorCase{with(R"(, "cni.dev/attachments": [5])"), kDecode,
                         "attachments/0"}));

TEST(NetConf, VerbsThatTakeAwayReadOnWhateverTheWishesBecame) {
  const Result<NetConf> conf =
      parse_netconf(with(R"(, "mtu": "1400", "agentSocket": "/s", "notesDir": 5,
               "runtimeConfig": {"ips": 7})"),
                    Wishes::kIgnore);

  ASSERT_TRUE(conf.has_value()) << conf.error().msg;
  EXPECT_EQ(conf->agent_socket, "/s");
  EXPECT_EQ(conf->notes_dir, NetConf().notes_dir);
  EXPECT_FALSE(parse_netconf(R"({"cniVersion": "1.0.0"})", Wishes::kIgnore))
      << "a name is always needed";
}

TEST(NetConf, TakesTheLargestBurstTheKernelCanCount) {
  EXPECT_TRUE(parse_netconf(runtime(
      R"("bandwidth": {"ingressRate": 8, "ingressBurst": 34359738359})")));
}

}  // namespace
}  // namespace linsey::conf
