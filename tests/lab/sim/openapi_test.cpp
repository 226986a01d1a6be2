#include "lab/sim/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/sim/signature.h"
#include "lab/sim/wall_time.h"
#include "tests/lab/sim/support.h"

namespace linsey::sim::tests {
namespace {

using std::chrono::minutes;

/// A cloud with one key, and a client that signs for it by V1.
struct Door : SmallCloud {
  Door() {
    cloud.add(AccessKey{.id = "ak",
                        .secret = "sk",
                        .token = {},
                        .expires = {},
                        .active = true,
                        .allowed = {}});
  }

  Params common(const std::string& action) {
    return {{"Action", action},
            {"Version", "2014-05-26"},
            {"Format", "JSON"},
            {"RegionId", "cn-sim"},
            {"AccessKeyId", "ak"},
            {"SignatureMethod", "HMAC-SHA1"},
            {"SignatureVersion", "1.0"},
            {"SignatureNonce", "nonce-" + std::to_string(++nonces)},
            {"Timestamp", iso_time(clock.wall())}};
  }

  HttpResponse send(const Params& params, const std::string& secret = "sk") {
    HttpRequest request;
    request.method = "POST";
    request.path = "/";
    for (const auto& [name, value] : params) {
      request.query += (request.query.empty() ? "" : "&") +
                       percent_encode(name) + "=" + percent_encode(value);
    }
    request.query += "&Signature=";
    SignedCall call;
    (void)read_signed(request, call);
    request.query += percent_encode(expected_signature(call, secret));
    return api.handle(request);
  }

  std::string code(const Params& params, const std::string& secret = "sk") {
    return at(send(params, secret).body, "/Code");
  }

  OpenApi api{cloud};
  int nonces = 0;
};

TEST(SimOpenApi, AnswersASignedCall) {
  Door door;

  const HttpResponse response =
      door.send(door.common("DescribeNetworkInterfaces"));

  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.content_type, testing::HasSubstr("application/json"));
  EXPECT_EQ(size_at(response.body, "/NetworkInterfaceSets/NetworkInterfaceSet"),
            2U);
  EXPECT_EQ(response.headers.at("Date"), "Fri, 02 Jan 2026 00:00:00 GMT");
  EXPECT_EQ(door.cloud.calls().back().caller, "ak");
}

TEST(SimOpenApi, SaysItsStringToSignWhenTheSignatureIsWrong) {
  Door door;

  const HttpResponse response =
      door.send(door.common("DescribeNetworkInterfaces"), "wrong");

  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(at(response.body, "/Code"), "SignatureDoesNotMatch");
  EXPECT_THAT(at(response.body, "/Message"),
              testing::HasSubstr("server string to sign is:POST&%2F&"));
  EXPECT_EQ(door.cloud.calls().back().code, "SignatureDoesNotMatch");
}

TEST(SimOpenApi, RefusesANonceThatWasUsed) {
  Door door;
  const Params params = door.common("DescribeNetworkInterfaces");

  EXPECT_EQ(door.code(params), "");
  EXPECT_EQ(door.code(params), "SignatureNonceUsed");
}

TEST(SimOpenApi, RefusesTimesOutsideTheWindow) {
  Door door;
  Params old = door.common("DescribeNetworkInterfaces");
  old["Timestamp"] = iso_time(door.clock.wall() - minutes(16));
  Params early = door.common("DescribeNetworkInterfaces");
  early["Timestamp"] = iso_time(door.clock.wall() + minutes(16));
  Params odd = door.common("DescribeNetworkInterfaces");
  odd["Timestamp"] = "2026-01-02 00:00:00";
  Params near = door.common("DescribeNetworkInterfaces");
  near["Timestamp"] = iso_time(door.clock.wall() - minutes(14));

  EXPECT_EQ(door.code(old), "InvalidTimeStamp.Expired");
  EXPECT_EQ(door.code(early), "InvalidTimeStamp.Expired");
  EXPECT_EQ(door.code(odd), "InvalidTimeStamp.Format");
  EXPECT_EQ(door.code(near), "");
}

TEST(SimOpenApi, RefusesUnknownKeysAndWrongTokens) {
  Door door;
  door.cloud.add(AccessKey{.id = "STS.x",
                           .secret = "sk",
                           .token = "T+/=",
                           .expires = door.clock.wall() + minutes(5),
                           .active = true,
                           .allowed = {}});
  Params unknown = door.common("DescribeInstances");
  unknown["AccessKeyId"] = "nobody";
  Params sts = door.common("DescribeInstances");
  sts["AccessKeyId"] = "STS.x";
  Params other = sts;
  other["SecurityToken"] = "other";
  Params good = sts;
  good["SecurityToken"] = "T+/=";

  EXPECT_EQ(door.code(unknown), "InvalidAccessKeyId.NotFound");
  EXPECT_EQ(door.code(sts), "MissingSecurityToken");
  EXPECT_EQ(door.code(other), "InvalidSecurityToken.MismatchWithAccessKey");
  EXPECT_EQ(door.code(good), "");
  door.clock.advance(minutes(5));
  good["SignatureNonce"] = "later";
  good["Timestamp"] = iso_time(door.clock.wall());
  EXPECT_EQ(door.code(good), "InvalidSecurityToken.Expired");
}

TEST(SimOpenApi, AnswersXmlToWhoeverForgetsTheFormat) {
  Door door;
  Params params = door.common("DescribeInstances");
  params.erase("Format");
  Params wrong = door.common("DescribeNothing");
  wrong.erase("Format");

  const HttpResponse good = door.send(params);
  const HttpResponse bad = door.send(wrong);

  EXPECT_THAT(good.content_type, testing::HasSubstr("text/xml"));
  EXPECT_THAT(good.body, testing::HasSubstr("<DescribeInstancesResponse>"));
  EXPECT_THAT(good.body, testing::HasSubstr("<InstanceId>i-a</InstanceId>"));
  EXPECT_THAT(bad.body,
              testing::HasSubstr("<Error><Code>InvalidApi.NotFound</Code>"));
}

TEST(SimOpenApi, AskingTheWrongProductIsNotFound) {
  Door door;

  EXPECT_EQ(door.code(door.common("DescribeVSwitches")), "InvalidApi.NotFound");
  Params right = door.common("DescribeVSwitches");
  right["Version"] = "2016-04-28";
  EXPECT_EQ(door.code(right), "");
}

TEST(SimOpenApi, AKeyMayDoOnlyWhatItsPolicyAllows) {
  Door door;
  door.cloud.add(AccessKey{.id = "ak",
                           .secret = "sk",
                           .token = {},
                           .expires = {},
                           .active = true,
                           .allowed = {{"ecs:DescribeInstances"}}});

  EXPECT_EQ(door.code(door.common("DescribeInstances")), "");
  EXPECT_EQ(door.code(door.common("DescribeNetworkInterfaces")),
            "Forbidden.RAM");
}

HttpResponse assume(Door& door, const std::string& token,
                    const std::string& provider) {
  HttpRequest request;
  request.method = "POST";
  request.path = "/";
  request.query =
      "Action=AssumeRoleWithOIDC&Version=2015-04-01&Format=JSON&"
      "Timestamp=2026-01-02T00%3A00%3A00Z&SignatureNonce=n";
  request.headers["content-type"] = "application/x-www-form-urlencoded";
  request.body =
      "RoleArn=acs%3Aram%3A%3A1%3Arole%2Flinsey&OIDCProviderArn=" + provider +
      "&OIDCToken=" + token + "&RoleSessionName=linsey";
  return door.api.handle(request);
}

TEST(SimOpenApi, ATokenOfTheClusterBuysCredentialsWithoutASignature) {
  Door door;
  door.cloud.add(OidcTrust{.role_arn = "acs:ram::1:role/linsey",
                           .provider_arn = "provider",
                           .token = "jwt",
                           .token_expires = door.clock.wall() + minutes(10),
                           .allowed = {}});

  const HttpResponse good = assume(door, "jwt", "provider");
  const std::string id = at(good.body, "/Credentials/AccessKeyId");

  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(at(good.body, "/Credentials/Expiration"), "2026-01-02T01:00:00Z");
  EXPECT_TRUE(door.cloud.find_key(id));
  EXPECT_EQ(at(assume(door, "other", "provider").body, "/Code"),
            "AuthenticationFail.OIDCToken.Invalid");
  EXPECT_EQ(at(assume(door, "jwt", "another").body, "/Code"),
            "AuthenticationFail.NoPermission");
  door.clock.advance(minutes(10));
  EXPECT_EQ(at(assume(door, "jwt", "provider").body, "/Code"),
            "AuthenticationFail.OIDCToken.Expired");
}

TEST(SimOpenApi, BothRoleSetsAreValidInTheOverlap) {
  Door door;
  const AccessKey old = door.cloud.role_credentials("i-a")->key;
  door.cloud.rotate_role("i-a", minutes(10));
  const AccessKey fresh = door.cloud.role_credentials("i-a")->key;
  const auto code = [&](const AccessKey& key) {
    Params params = door.common("DescribeInstances");
    params["AccessKeyId"] = key.id;
    params["SecurityToken"] = key.token;
    return door.code(params, key.secret);
  };

  EXPECT_NE(old.id, fresh.id);
  EXPECT_EQ(code(old), "");
  EXPECT_EQ(code(fresh), "");
  door.clock.advance(minutes(11));
  EXPECT_EQ(code(old), "InvalidSecurityToken.Expired");
  EXPECT_EQ(code(fresh), "");
}

}  // namespace
}  // namespace linsey::sim::tests
