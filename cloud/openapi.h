// The text of an OpenAPI request: encoding, both signatures, and what an error
// reply means. All pure functions of (request, credentials, stamp), so that
// published vectors test them and the simulator verifies with them.
//
// V3 (ACS3-HMAC-SHA256, headers) is what we send; V1 (HMAC-SHA1, parameters,
// which today's documentation calls "V2" and marks discontinued) is kept for
// private clouds that know nothing newer. Facts: docs/cloud.md.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cloud/http.h"

namespace linsey::cloud {

/// Names and values, sorted bytewise as both signatures want them.
using Params = std::map<std::string, std::string>;

struct Credentials {
  std::string key_id;
  std::string key_secret;
  std::string security_token;  // with STS
  std::optional<std::chrono::system_clock::time_point> expires;
};

/// What makes each attempt unique; a repeated attempt takes a new one.
struct Stamp {
  std::string nonce;
  std::string timestamp;  // "2026-01-02T03:04:05Z"
};
/// A random nonce and `now` as text.
Stamp make_stamp(std::chrono::system_clock::time_point now);
std::string format_utc(std::chrono::system_clock::time_point when);
/// Errors: kDecode.
Result<std::chrono::system_clock::time_point> parse_utc(std::string_view text);

/// RFC 3986: letters, digits and -_.~ stay, all else is %XX in upper case.
std::string percent_encode(std::string_view text);
/// "a=1&b=x%20y".
std::string canonical_query(const Params& params);
/// Name.1, Name.2, ...
void put_list(Params& params, const std::string& name,
              std::span<const std::string> values);
/// Tag.1.Key, Tag.1.Value, ...
void put_tags(Params& params, const std::map<std::string, std::string>& tags);

std::string sha256_hex(std::string_view data);
/// Base64 of the HMAC-SHA1.
std::string hmac_sha1(std::string_view key, std::string_view data);
/// Lower-case hex of the HMAC-SHA256.
std::string hmac_sha256(std::string_view key, std::string_view data);

/// One operation: where, what, with which parameters.
struct ApiCall {
  std::string endpoint;  // "https://ecs.cn-hangzhou.aliyuncs.com"
  std::string product;   // "ecs", "vpc": for texts
  std::string action;
  std::string version;
  Params params;
};

std::string v1_string_to_sign(std::string_view method, const Params& params);
std::string v1_signature(std::string_view method, const Params& params,
                         std::string_view key_secret);
/// The request with its parameters, common ones included, in the query.
Result<HttpRequest> sign_v1(const ApiCall& call, const Credentials& credentials,
                            const Stamp& stamp);

/// `signed_headers`: lower-case names and trimmed values.
std::string v3_canonical_request(std::string_view method, const Params& query,
                                 const Params& signed_headers,
                                 std::string_view body);
std::string v3_signature(std::string_view canonical_request,
                         std::string_view key_secret);
Result<HttpRequest> sign_v3(const ApiCall& call, const Credentials& credentials,
                            const Stamp& stamp);

/// Turns an error reply into an Error: a code by the cloud's code (exact, then
/// by family), "ecs:CreateNetworkInterface: Throttling.User: …" as message,
/// request id, status and the cloud's code in the details. A reply that is no
/// error document is judged by its status.
Error api_error(const ApiCall& call, const HttpResponse& response);
/// What one of the cloud's codes means to us; nullopt: unknown.
std::optional<Code> code_of_cloud(std::string_view cloud_code);

}  // namespace linsey::cloud
