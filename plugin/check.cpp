#include "plugin/check.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace linsey::plugin {
namespace {

using Differences = std::vector<std::string>;

/// The index of our interface in the result.
std::optional<std::size_t> find_ours(const CniResult& previous,
                                     const Call& call) {
  const auto& list = previous.interfaces;
  const auto it = std::ranges::find_if(list, [&](const Interface& one) {
    return one.name == call.ifname && !one.sandbox.empty();
  });
  if (it == list.end()) return std::nullopt;
  return static_cast<std::size_t>(it - list.begin());
}

void compare_interface(const Interface& ours, const Call& call,
                       const netlink::Link& link, Differences& differences) {
  if (ours.sandbox != call.netns) {
    differences.push_back(
        fmt::format("prevResult has {} in {}, CNI_NETNS is "
                    "{}",
                    ours.name, ours.sandbox, call.netns));
  }
  const Result<Mac> mac = Mac::parse(ours.mac);
  if (!ours.mac.empty() && (!mac || *mac != link.mac)) {
    differences.push_back(fmt::format("{} has MAC {}, prevResult says {}",
                                      ours.name, link.mac.to_string(),
                                      ours.mac));
  }
}

void compare_addresses(const CniResult& previous, std::size_t index,
                       const std::vector<netlink::Address>& kernel,
                       const datapath::Plan& plan, Differences& differences) {
  std::vector<Cidr> listed;
  for (const IpConfig& ip : previous.ips) {
    if (ip.interface != static_cast<std::int64_t>(index)) continue;
    listed.push_back(ip.address);
    if (std::ranges::count(kernel, ip.address, &netlink::Address::cidr) == 0) {
      differences.push_back(
          fmt::format("address {} of prevResult is missing in the pod",
                      ip.address.to_string()));
    }
  }
  for (const netlink::Address& own : plan.pod.addresses) {
    if (own.cidr.addr().is_link_local()) continue;
    if (std::ranges::count(listed, own.cidr) == 0) {
      differences.push_back(
          fmt::format("prevResult lacks our address {}", own.cidr.to_string()));
    }
  }
}

bool satisfies(const netlink::Route& have, const RouteConfig& want) {
  return have.dst.network() == want.dst.network() &&
         (!want.gateway || have.gateway == want.gateway) &&
         (!want.table || have.table == *want.table);
}

void compare_routes(const CniResult& previous,
                    const std::vector<netlink::Route>& kernel,
                    Differences& differences) {
  for (const RouteConfig& want : previous.routes) {
    const bool there = std::ranges::any_of(
        kernel,
        [&](const netlink::Route& have) { return satisfies(have, want); });
    if (there) continue;
    differences.push_back(fmt::format(
        "route {}{} of prevResult is missing in the pod", want.dst.to_string(),
        want.gateway ? " via " + want.gateway->to_string() : ""));
  }
}

std::string join(const Differences& differences) {
  std::string text;
  for (const std::string& one : differences) {
    text += (text.empty() ? "" : "; ") + one;
  }
  return text;
}

}  // namespace

std::set<Family> families_in(const CniResult& previous) {
  std::set<Family> families;
  for (const IpConfig& ip : previous.ips)
    families.insert(ip.address.family());
  for (const RouteConfig& route : previous.routes) {
    families.insert(route.dst.family());
  }
  return families;
}

Result<void> compare(const CniResult& previous, const Call& call,
                     const std::optional<netlink::Observed>& pod,
                     const datapath::Plan& plan) {
  const std::optional<std::size_t> index = find_ours(previous, call);
  if (!index) {
    return make_error(Code::kStateMismatch,
                      "prevResult has no interface {} in a sandbox",
                      call.ifname);
  }
  if (!pod) {
    return make_error(Code::kStateMismatch, "the pod has no interface {}",
                      call.ifname);
  }
  Differences differences;
  compare_interface(previous.interfaces[*index], call, pod->link, differences);
  compare_addresses(previous, *index, pod->addresses, plan, differences);
  compare_routes(previous, pod->routes, differences);
  if (differences.empty()) return {};
  return Error{Code::kStateMismatch, join(differences), {}};
}

}  // namespace linsey::plugin
