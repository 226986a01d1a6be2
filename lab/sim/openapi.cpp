#include "lab/sim/openapi.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "lab/sim/region.h"
#include "lab/sim/signature.h"
#include "lab/sim/wall_time.h"
#include "lab/sim/xml.h"

namespace linsey::sim {
namespace {

std::string product_of(const std::string& version) {
  if (version == "2014-05-26") return "ecs";
  if (version == "2016-04-28") return "vpc";
  if (version == "2015-04-01") return "sts";
  return {};
}

bool wants_json(const HttpRequest& request, const SignedCall& call) {
  if (!call.format.empty()) return call.format == "JSON";
  const auto accept = request.headers.find("accept");
  return accept != request.headers.end() &&
         accept->second.find("application/json") != std::string::npos;
}

Fault check_token(const SignedCall& call, const AccessKey& key, WallTime wall) {
  if (key.token != call.token) {
    if (call.token.empty()) {
      return {400, "MissingSecurityToken",
              "SecurityToken is mandatory for this action."};
    }
    return {400, "InvalidSecurityToken.MismatchWithAccessKey",
            "Specified SecurityToken mismatch with the AccessKey."};
  }
  if (key.expires && *key.expires <= wall) {
    return {400, "InvalidSecurityToken.Expired",
            "Specified SecurityToken is expired."};
  }
  return {};
}

Fault check_time(const std::string& text, WallTime wall, Duration window) {
  const std::optional<WallTime> time = parse_iso_time(text);
  if (!time) {
    return {400, "InvalidTimeStamp.Format",
            "Specified time stamp or date value is not well formatted."};
  }
  if (*time + window < wall || wall + window < *time) {
    return {400, "InvalidTimeStamp.Expired",
            "Specified time stamp or date value is expired."};
  }
  return {};
}

Fault verify(Cloud& cloud, const SignedCall& call) {
  const std::optional<AccessKey> key = cloud.find_key(call.key_id);
  if (!key) {
    return {404, "InvalidAccessKeyId.NotFound",
            "Specified access key is not found."};
  }
  if (!key->active) {
    return {400, "InvalidAccessKeyId.Inactive",
            "Specified access key is disabled."};
  }
  const WallTime wall = cloud.clock().wall();
  if (Fault fault = check_token(call, *key, wall)) return fault;
  Duration window{0};
  cloud.read([&](const Region& region, Instant) {
    window = region.knobs.time_window;
  });
  if (Fault fault = check_time(call.timestamp, wall, window)) {
    return fault;
  }
  if (call.signature != expected_signature(call, key->secret)) {
    return {400, "SignatureDoesNotMatch",
            "Specified signature is not matched with our calculation. server "
            "string to sign is:" +
                call.string_to_sign};
  }
  if (!cloud.use_nonce(call.key_id, call.nonce)) {
    return {400, "SignatureNonceUsed",
            "Specified signature nonce was used already."};
  }
  return {};
}

/// Everything that is decided before the call reaches its product.
Fault check_call(Cloud& cloud, const HttpRequest& request,
                 const SignedCall& call) {
  if (request.path != "/") {
    return {404, "InvalidApi.NotFound", "RPC calls go to the path /."};
  }
  if (call.action.empty()) {
    return {400, "MissingParameter", "Action is mandatory."};
  }
  const std::string product = product_of(call.version);
  if (product.empty()) {
    return {404, "InvalidApi.NotFound",
            fmt::format("No product has version \"{}\".", call.version)};
  }
  // Who has nothing but a token of the cluster cannot sign.
  const bool anonymous =
      product == "sts" && call.action == "AssumeRoleWithOIDC";
  if (anonymous && call.key_id.empty()) return {};
  if (call.key_id.empty()) {
    return {400, "MissingParameter", "AccessKeyId is mandatory."};
  }
  return verify(cloud, call);
}

}  // namespace

HttpResponse OpenApi::handle(const HttpRequest& request) {
  SignedCall call;
  Fault fault = read_signed(request, call);
  if (!fault) fault = check_call(cloud_, request, call);

  const Call what{.product = product_of(call.version),
                  .action = call.action,
                  .params = call.params,
                  .caller = call.key_id};
  const Reply reply = fault ? cloud_.refuse(what, fault) : cloud_.call(what);
  HttpResponse response;
  response.status = reply.status;
  response.headers = reply.headers;
  response.headers["x-acs-request-id"] = reply.request_id;
  response.headers["Date"] = http_time(cloud_.clock().wall());
  response.delay = reply.delay;
  response.drop = reply.drop;
  if (wants_json(request, call)) {
    response.content_type = "application/json;charset=utf-8";
    response.body = reply.body;
    return response;
  }
  const std::string root = fault || !reply.code.empty()
                               ? std::string("Error")
                               : call.action + "Response";
  response.content_type = "text/xml;charset=utf-8";
  response.body = to_xml(root, Json::parse(reply.body, nullptr, false));
  return response;
}

}  // namespace linsey::sim
