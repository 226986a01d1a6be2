// The one action of STS: a pod's token against a role's credentials.
#include <nlohmann/json.hpp>

#include "lab/sim/actions.h"

namespace linsey::sim {
namespace {

constexpr std::int64_t kShortest = 900;
constexpr std::int64_t kLongest = 43200;
constexpr std::int64_t kUsual = 3600;

struct Asked {
  std::string role;
  std::string provider;
  std::string token;
  std::string session;
  std::int64_t seconds = kUsual;
};

Asked read(Params& params) {
  Asked asked;
  asked.role = params.required("RoleArn");
  asked.provider = params.required("OIDCProviderArn");
  asked.token = params.required("OIDCToken");
  asked.session = params.required("RoleSessionName");
  asked.seconds = params.number("DurationSeconds", kUsual, kShortest, kLongest);
  (void)params.text("Policy");
  const bool bad_session =
      asked.session.size() < 2 || asked.session.size() > 64;
  if (bad_session) {
    params.fail(invalid_parameter("RoleSessionName", "2 to 64 characters"));
  }
  return asked;
}

}  // namespace

Fault assume_role_with_oidc(Desk& desk, Params& params, Json& body) {
  const Asked asked = read(params);
  if (Fault fault = params.finish()) return fault;
  const OidcTrust* trust = desk.ring.trust(asked.role);
  if (trust == nullptr || trust->provider_arn != asked.provider) {
    return {401, "AuthenticationFail.NoPermission",
            "The role does not trust this OIDC provider."};
  }
  if (trust->token != asked.token) {
    return {401, "AuthenticationFail.OIDCToken.Invalid",
            "This JWT token is not valid."};
  }
  if (trust->token_expires <= desk.wall) {
    return {401, "AuthenticationFail.OIDCToken.Expired",
            "This JWT token is expired."};
  }
  const AccessKey key = desk.ring.issue(
      trust->allowed, desk.wall + std::chrono::seconds(asked.seconds));
  body["Credentials"] = {{"AccessKeyId", key.id},
                         {"AccessKeySecret", key.secret},
                         {"SecurityToken", key.token},
                         {"Expiration", iso_time(*key.expires)}};
  body["AssumedRoleUser"] = {{"AssumedRoleId", "role:" + asked.session},
                             {"Arn", asked.role + "/" + asked.session}};
  body["OIDCTokenInfo"] = {{"Subject", "system:serviceaccount"},
                           {"VerificationInfo", "Success"}};
  return {};
}

}  // namespace linsey::sim
