#include "cloud/openapi.h"

#include <gtest/gtest.h>

namespace linsey::cloud {
namespace {

const std::string kDate = "2026-01-02T03:04:05Z";
const std::string kNonce = "00000000-0000-4000-8000-000000000001";

// Published in the ECS documentation.
Params vector_a() {
  return {{"AccessKeyId", "testid"},
          {"Action", "DescribeRegions"},
          {"Format", "XML"},
          {"SignatureMethod", "HMAC-SHA1"},
          {"SignatureNonce", "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"},
          {"SignatureVersion", "1.0"},
          {"Timestamp", "2016-02-23T12:46:24Z"},
          {"Version", "2014-05-26"}};
}

Params vector_b() {
  return {{"AccessKeyId", "testid"},
          {"Action", "DescribeDedicatedHosts"},
          {"Format", "JSON"},
          {"RegionId", "cn-beijing"},
          {"SignatureMethod", "HMAC-SHA1"},
          {"SignatureNonce", "edb2b34af0af9a6d14deaf7c1a5315eb"},
          {"SignatureVersion", "1.0"},
          {"Timestamp", "2023-03-13T08:34:30Z"},
          {"Version", "2014-05-26"}};
}

// A creation with lists, blanks, an asterisk, a tilde and U+00E9.
Params create_params() {
  Params params{{"ClientToken", "t-1"},
                {"Description", "a b*c~d\xc3\xa9"},
                {"RegionId", "cn-hangzhou"},
                {"SecondaryPrivateIpAddressCount", "9"},
                {"VSwitchId", "vsw-1"}};
  const std::vector<std::string> groups{"sg-1", "sg-2"};
  put_list(params, "SecurityGroupIds", groups);
  put_tags(params, {{"k8s:owner", "x/y"}});
  return params;
}

ApiCall create_call() {
  return {.endpoint = "https://ecs.cn-hangzhou.aliyuncs.com",
          .product = "ecs",
          .action = "CreateNetworkInterface",
          .version = "2014-05-26",
          .params = create_params()};
}

const Credentials kSts{.key_id = "STS.testid",
                       .key_secret = "testsecret",
                       .security_token = "CAIS+/=token",
                       .expires = std::nullopt};

std::string header_of(const HttpRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return "(absent)";
}

TEST(OpenApi, EncodesOnlyWhatIsReserved) {
  EXPECT_EQ(percent_encode("aZ09-_.~"), "aZ09-_.~");
  EXPECT_EQ(percent_encode(" *+/:=\xc3\xa9"), "%20%2A%2B%2F%3A%3D%C3%A9");
}

TEST(OpenApi, PlainHmacSha1MatchesThePublishedVectorC) {
  EXPECT_EQ(hmac_sha1("secret", "source"), "Jv4yi8SobFhg5t1C7nWLbhBSFZQ=");
  EXPECT_EQ(hmac_sha1("accessKeySecretsuffix", "string to sign"),
            "Dqy7QZhP4TyQUDa3SBSFXopJaIo=");
}

TEST(OpenApi, V1MatchesThePublishedVectorA) {
  EXPECT_EQ(v1_string_to_sign("GET", vector_a()),
            "GET&%2F&AccessKeyId%3Dtestid%26Action%3DDescribeRegions%26Format"
            "%3DXML%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D3ee8c1b8-"
            "83d3-44af-a94f-4e0ad82fd6cf%26SignatureVersion%3D1.0%26Timestamp"
            "%3D2016-02-23T12%253A46%253A24Z%26Version%3D2014-05-26");
  EXPECT_EQ(v1_signature("GET", vector_a(), "testsecret"),
            "OLeaidS1JvxuMvnyHOwuJ+uX5qY=");
}

TEST(OpenApi, V1MatchesThePublishedVectorB) {
  EXPECT_EQ(v1_signature("GET", vector_b(), "testsecret"),
            "9NaGiOspFP5UPcwX8Iwt2YJXXuk=");
}

TEST(OpenApi, V1SignsTheMethod) {
  EXPECT_EQ(v1_signature("POST", vector_a(), "testsecret"),
            "MxbnVAM4w6sft9xjVpe/GCKueuk=");
  EXPECT_EQ(v1_signature("POST", vector_b(), "testsecret"),
            "ZvQ9xGiFnquSJRvj+WE6kdSpTwU=");
}

TEST(OpenApi, V1SignsListsAndTheSecurityToken) {
  const auto request = sign_v1(create_call(), kSts, {kNonce, kDate});

  ASSERT_TRUE(request);
  EXPECT_EQ(request->method, "POST");
  EXPECT_TRUE(request->url.starts_with(
      "https://ecs.cn-hangzhou.aliyuncs.com/?AccessKeyId=STS.testid&"));
  EXPECT_NE(request->url.find("&Signature=" +
                              percent_encode("lzW7MpdJq/LEpcTjQyxI7ZLtHzw=")),
            std::string::npos)
      << request->url;
}

// Published in the documentation of the V3 signature.
TEST(OpenApi, V3MatchesThePublishedVectorD) {
  const Params query{
      {"ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"},
      {"RegionId", "cn-shanghai"}};
  const Params headers{
      {"host", "ecs.cn-shanghai.aliyuncs.com"},
      {"x-acs-action", "RunInstances"},
      {"x-acs-content-sha256", sha256_hex("")},
      {"x-acs-date", "2023-10-26T10:22:32Z"},
      {"x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"},
      {"x-acs-version", "2014-05-26"}};

  const std::string canonical =
      v3_canonical_request("POST", query, headers, "");

  EXPECT_EQ(sha256_hex(canonical),
            "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259");
  EXPECT_EQ(v3_signature(canonical, "YourAccessKeySecret"),
            "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0");
}

TEST(OpenApi, V3BuildsTheWholeRequestOfVectorD) {
  const ApiCall call{
      .endpoint = "https://ecs.cn-shanghai.aliyuncs.com",
      .product = "ecs",
      .action = "RunInstances",
      .version = "2014-05-26",
      .params = {
          {"ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"},
          {"RegionId", "cn-shanghai"}}};
  const Credentials credentials{.key_id = "YourAccessKeyId",
                                .key_secret = "YourAccessKeySecret",
                                .security_token = "",
                                .expires = std::nullopt};

  const auto request =
      sign_v3(call, credentials,
              {"3156853299f313e23d1673dc12e1703d", "2023-10-26T10:22:32Z"});

  ASSERT_TRUE(request);
  EXPECT_EQ(header_of(*request, "authorization"),
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;"
            "x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-"
            "nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24"
            "a1d853912eee15083a6f0f3283c0");
}

TEST(OpenApi, V3SignsListsAndTheSecurityToken) {
  const auto request = sign_v3(create_call(), kSts, {kNonce, kDate});

  ASSERT_TRUE(request);
  EXPECT_EQ(request->url,
            "https://ecs.cn-hangzhou.aliyuncs.com/?ClientToken=t-1&Description="
            "a%20b%2Ac~d%C3%A9&RegionId=cn-hangzhou&"
            "SecondaryPrivateIpAddressCount=9&SecurityGroupIds.1=sg-1&"
            "SecurityGroupIds.2=sg-2&Tag.1.Key=k8s%3Aowner&Tag.1.Value=x%2Fy&"
            "VSwitchId=vsw-1");
  EXPECT_EQ(header_of(*request, "x-acs-security-token"), "CAIS+/=token");
  EXPECT_NE(
      header_of(*request, "authorization")
          .find("Signature=6f637970829cd4957d8647bd0a420a8bd34188b675c3bed1e5b4"
                "cf30c22fd25a"),
      std::string::npos);
}

TEST(OpenApi, SignsTheHostWithItsUnusualPort) {
  ApiCall call = create_call();
  call.endpoint = "http://127.0.0.1:8080";

  const auto request = sign_v3(call, kSts, {kNonce, kDate});

  ASSERT_TRUE(request);
  EXPECT_EQ(header_of(*request, "host"), "127.0.0.1:8080");
}

TEST(OpenApi, StampsDifferInTheNonceAndShowTheTime) {
  const auto now = std::chrono::sys_days(std::chrono::year(2026) / 1 / 2) +
                   std::chrono::seconds(11045);

  const Stamp one = make_stamp(now);
  const Stamp two = make_stamp(now);

  EXPECT_EQ(one.timestamp, "2026-01-02T03:04:05Z");
  EXPECT_NE(one.nonce, two.nonce);
  EXPECT_EQ(*parse_utc(one.timestamp), now);
  EXPECT_FALSE(parse_utc("2026-01-02 03:04:05"));
}

struct ErrorCase {
  int status;
  std::string_view cloud_code;
  Code code;
};

class ApiErrorCodes : public testing::TestWithParam<ErrorCase> {};

TEST_P(ApiErrorCodes, AreJudgedByCodeAndNotByStatus) {
  const ErrorCase& row = GetParam();
  const HttpResponse response{
      .status = row.status,
      .headers = {},
      .body =
          fmt::format(R"({{"RequestId":"R-1","Code":"{}","Message":"why"}})",
                      row.cloud_code)};

  const Error error = api_error(create_call(), response);

  EXPECT_EQ(error.code, row.code) << row.cloud_code;
  EXPECT_NE(error.details.find("request id R-1"), std::string::npos);
  EXPECT_NE(error.msg.find("ecs:CreateNetworkInterface"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Table, ApiErrorCodes,
    testing::Values(
        ErrorCase{403, "InvalidVSwitchId.IpNotEnough", Code::kVSwitchExhausted},
        ErrorCase{400, "QuotaExceeded.PrivateIpAddress",
                  Code::kVSwitchExhausted},
        ErrorCase{404, "InvalidVSwitchId.NotFound", Code::kVSwitchNotFound},
        ErrorCase{403, "InvalidVSwitchId.IpInvalid", Code::kCloudBadRequest},
        ErrorCase{403, "EniPerInstanceLimitExceeded", Code::kEniLimit},
        ErrorCase{403, "MaxEniCountExceeded", Code::kEniLimit},
        ErrorCase{403, "InvalidOperation.Ipv4CountExceeded",
                  Code::kIpPerEniLimit},
        ErrorCase{403, "SecurityGroupInstanceLimitExceed",
                  Code::kSecurityGroupFull},
        ErrorCase{404, "InvalidEniId.NotFound", Code::kCloudGone},
        ErrorCase{403, "InvalidEniId.NotFound", Code::kCloudGone},
        ErrorCase{403, "InvalidInstanceId.NotFound", Code::kCloudGone},
        ErrorCase{403, "InvalidIp.IpUnassigned", Code::kCloudGone},
        ErrorCase{400, "InvalidOperation.InvalidEniState",
                  Code::kCloudStatePending},
        ErrorCase{403, "Operation.Conflict", Code::kCloudConflict},
        ErrorCase{403, "IdempotentProcessing", Code::kCloudConflict},
        ErrorCase{400, "IdempotentParameterMismatch", Code::kCloudBadReply},
        ErrorCase{400, "Throttling", Code::kCloudThrottled},
        ErrorCase{400, "Throttling.User", Code::kCloudThrottled},
        ErrorCase{429, "Throttling.Api", Code::kCloudThrottled},
        ErrorCase{400, "Throttling.DeepPageSkip", Code::kCloudBadRequest},
        ErrorCase{503, "ServiceUnavailable.RegionMaintaining",
                  Code::kCloudUnavailable},
        ErrorCase{500, "InternalError", Code::kCloudUnavailable},
        ErrorCase{403, "Forbidden.RAM", Code::kCloudForbidden},
        ErrorCase{400, "SignatureDoesNotMatch", Code::kCloudCredentials},
        ErrorCase{404, "InvalidAccessKeyId.NotFound", Code::kCloudCredentials},
        ErrorCase{400, "InvalidSecurityToken.Expired", Code::kCloudCredentials},
        ErrorCase{400, "InvalidTimeStamp.Expired", Code::kCloudCredentials},
        ErrorCase{400, "MissingParameter", Code::kCloudBadRequest},
        ErrorCase{409, "SomethingNew", Code::kCloudBadRequest},
        ErrorCase{500, "SomethingNew", Code::kCloudUnavailable}));

TEST(ApiError, NamesTheMissingRight) {
  const HttpResponse response{
      .status = 403,
      .headers = {},
      .body = R"({"Code":"Forbidden.RAM","Message":"not authorized"})"};

  const Error error = api_error(create_call(), response);

  EXPECT_NE(error.msg.find("grant the RAM action ecs:CreateNetworkInterface"),
            std::string::npos);
}

TEST(ApiError, PrefersTheRightThatTheCloudNames) {
  const HttpResponse response{.status = 403,
                              .headers = {},
                              .body = R"({"Code":"Forbidden.RAM","Message":"no",
                  "AccessDeniedDetail":{"AuthAction":"ecs:TagResources"}})"};

  EXPECT_NE(api_error(create_call(), response).msg.find("ecs:TagResources"),
            std::string::npos);
}

TEST(ApiError, KeepsTheStringToSignOutOfTheMessage) {
  const HttpResponse response{
      .status = 400,
      .headers = {},
      .body = R"({"Code":"SignatureDoesNotMatch","Message":
        "Specified signature is not matched with our calculation. )"
              R"(server string to sign is:POST&SecurityToken%3Dx"})"};

  EXPECT_EQ(api_error(create_call(), response).msg.find("SecurityToken"),
            std::string::npos);
}

TEST(ApiError, JudgesAReplyWithoutADocumentByItsStatus) {
  const auto code = [](int status) {
    const HttpResponse response{
        .status = status, .headers = {}, .body = "<html>"};
    return api_error(create_call(), response).code;
  };

  EXPECT_EQ(code(429), Code::kCloudThrottled);
  EXPECT_EQ(code(502), Code::kCloudUnavailable);
  EXPECT_EQ(code(403), Code::kCloudForbidden);
  EXPECT_EQ(code(404), Code::kCloudBadRequest);
}

}  // namespace
}  // namespace linsey::cloud
