#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cloud/openapi.h"

namespace linsey::cloud {
namespace {

struct Meaning {
  std::string_view cloud_code;
  Code code;
};

// Exact codes. The odd spellings are the cloud's own. HTTP statuses are not
// looked at: the same code comes with different ones on different actions.
constexpr auto kMeanings = std::to_array<Meaning>({
    {"InvalidVSwitchId.IpNotEnough", Code::kVSwitchExhausted},
    {"QuotaExceeded.PrivateIpAddress", Code::kVSwitchExhausted},
    {"InvalidVSwitchId.NotFound", Code::kVSwitchNotFound},
    {"InvalidOperation.AvailabilityZoneMismatch", Code::kVSwitchWrongZone},
    {"InvalidOperation.VpcMismatch", Code::kVSwitchWrongVpc},
    {"EniPerInstanceLimitExceeded", Code::kEniLimit},
    {"MaxEniCountExceeded", Code::kEniLimit},
    {"InvalidOperation.Ipv4CountExceeded", Code::kIpPerEniLimit},
    {"InvalidOperation.Ipv6CountExceeded", Code::kIpPerEniLimit},
    {"MaxEniPrivateIpsCountExceeded", Code::kIpPerEniLimit},
    {"MaxEniIpv6IpsCountExceeded", Code::kIpPerEniLimit},
    {"SecurityGroupInstanceLimitExceed", Code::kSecurityGroupFull},
    {"JoinedGroupLimitExceed", Code::kSecurityGroupFull},

    {"InvalidEniId.NotFound", Code::kCloudGone},
    {"InvalidEcsId.NotFound", Code::kCloudGone},
    {"InvalidInstanceId.NotFound", Code::kCloudGone},
    {"InvalidIp.IpUnassigned", Code::kCloudGone},

    {"InvalidOperation.InvalidEniState", Code::kCloudStatePending},
    {"InvalidOperation.InvalidEcsState", Code::kCloudStatePending},
    {"Operation.Conflict", Code::kCloudConflict},
    {"OperationConflict", Code::kCloudConflict},
    {"IdempotentProcessing", Code::kCloudConflict},
    {"LastTokenProcessing", Code::kCloudConflict},
    {"SignatureNonceUsed", Code::kCloudUnavailable},
    {"InvalidIp.IpAssigned", Code::kCloudConflict},
    {"InvalidPrivateIpAddress.Duplicated", Code::kCloudConflict},

    {"Throttling", Code::kCloudThrottled},
    {"Rejected.Throttling", Code::kCloudThrottled},
    {"ServiceUnavailable", Code::kCloudUnavailable},
    {"InternalError", Code::kCloudUnavailable},
    {"InternalServerError", Code::kCloudUnavailable},
    {"SystemBusy", Code::kCloudUnavailable},
    {"UnknownError", Code::kCloudUnavailable},

    // The client token is spent: the next attempt needs a new one.
    {"IdempotentParameterMismatch", Code::kCloudBadReply},
    {"InvalidIdempotenceParameter.Mismatch", Code::kCloudBadReply},
    {"IdempotentFailed", Code::kCloudBadReply},

    {"NoPermission", Code::kCloudForbidden},
    {"Forbidden.RAM", Code::kCloudForbidden},
    {"Forbidden.Unauthorized", Code::kCloudForbidden},
    {"Forbidden.NotSupportRAM", Code::kCloudForbidden},
    {"Forbedden.NotSupportRAM", Code::kCloudForbidden},
    {"Forbidden.SubUser", Code::kCloudForbidden},
    {"Forbbiden.SubUser", Code::kCloudForbidden},

    {"IllegalTimestamp", Code::kCloudCredentials},
    {"IncompleteSignature", Code::kCloudCredentials},
    {"SignatureDoesNotMatch", Code::kCloudCredentials},
    {"MissingSecurityToken", Code::kCloudCredentials},
    {"Forbidden.AccessKeyDisabled", Code::kCloudCredentials},

    {"Forbidden.VpcNotFound", Code::kCloudBadRequest},
    {"Forbidden.RegionId", Code::kCloudBadRequest},
    {"Throttling.DeepPageSkip", Code::kCloudBadRequest},
});

// Families: the first prefix that fits, when no exact code did.
constexpr auto kFamilies = std::to_array<Meaning>({
    {"Throttling.", Code::kCloudThrottled},
    {"ServiceUnavailable.", Code::kCloudUnavailable},
    {"InternalError.", Code::kCloudUnavailable},
    {"NoPermission.", Code::kCloudForbidden},
    {"InvalidAccessKeyId.", Code::kCloudCredentials},
    {"InvalidSecurityToken.", Code::kCloudCredentials},
    {"InvalidTimeStamp.", Code::kCloudCredentials},
    {"Forbidden.", Code::kCloudForbidden},
    {"Invalid", Code::kCloudBadRequest},
    {"Missing", Code::kCloudBadRequest},
    {"Unsupported", Code::kCloudBadRequest},
});

Code code_of_status(int status) {
  if (status == 429) return Code::kCloudThrottled;
  if (status >= 500) return Code::kCloudUnavailable;
  if (status == 401) return Code::kCloudCredentials;
  if (status == 403) return Code::kCloudForbidden;
  return Code::kCloudBadRequest;
}

std::string text_member(const Json& document, std::string_view key) {
  const Json* member = find_member(document, key);
  if (member == nullptr || !member->is_string()) return {};
  return member->get<std::string>();
}

// Only the cloud knows which right was missing; without its word the action
// itself is named.
std::string missing_right(const ApiCall& call, const Json& document) {
  std::string action;
  if (const Json* denied = find_member(document, "AccessDeniedDetail")) {
    action = text_member(*denied, "AuthAction");
  }
  if (action.empty()) action = call.product + ":" + call.action;
  return fmt::format("; grant the RAM action {}", action);
}

// The message of a wrong signature repeats the string to sign, and with it the
// security token.
std::string without_secrets(const std::string& message) {
  return message.substr(0, message.find("server string to sign"));
}

}  // namespace

std::optional<Code> code_of_cloud(std::string_view cloud_code) {
  const auto* const exact =
      std::ranges::find(kMeanings, cloud_code, &Meaning::cloud_code);
  if (exact != kMeanings.end()) return exact->code;
  for (const Meaning& family : kFamilies) {
    if (cloud_code.starts_with(family.cloud_code)) return family.code;
  }
  return std::nullopt;
}

Error api_error(const ApiCall& call, const HttpResponse& response) {
  const std::string operation = call.product + ":" + call.action;
  const Result<Json> document = parse_json(response.body);
  const std::string cloud_code =
      document ? text_member(*document, "Code") : std::string();
  if (cloud_code.empty()) {
    return {code_of_status(response.status),
            fmt::format("{}: HTTP status {} without an error document",
                        operation, response.status),
            fmt::format("HTTP {}, {} bytes", response.status,
                        response.body.size())};
  }
  Error error;
  error.code =
      code_of_cloud(cloud_code).value_or(code_of_status(response.status));
  error.msg = fmt::format("{}: {}: {}", operation, cloud_code,
                          without_secrets(text_member(*document, "Message")));
  if (error.code == Code::kCloudForbidden) {
    error.msg += missing_right(call, *document);
  }
  error.details =
      fmt::format("cloud code {}, HTTP {}, request id {}", cloud_code,
                  response.status, text_member(*document, "RequestId"));
  if (const auto rate = response.header("x-ratelimit-user-api")) {
    error.details += ", rate " + *rate;
  }
  return error;
}

}  // namespace linsey::cloud
