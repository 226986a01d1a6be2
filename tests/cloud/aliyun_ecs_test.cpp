#include "cloud/aliyun_ecs.h"

#include <deque>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/http_server.h"
#include "tests/support/temp_dir.h"

namespace linsey::cloud {
namespace {

using testing::ElementsAre;
using tests::HttpServer;
using tests::ServedReply;
using tests::ServedRequest;

/// Answers from a list and remembers what was asked.
class AliyunEcsTest : public testing::Test {
 protected:
  AliyunEcsTest() {
    EXPECT_TRUE(write_file_atomic(
        dir_ / "key", R"({"accessKeyId":"LTAI","accessKeySecret":"s"})"));
  }

  ServedReply serve(const ServedRequest& request) {
    seen_.push_back(request);
    if (replies_.empty()) return {.status = 200, .body = "{}"};
    ServedReply reply = replies_.front();
    replies_.pop_front();
    return reply;
  }

  void answer(const std::string& body, int status = 200) {
    replies_.push_back({.status = status, .body = body});
  }
  void answer_error(const std::string& code, int status = 403) {
    answer(R"({"RequestId":"R","Code":")" + code + R"(","Message":"m"})",
           status);
  }

  std::vector<ServedRequest> seen_;
  std::deque<ServedReply> replies_;
  std::vector<std::string> outcomes_;
  tests::TempDir dir_;
  tests::FakeClock clock_;
  HttpServer server_{[this](const ServedRequest& r) { return serve(r); }};
  HttpClient http_;
  Metadata metadata_{{.url = server_.url()}, http_, clock_};
  CredentialSource credentials_{
      {.ram_role = false, .key_file = dir_ / "key"}, metadata_, clock_};
  AliyunEcs ecs_{
      {.region = "cn-x",
       .ecs_endpoint = server_.url() + "/",
       .vpc_endpoint = server_.url()},
      {.http = http_,
       .credentials = credentials_,
       .metadata = metadata_,
       .clock = clock_,
       .observe = [this](const ApiOutcome& outcome) {
         outcomes_.push_back(
             outcome.operation +
             (outcome.ok ? "" : " " + std::string(name(outcome.code))));
       }}};
};

const std::string kWholeEni = R"({
  "NetworkInterfaceId":"eni-1","Status":"InUse","Type":"Secondary",
  "InstanceId":"i-1","VSwitchId":"vsw-1","VpcId":"vpc-1","ZoneId":"cn-x-f",
  "MacAddress":"00:16:3e:00:00:02","PrivateIpAddress":"10.2.0.5",
  "Description":"d","ServiceManaged":false,
  "PrivateIpSets":{"PrivateIpSet":[
    {"PrivateIpAddress":"10.2.0.5","Primary":true},
    {"PrivateIpAddress":"10.2.0.6","Primary":"false"}]},
  "Ipv6Sets":{"Ipv6Set":[{"Ipv6Address":"fd00::5"}]},
  "SecurityGroupIds":{"SecurityGroupId":["sg-1"]},
  "Tags":{"Tag":[{"TagKey":"k","TagValue":"v"}]}})";

const std::string kBareEni = R"({
  "NetworkInterfaceId":"eni-2","Status":"Creating","Type":"Secondary",
  "MacAddress":"00:16:3e:00:00:03","Attachment":{"InstanceId":"i-9"},
  "AssociatedPublicIp":{},"Ipv6Sets":{},"Tags":{}})";

TEST_F(AliyunEcsTest, ReadsInterfacesPageByPage) {
  answer(
      R"({"NextToken":"n2","NetworkInterfaceSets":{"NetworkInterfaceSet":[)" +
      kWholeEni + "]}}");
  answer(R"({"NextToken":"","NetworkInterfaceSets":{"NetworkInterfaceSet":[)" +
         kBareEni + "]}}");

  const auto enis = ecs_.describe_enis(
      {.ids = {}, .instance_id = "i-1", .tags = {{"k", "v"}}});

  ASSERT_TRUE(enis) << enis.error().msg;
  ASSERT_EQ(enis->size(), 2U);
  EXPECT_EQ(
      enis->at(0),
      (Eni{.id = "eni-1",
           .type = EniType::kSecondary,
           .status = EniStatus::kInUse,
           .instance_id = "i-1",
           .v_switch = "vsw-1",
           .vpc = "vpc-1",
           .zone = "cn-x-f",
           .mac = *Mac::parse("00:16:3e:00:00:02"),
           .primary = *IpAddr::parse("10.2.0.5"),
           .ipv4 = {*IpAddr::parse("10.2.0.5"), *IpAddr::parse("10.2.0.6")},
           .ipv6 = {*IpAddr::parse("fd00::5")},
           .security_groups = {"sg-1"},
           .description = "d",
           .tags = {{"k", "v"}},
           .service_managed = false}));
  EXPECT_EQ(enis->at(1).status, EniStatus::kUnknown);
  EXPECT_EQ(enis->at(1).instance_id, "i-9");
  ASSERT_EQ(seen_.size(), 2U);
  EXPECT_EQ(seen_[0].headers.at("x-acs-action"), "DescribeNetworkInterfaces");
  EXPECT_EQ(seen_[0].headers.at("x-acs-version"), "2014-05-26");
  EXPECT_EQ(seen_[0].headers.at("accept"), "application/json");
  EXPECT_EQ(seen_[0].query.at("RegionId"), "cn-x");
  EXPECT_EQ(seen_[0].query.at("MaxResults"), "500");
  EXPECT_EQ(seen_[0].query.at("InstanceId"), "i-1");
  EXPECT_EQ(seen_[0].query.at("Tag.1.Key"), "k");
  EXPECT_FALSE(seen_[0].query.contains("NextToken"));
  EXPECT_EQ(seen_[1].query.at("NextToken"), "n2");
}

TEST_F(AliyunEcsTest, TakesAMissingListAsEmpty) {
  answer(R"({"RequestId":"R","NextToken":""})");

  const auto enis = ecs_.describe_enis({.ids = {"eni-1"}});

  ASSERT_TRUE(enis);
  EXPECT_TRUE(enis->empty());
}

TEST_F(AliyunEcsTest, CreatesWithTokenTagsAndCount) {
  answer(kWholeEni);

  const auto eni = ecs_.create_eni({.v_switch = "vsw-1",
                                    .security_groups = {"sg-1", "sg-2"},
                                    .secondary_ipv4 = 9,
                                    .ipv6 = 0,
                                    .name = "n1",
                                    .description = "d",
                                    .tags = {{"a", "b"}},
                                    .client_token = "t-1"});

  ASSERT_TRUE(eni) << eni.error().msg;
  EXPECT_EQ(eni->id, "eni-1");
  const auto& query = seen_.at(0).query;
  EXPECT_EQ(query.at("VSwitchId"), "vsw-1");
  EXPECT_EQ(query.at("SecurityGroupIds.2"), "sg-2");
  EXPECT_EQ(query.at("SecondaryPrivateIpAddressCount"), "9");
  EXPECT_EQ(query.at("ClientToken"), "t-1");
  EXPECT_EQ(query.at("Tag.1.Value"), "b");
  EXPECT_FALSE(query.contains("Ipv6AddressCount"));
}

TEST_F(AliyunEcsTest, CallsACreationWithoutAnIdABadReply) {
  answer(R"({"RequestId":"R"})");

  EXPECT_EQ(ecs_.create_eni({.v_switch = "vsw-1"}).error().code,
            Code::kCloudBadReply);
}

TEST_F(AliyunEcsTest, AssignsEitherFamily) {
  answer(R"({"AssignedPrivateIpAddressesSet":{"NetworkInterfaceId":"eni-1",
            "PrivateIpSet":{"PrivateIpAddress":["10.2.0.7"]}}})");
  answer(R"({"Ipv6Sets":{"Ipv6Address":["fd00::7"]}})");

  const auto v4 = ecs_.assign({.eni_id = "eni-1",
                               .family = Family::kV4,
                               .count = 1,
                               .client_token = "t"});
  const auto v6 = ecs_.assign({.eni_id = "eni-1",
                               .family = Family::kV6,
                               .count = 1,
                               .client_token = "u"});

  ASSERT_TRUE(v4) << v4.error().msg;
  ASSERT_TRUE(v6) << v6.error().msg;
  EXPECT_THAT(*v4, ElementsAre(*IpAddr::parse("10.2.0.7")));
  EXPECT_THAT(*v6, ElementsAre(*IpAddr::parse("fd00::7")));
  EXPECT_EQ(seen_[0].headers.at("x-acs-action"), "AssignPrivateIpAddresses");
  EXPECT_EQ(seen_[0].query.at("SecondaryPrivateIpAddressCount"), "1");
  EXPECT_EQ(seen_[1].headers.at("x-acs-action"), "AssignIpv6Addresses");
  EXPECT_EQ(seen_[1].query.at("Ipv6AddressCount"), "1");
}

TEST_F(AliyunEcsTest, TakesWhatIsGoneAsRemoved) {
  answer_error("InvalidEniId.NotFound", 404);
  answer_error("InvalidEcsId.NotFound", 404);

  EXPECT_TRUE(ecs_.delete_eni("eni-1"));
  EXPECT_TRUE(ecs_.detach_eni("eni-1", "i-1"));
}

TEST_F(AliyunEcsTest, AttachTellsThatTheInterfaceIsGone) {
  answer_error("InvalidEniId.NotFound", 404);

  EXPECT_EQ(ecs_.attach_eni("eni-1", "i-1").error().code, Code::kCloudGone);
}

TEST_F(AliyunEcsTest, UnassignsOneByOneAfterAPartlyWrongList) {
  answer_error("InvalidIp.IpUnassigned");
  answer("{}");
  answer_error("InvalidIp.IpUnassigned");

  const auto done = ecs_.unassign(
      "eni-1", {*IpAddr::parse("10.2.0.6"), *IpAddr::parse("10.2.0.7")});

  EXPECT_TRUE(done);
  ASSERT_EQ(seen_.size(), 3U);
  EXPECT_EQ(seen_[0].query.at("PrivateIpAddress.2"), "10.2.0.7");
  EXPECT_EQ(seen_[1].query.at("PrivateIpAddress.1"), "10.2.0.6");
  EXPECT_FALSE(seen_[1].query.contains("PrivateIpAddress.2"));
  EXPECT_EQ(seen_[2].query.at("PrivateIpAddress.1"), "10.2.0.7");
}

TEST_F(AliyunEcsTest, DescribesVSwitchesOneIdACallAndSkipsUnknownOnes) {
  answer(R"({"VSwitches":{"VSwitch":[{"VSwitchId":"vsw-1","VpcId":"vpc-1",
    "ZoneId":"cn-x-f","CidrBlock":"10.2.0.0/24","Ipv6CidrBlock":"",
    "AvailableIpAddressCount":"250","Status":"Available"}]}})");
  answer_error("InvalidVSwitchId.NotFound", 404);
  answer(R"({"VSwitches":{"VSwitch":[]}})");

  const auto found = ecs_.describe_v_switches({"vsw-1", "vsw-2", "vsw-3"});

  ASSERT_TRUE(found) << found.error().msg;
  EXPECT_THAT(*found, ElementsAre(VSwitch{.id = "vsw-1",
                                          .vpc = "vpc-1",
                                          .zone = "cn-x-f",
                                          .cidr = *Cidr::parse("10.2.0.0/24"),
                                          .cidr6 = std::nullopt,
                                          .free = 250,
                                          .available = true}));
  EXPECT_EQ(seen_[0].headers.at("x-acs-version"), "2016-04-28");
}

TEST_F(AliyunEcsTest, ReadsTheLimitsOfAType) {
  answer(R"({"InstanceTypes":{"InstanceType":[
    {"InstanceTypeId":"ecs.g7.large","EniQuantity":3,"Clock":{},
     "EniPrivateIpAddressQuantity":6,"EniIpv6AddressQuantity":6}]}})");
  answer(R"({"InstanceTypes":{}})");

  const auto type = ecs_.describe_instance_type("ecs.g7.large");

  ASSERT_TRUE(type) << type.error().msg;
  EXPECT_EQ(*type, (InstanceType{.id = "ecs.g7.large",
                                 .enis = 3,
                                 .ipv4_per_eni = 6,
                                 .ipv6_per_eni = 6}));
  EXPECT_EQ(ecs_.describe_instance_type("ecs.none").error().code,
            Code::kCloudGone);
}

TEST_F(AliyunEcsTest, TriesOnceMoreWithNewCredentials) {
  answer_error("InvalidSecurityToken.Expired", 400);
  answer(kWholeEni);

  EXPECT_TRUE(ecs_.create_eni({.v_switch = "vsw-1", .client_token = "t"}));

  ASSERT_EQ(seen_.size(), 2U);
  EXPECT_EQ(seen_[0].query.at("ClientToken"), seen_[1].query.at("ClientToken"));
  EXPECT_NE(seen_[0].headers.at("x-acs-signature-nonce"),
            seen_[1].headers.at("x-acs-signature-nonce"));
}

TEST_F(AliyunEcsTest, ReportsEveryAttempt) {
  answer_error("Throttling.User", 400);

  EXPECT_FALSE(ecs_.delete_eni("eni-1"));

  EXPECT_THAT(outcomes_,
              ElementsAre("ecs:DeleteNetworkInterface CloudThrottled"));
}

TEST_F(AliyunEcsTest, CallsALostReplyUnavailable) {
  replies_.push_back({.drop = true});

  EXPECT_EQ(ecs_.create_eni({.v_switch = "vsw-1"}).error().code,
            Code::kCloudUnavailable);
}

TEST_F(AliyunEcsTest, AsksTheMetadataServiceForTheRegion) {
  for (const char* item : {"i-1", "ecs.g7.large", "cn-y", "cn-y-a", "vpc-1",
                           "vsw-1", "00:16:3e:00:00:01"}) {
    answer(item);
  }
  AliyunEcs ecs({.ecs_endpoint = server_.url()},
                {http_, credentials_, metadata_, clock_, {}});

  EXPECT_TRUE(ecs.delete_eni("eni-1"));
  EXPECT_TRUE(ecs.delete_eni("eni-2"));

  ASSERT_EQ(seen_.size(), 9U);
  EXPECT_EQ(seen_[7].query.at("RegionId"), "cn-y");
}

}  // namespace
}  // namespace linsey::cloud
