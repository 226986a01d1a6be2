#include "cloud/aliyun_ecs.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cloud/reply.h"

namespace linsey::cloud {
namespace {

constexpr std::string_view kEcsVersion = "2014-05-26";
constexpr std::string_view kVpcVersion = "2016-04-28";
constexpr unsigned kEniPage = 500;
constexpr unsigned kMaxPages = 100;

std::vector<std::string> texts(const std::vector<IpAddr>& addresses) {
  std::vector<std::string> result;
  result.reserve(addresses.size());
  for (const IpAddr& address : addresses) {
    result.push_back(address.to_string());
  }
  return result;
}

/// What is gone already is what was wanted.
Result<void> gone_is_fine(const Result<Json>& reply) {
  if (reply || reply.error().code == Code::kCloudGone) return {};
  return reply.error();
}

Params eni_params(const EniFilter& filter) {
  Params params{{"MaxResults", std::to_string(kEniPage)}};
  put_list(params, "NetworkInterfaceId", filter.ids);
  if (!filter.instance_id.empty()) params["InstanceId"] = filter.instance_id;
  put_tags(params, filter.tags);
  return params;
}

}  // namespace

AliyunEcs::AliyunEcs(AliyunOptions options, Parties parties)
    : options_(std::move(options)), parties_(std::move(parties)) {
  for (std::string* url : {&options_.ecs_endpoint, &options_.vpc_endpoint}) {
    while (url->ends_with('/'))
      url->pop_back();
  }
}

Result<std::string> AliyunEcs::region() {
  if (options_.region.empty()) {
    options_.region = TRY(parties_.metadata.instance()).region;
  }
  return options_.region;
}

Result<Json> AliyunEcs::call_ecs(const std::string& action, Params params) {
  const std::string where = TRY(region());
  params["RegionId"] = where;
  const std::string endpoint =
      options_.ecs_endpoint.empty()
          ? fmt::format("https://ecs-vpc.{}.aliyuncs.com", where)
          : options_.ecs_endpoint;
  return call(
      {endpoint, "ecs", action, std::string(kEcsVersion), std::move(params)});
}

Result<Json> AliyunEcs::call_vpc(const std::string& action, Params params) {
  const std::string where = TRY(region());
  params["RegionId"] = where;
  const std::string endpoint =
      options_.vpc_endpoint.empty()
          ? fmt::format("https://vpc-vpc.{}.aliyuncs.com", where)
          : options_.vpc_endpoint;
  return call(
      {endpoint, "vpc", action, std::string(kVpcVersion), std::move(params)});
}

Result<Json> AliyunEcs::call(const ApiCall& call) {
  Result<Json> reply = attempt(call);
  if (!reply && reply.error().code == Code::kCloudCredentials) {
    // Rotated away under us, or the clock was set: once more with new ones.
    parties_.credentials.reject();
    reply = attempt(call);
  }
  return reply;
}

Result<Json> AliyunEcs::attempt(const ApiCall& call) {
  const Credentials credentials = TRY(parties_.credentials.get());
  const Stamp stamp = make_stamp(parties_.clock.wall());
  HttpRequest request =
      TRY(options_.v1_signature ? sign_v1(call, credentials, stamp)
                                : sign_v3(call, credentials, stamp));
  request.timeout = options_.timeout;
  const Instant begin = parties_.clock.now();
  const auto send = [&]() -> Result<Json> {
    const HttpResponse response = TRY(context(
        parties_.http.send(request), "{}:{}", call.product, call.action));
    if (response.status < 200 || response.status > 299) {
      return api_error(call, response);
    }
    Result<Json> document = parse_json(response.body);
    if (document && document->is_object()) return document;
    return make_error(Code::kCloudBadReply, "{}:{}: the reply is no JSON",
                      call.product, call.action);
  };
  Result<Json> reply = send();
  if (parties_.observe) {
    parties_.observe({call.product + ":" + call.action, reply.has_value(),
                      reply ? Code::kInternal : reply.error().code,
                      parties_.clock.now() - begin});
  }
  return reply;
}

Result<std::vector<Eni>> AliyunEcs::describe_enis(const EniFilter& filter) {
  std::vector<Eni> enis;
  Params params = eni_params(filter);
  for (unsigned page = 0; page < kMaxPages; ++page) {
    const Json reply = TRY(call_ecs("DescribeNetworkInterfaces", params));
    for (const Json& item :
         list_at(reply, "NetworkInterfaceSets", "NetworkInterfaceSet")) {
      enis.push_back(
          TRY(context(parse_eni(item), "ecs:DescribeNetworkInterfaces")));
    }
    const std::string next = text_at(reply, "NextToken");
    if (next.empty()) return enis;
    params["NextToken"] = next;
  }
  return make_error(Code::kCloudBadReply,
                    "ecs:DescribeNetworkInterfaces: more than {} pages",
                    kMaxPages);
}

Result<Eni> AliyunEcs::create_eni(const CreateEni& request) {
  Params params{{"VSwitchId", request.v_switch},
                {"InstanceType", "Secondary"},  // the kind of interface
                {"Description", request.description},
                {"NetworkInterfaceName", request.name},
                {"ClientToken", request.client_token}};
  std::erase_if(params, [](const auto& param) { return param.second.empty(); });
  put_list(params, "SecurityGroupIds", request.security_groups);
  put_tags(params, request.tags);
  if (request.secondary_ipv4 > 0) {
    params["SecondaryPrivateIpAddressCount"] =
        std::to_string(request.secondary_ipv4);
  }
  if (request.ipv6 > 0)
    params["Ipv6AddressCount"] = std::to_string(request.ipv6);
  const Json reply = TRY(call_ecs("CreateNetworkInterface", std::move(params)));
  return context(parse_eni(reply), "ecs:CreateNetworkInterface");
}

Result<void> AliyunEcs::attach_eni(const std::string& eni_id,
                                   const std::string& instance_id) {
  (void)TRY(call_ecs("AttachNetworkInterface", {{"NetworkInterfaceId", eni_id},
                                                {"InstanceId", instance_id}}));
  return {};
}

Result<void> AliyunEcs::detach_eni(const std::string& eni_id,
                                   const std::string& instance_id) {
  return gone_is_fine(
      call_ecs("DetachNetworkInterface",
               {{"NetworkInterfaceId", eni_id}, {"InstanceId", instance_id}}));
}

Result<void> AliyunEcs::delete_eni(const std::string& eni_id) {
  return gone_is_fine(
      call_ecs("DeleteNetworkInterface", {{"NetworkInterfaceId", eni_id}}));
}

Result<std::vector<IpAddr>> AliyunEcs::assign(const AssignAddresses& request) {
  const bool v6 = request.family == Family::kV6;
  const std::string action =
      v6 ? "AssignIpv6Addresses" : "AssignPrivateIpAddresses";
  Params params{{"NetworkInterfaceId", request.eni_id},
                {v6 ? "Ipv6AddressCount" : "SecondaryPrivateIpAddressCount",
                 std::to_string(request.count)}};
  if (!request.client_token.empty()) {
    params["ClientToken"] = request.client_token;
  }
  const Json reply = TRY(call_ecs(action, std::move(params)));
  return context(parse_assigned(reply, request.family), "ecs:{}", action);
}

Result<void> AliyunEcs::unassign_call(const std::string& eni_id,
                                      const std::vector<IpAddr>& addresses) {
  const bool v6 = addresses.front().family() == Family::kV6;
  Params params{{"NetworkInterfaceId", eni_id}};
  put_list(params, v6 ? "Ipv6Address" : "PrivateIpAddress", texts(addresses));
  (void)TRY(
      call_ecs(v6 ? "UnassignIpv6Addresses" : "UnassignPrivateIpAddresses",
               std::move(params)));
  return {};
}

Result<void> AliyunEcs::unassign(const std::string& eni_id,
                                 const std::vector<IpAddr>& addresses) {
  if (addresses.empty()) return {};
  Result<void> all = unassign_call(eni_id, addresses);
  if (all || all.error().code != Code::kCloudGone) return all;
  if (addresses.size() == 1) return {};
  // One address that was off already may have stopped the whole call: what
  // the others became is not documented, so each is asked for by itself.
  ErrorList errors;
  for (const IpAddr& address : addresses) {
    Result<void> one = unassign_call(eni_id, {address});
    if (!one && one.error().code != Code::kCloudGone) errors.add(one.error());
  }
  return errors.result();
}

Result<std::vector<VSwitch>> AliyunEcs::describe_v_switches(
    const std::vector<std::string>& ids) {
  // The action takes one id; a listing of the VPC would hide a vSwitch that
  // lies in another one, which has to be told from one that does not exist.
  std::vector<VSwitch> found;
  for (const std::string& id : ids) {
    const Result<Json> reply =
        call_vpc("DescribeVSwitches", {{"VSwitchId", id}});
    if (!reply && reply.error().code == Code::kVSwitchNotFound) continue;
    for (const Json& item : list_at(TRY(reply), "VSwitches", "VSwitch")) {
      found.push_back(
          TRY(context(parse_v_switch(item), "vpc:DescribeVSwitches")));
    }
  }
  return found;
}

Result<InstanceType> AliyunEcs::describe_instance_type(const std::string& id) {
  const Json reply =
      TRY(call_ecs("DescribeInstanceTypes", {{"InstanceTypes.1", id}}));
  for (const Json& item : list_at(reply, "InstanceTypes", "InstanceType")) {
    const InstanceType type =
        TRY(context(parse_instance_type(item), "ecs:DescribeInstanceTypes"));
    if (type.id == id) return type;
  }
  return make_error(Code::kCloudGone,
                    "ecs:DescribeInstanceTypes: there is no type {}", id);
}

}  // namespace linsey::cloud
