// The real client against the simulated cloud, over HTTP: each was written
// from the same facts by other hands, so what they agree on is worth more than
// what either says of itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "cloud/aliyun_ecs.h"
#include "cloud/credentials.h"
#include "cloud/http.h"
#include "cloud/metadata.h"
#include "lab/sim/http_server.h"
#include "lab/sim/metadata.h"
#include "lab/sim/openapi.h"
#include "tests/lab/sim/support.h"

namespace linsey::sim::tests {
namespace {

/// The region served over HTTP, and a client on i-a with the instance's role.
class Node {
 public:
  explicit Node(bool v1_signature = false) {
    fill(cloud);
    const std::string api_url = serve(
        [this](const HttpRequest& request) { return api_.handle(request); });
    const std::string metadata_url = serve([this](const HttpRequest& request) {
      return metadata_service_.handle(request);
    });
    metadata = std::make_unique<cloud::Metadata>(
        cloud::MetadataOptions{.url = metadata_url,
                               .timeout = std::chrono::seconds(5)},
        http_, clock_);
    credentials_ = std::make_unique<cloud::CredentialSource>(
        cloud::CredentialOptions{.ram_role = true, .key_file = {}}, *metadata,
        clock_);
    ecs = std::make_unique<cloud::AliyunEcs>(
        cloud::AliyunOptions{.region = {},
                             .ecs_endpoint = api_url,
                             .vpc_endpoint = api_url,
                             .timeout = std::chrono::seconds(5),
                             .v1_signature = v1_signature},
        cloud::AliyunEcs::Parties{http_, *credentials_, *metadata, clock_, {}});
  }

  cloud::Eni create(const cloud::CreateEni& more = {}) {
    cloud::CreateEni request = more;
    request.v_switch = "vsw-pod-a";
    request.security_groups = {"sg-1"};
    Result<cloud::Eni> eni = ecs->create_eni(request);
    EXPECT_TRUE(eni) << to_string(eni.error());
    return std::move(eni).value();
  }

 private:
  std::string serve(HttpHandler handler) {
    UniqueFd listener =
        listen_tcp(IpAddr::parse("127.0.0.1").value(), 0).value();
    const std::uint16_t port = port_of(listener).value();
    server_->serve(std::move(listener), std::move(handler));
    return "http://127.0.0.1:" + std::to_string(port);
  }

  SteadyClock clock_;

 public:
  Cloud cloud{clock_};
  std::unique_ptr<cloud::Metadata> metadata;
  std::unique_ptr<cloud::AliyunEcs> ecs;

 private:
  OpenApi api_{cloud};
  Metadata metadata_service_{cloud, "i-a"};
  cloud::HttpClient http_;
  std::unique_ptr<cloud::CredentialSource> credentials_;
  // Last: its thread ends before what its handlers use goes.
  std::unique_ptr<HttpServer> server_ = HttpServer::start().value();
};

class SimClientSigned : public testing::TestWithParam<bool> {};

TEST_P(SimClientSigned, TakesAnEniThroughItsWholeLife) {
  Node node(GetParam());
  const cloud::Eni made = node.create({.secondary_ipv4 = 2,
                                       .ipv6 = 1,
                                       .name = "linsey-1",
                                       .description = "a b*c~d\xc3\xa9",
                                       .tags = {{"owner", "x/y +"}},
                                       .client_token = "t-1"});

  ASSERT_TRUE(node.ecs->attach_eni(made.id, "i-a"));
  const auto more = node.ecs->assign({made.id, Family::kV4, 3, "t-2"});
  ASSERT_TRUE(more) << to_string(more.error());
  ASSERT_TRUE(node.ecs->unassign(made.id, *more));
  ASSERT_TRUE(node.ecs->detach_eni(made.id, "i-a"));
  ASSERT_TRUE(node.ecs->delete_eni(made.id));
  const auto left = node.ecs->describe_enis({.ids = {made.id}});

  ASSERT_TRUE(left);
  EXPECT_THAT(*left, testing::IsEmpty());
  EXPECT_EQ(more->size(), 3U);
  for (const CallRecord& call : node.cloud.calls()) {
    EXPECT_EQ(call.code, "") << call.action;
  }
}

TEST_P(SimClientSigned, ReadsWhatTheCloudShows) {
  Node node(GetParam());
  const cloud::Eni made = node.create(
      {.secondary_ipv4 = 4, .ipv6 = 2, .tags = {{"owner", "linsey"}}});
  ASSERT_TRUE(node.ecs->attach_eni(made.id, "i-a"));

  const auto found = node.ecs->describe_enis({.tags = {{"owner", "linsey"}}});
  const auto seen = node.metadata->eni(made.mac);

  ASSERT_TRUE(found) << to_string(found.error());
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().instance_id, "i-a");
  ASSERT_TRUE(seen) << to_string(seen.error());
  ASSERT_TRUE(seen->has_value());
  EXPECT_EQ((*seen)->id, made.id);
  EXPECT_EQ((*seen)->ipv4.size(), 5U);
  EXPECT_EQ((*seen)->ipv6.size(), 2U);
  EXPECT_EQ((*seen)->gateway, IpAddr::parse("172.16.16.253").value());
}

INSTANTIATE_TEST_SUITE_P(Signatures, SimClientSigned,
                         testing::Values(true, false), [](const auto& which) {
                           return which.param ? "V1" : "V3";
                         });

TEST(SimClient, KnowsItsInstanceAndTypeAndVSwitches) {
  Node node;

  const auto instance = node.metadata->instance();
  const auto type = node.ecs->describe_instance_type("ecs.g7.large");
  const auto none = node.ecs->describe_instance_type("ecs.none");
  const auto v_switches =
      node.ecs->describe_v_switches({"vsw-pod-b", "vsw-none", "vsw-far"});

  ASSERT_TRUE(instance) << to_string(instance.error());
  EXPECT_EQ(instance->zone, "cn-sim-a");
  ASSERT_TRUE(type) << to_string(type.error());
  EXPECT_EQ(type->enis, 3U);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kCloudGone);
  ASSERT_TRUE(v_switches) << to_string(v_switches.error());
  ASSERT_EQ(v_switches->size(), 2U);
  EXPECT_EQ(v_switches->front().zone, "cn-sim-b");
}

TEST(SimClient, ALostCreateIsFoundAgainByItsToken) {
  Node node;
  node.cloud.tune([](Knobs& knobs) {
    knobs.actions["CreateNetworkInterface"].lose_replies = 1;
  });
  const cloud::CreateEni request{.v_switch = "vsw-pod-a",
                                 .security_groups = {"sg-1"},
                                 .client_token = "t-1"};

  const auto lost = node.ecs->create_eni(request);
  const auto again = node.ecs->create_eni(request);

  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Code::kCloudUnavailable);
  ASSERT_TRUE(again) << to_string(again.error());
  EXPECT_EQ(node.cloud.enis().size(), 3U);
}

TEST(SimClient, TellsTheFaultsApart) {
  Node node;
  const cloud::Eni eni = node.create();
  ASSERT_TRUE(node.ecs->attach_eni(eni.id, "i-a"));
  const auto code_after = [&](const std::string& action, const Fault& fault) {
    node.cloud.tune(
        [&](Knobs& knobs) { knobs.actions[action].refuse = {fault}; });
    return node.ecs->detach_eni(eni.id, "i-a").error().code;
  };
  const std::string detach = "DetachNetworkInterface";

  for (const char* spelling :
       {"Throttling", "Throttling.User", "Throttling.Api"}) {
    EXPECT_EQ(code_after(detach, {400, spelling, "slow down"}),
              Code::kCloudThrottled);
  }
  EXPECT_EQ(code_after(detach, {500, "InternalError", "oops"}),
            Code::kCloudUnavailable);
  EXPECT_EQ(code_after(detach, {403, "Operation.Conflict", "busy"}),
            Code::kCloudConflict);
  EXPECT_EQ(code_after(detach, {403, "Forbidden.RAM", "no"}),
            Code::kCloudForbidden);
  EXPECT_EQ(node.ecs->delete_eni(eni.id).error().code,
            Code::kCloudStatePending);
}

TEST(SimClient, AnExhaustedVSwitchIsSaidSoInBothSpellings) {
  for (const char* spelling :
       {"InvalidVSwitchId.IpNotEnough", "QuotaExceeded.PrivateIpAddress"}) {
    Node node;
    node.cloud.tune(
        [&](Knobs& knobs) { knobs.exhausted["vsw-pod-a"] = spelling; });

    const auto eni = node.ecs->create_eni(
        {.v_switch = "vsw-pod-a", .security_groups = {"sg-1"}});

    ASSERT_FALSE(eni);
    EXPECT_EQ(eni.error().code, Code::kVSwitchExhausted);
  }
}

TEST(SimClient, OutlivesARotationWithoutOverlap) {
  Node node;
  node.create();
  node.cloud.rotate_role("i-a", Duration(0));

  const auto eni = node.ecs->create_eni(
      {.v_switch = "vsw-pod-a", .security_groups = {"sg-1"}});

  EXPECT_TRUE(eni) << to_string(eni.error());
}

TEST(SimClient, SpeaksHardenedMetadata) {
  Node node;
  node.cloud.tune([](Knobs& knobs) { knobs.hardened = true; });

  const auto instance = node.metadata->instance();

  ASSERT_TRUE(instance) << to_string(instance.error());
  EXPECT_EQ(instance->id, "i-a");
}

TEST(SimClient, PagesThroughAllEnis) {
  Node node;
  node.cloud.tune([](Knobs& knobs) { knobs.enis_per_region = 2000; });
  for (int i = 0; i < 240; ++i)
    make_eni(node.cloud);
  for (int i = 0; i < 240; ++i) {
    make_eni(node.cloud, {{"VSwitchId", "vsw-pod-b"}});
  }
  for (int i = 0; i < 240; ++i) {
    make_eni(node.cloud,
             {{"VSwitchId", "vsw-far"}, {"SecurityGroupId", "sg-2"}});
  }
  node.cloud.forget_calls();

  const auto all = node.ecs->describe_enis({});

  ASSERT_TRUE(all) << to_string(all.error());
  EXPECT_EQ(all->size(), 722U);
  EXPECT_EQ(node.cloud.count("DescribeNetworkInterfaces"), 2U);
}

}  // namespace
}  // namespace linsey::sim::tests
