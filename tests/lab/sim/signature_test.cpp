#include "lab/sim/signature.h"

#include <gtest/gtest.h>

namespace linsey::sim::tests {
namespace {

HttpRequest v1(const std::string& method, const std::string& query) {
  HttpRequest request;
  request.method = method;
  request.path = "/";
  request.query = query;
  return request;
}

std::string signature_of(const HttpRequest& request,
                         const std::string& secret) {
  SignedCall call;
  const Fault fault = read_signed(request, call);
  EXPECT_EQ(fault.code, "") << fault.message;
  return expected_signature(call, secret);
}

constexpr const char* kVectorA =
    "AccessKeyId=testid&Action=DescribeRegions&Format=XML&SignatureMethod="
    "HMAC-SHA1&SignatureNonce=3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf&"
    "SignatureVersion=1.0&Timestamp=2016-02-23T12%3A46%3A24Z&Version=2014-05-"
    "26&Signature=x";
constexpr const char* kVectorB =
    "AccessKeyId=testid&Action=DescribeDedicatedHosts&Format=JSON&RegionId=cn-"
    "beijing&SignatureMethod=HMAC-SHA1&SignatureNonce="
    "edb2b34af0af9a6d14deaf7c1a5315eb&SignatureVersion=1.0&Timestamp=2023-03-"
    "13T08%3A34%3A30Z&Version=2014-05-26&Signature=x";
constexpr const char* kVectorSts =
    "AccessKeyId=STS.testid&Action=CreateNetworkInterface&ClientToken=t-1&"
    "Description=a%20b%2Ac~d%C3%A9&Format=JSON&RegionId=cn-hangzhou&"
    "SecondaryPrivateIpAddressCount=9&SecurityGroupIds.1=sg-1&SecurityGroupIds."
    "2=sg-2&SecurityToken=CAIS%2B%2F%3Dtoken&SignatureMethod=HMAC-SHA1&"
    "SignatureNonce=00000000-0000-4000-8000-000000000001&SignatureVersion=1.0&"
    "Tag.1.Key=k8s%3Aowner&Tag.1.Value=x%2Fy&Timestamp=2026-01-02T03%3A04%"
    "3A05Z&VSwitchId=vsw-1&Version=2014-05-26&Signature=x";
constexpr const char* kEmptyHash =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(SimSignature, PublishedV1VectorsHold) {
  EXPECT_EQ(signature_of(v1("GET", kVectorA), "testsecret"),
            "OLeaidS1JvxuMvnyHOwuJ+uX5qY=");
  EXPECT_EQ(signature_of(v1("GET", kVectorB), "testsecret"),
            "9NaGiOspFP5UPcwX8Iwt2YJXXuk=");
}

TEST(SimSignature, V1CoversMethodListsAndToken) {
  EXPECT_EQ(signature_of(v1("POST", kVectorA), "testsecret"),
            "MxbnVAM4w6sft9xjVpe/GCKueuk=");
  EXPECT_EQ(signature_of(v1("POST", kVectorSts), "testsecret"),
            "lzW7MpdJq/LEpcTjQyxI7ZLtHzw=");
}

TEST(SimSignature, V1FormBodyCountsAsQuery) {
  HttpRequest request = v1("POST", "");
  request.headers["content-type"] = "application/x-www-form-urlencoded";
  request.body = kVectorA;

  EXPECT_EQ(signature_of(request, "testsecret"),
            "MxbnVAM4w6sft9xjVpe/GCKueuk=");
}

HttpRequest v3_published() {
  HttpRequest request;
  request.method = "POST";
  request.path = "/";
  request.query =
      "ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-"
      "shanghai";
  request.headers = {
      {"host", "ecs.cn-shanghai.aliyuncs.com"},
      {"x-acs-action", "RunInstances"},
      {"x-acs-content-sha256", kEmptyHash},
      {"x-acs-date", "2023-10-26T10:22:32Z"},
      {"x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"},
      {"x-acs-version", "2014-05-26"},
      {"authorization",
       "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-"
       "action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-"
       "version,Signature="
       "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"}};
  return request;
}

TEST(SimSignature, PublishedV3VectorHolds) {
  SignedCall call;
  ASSERT_EQ(read_signed(v3_published(), call).code, "");

  EXPECT_EQ(call.key_id, "YourAccessKeyId");
  EXPECT_EQ(expected_signature(call, "YourAccessKeySecret"), call.signature);
}

TEST(SimSignature, V3CoversTokenAndSpecialCharacters) {
  HttpRequest request = v3_published();
  request.query =
      "ClientToken=t-1&Description=a%20b%2Ac~d%C3%A9&RegionId=cn-hangzhou&"
      "SecondaryPrivateIpAddressCount=9&SecurityGroupIds.1=sg-1&"
      "SecurityGroupIds.2=sg-2&Tag.1.Key=k8s%3Aowner&Tag.1.Value=x%2Fy&"
      "VSwitchId=vsw-1";
  request.headers["host"] = "ecs.cn-hangzhou.aliyuncs.com";
  request.headers["x-acs-action"] = "CreateNetworkInterface";
  request.headers["x-acs-date"] = "2026-01-02T03:04:05Z";
  request.headers["x-acs-signature-nonce"] =
      "00000000-0000-4000-8000-000000000001";
  request.headers["x-acs-security-token"] = "CAIS+/=token";
  request.headers["authorization"] =
      "ACS3-HMAC-SHA256 Credential=STS.testid,SignedHeaders=host;x-acs-action;"
      "x-acs-content-sha256;x-acs-date;x-acs-security-token;x-acs-signature-"
      "nonce;x-acs-version,Signature=x";

  EXPECT_EQ(signature_of(request, "testsecret"),
            "6f637970829cd4957d8647bd0a420a8bd34188b675c3bed1e5b4cf30c22fd25a");
}

TEST(SimSignature, V3RefusesAnUnsignedTokenAndAForeignBody) {
  HttpRequest unsigned_token = v3_published();
  unsigned_token.headers["x-acs-security-token"] = "token";
  HttpRequest other_body = v3_published();
  other_body.body = "x";
  SignedCall call;

  EXPECT_EQ(read_signed(unsigned_token, call).code, "IncompleteSignature");
  EXPECT_EQ(read_signed(other_body, call).code, "SignatureDoesNotMatch");
}

TEST(SimSignature, RefusesAParameterThatComesTwice) {
  SignedCall call;

  EXPECT_EQ(read_signed(v1("GET", "Action=A&Action=B"), call).code,
            "InvalidParameter");
}

TEST(SimSignature, DecodesAndEncodesEveryByte) {
  std::string all;
  for (int i = 0; i < 256; ++i)
    all += static_cast<char>(i);
  std::string back;

  ASSERT_TRUE(percent_decode(percent_encode(all), back));

  EXPECT_EQ(back, all);
  EXPECT_FALSE(percent_decode("%4", back));
  EXPECT_FALSE(percent_decode("%zz", back));
}

}  // namespace
}  // namespace linsey::sim::tests
