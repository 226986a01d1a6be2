#include "lab/sim/metadata.h"

#include <charconv>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "lab/sim/region.h"
#include "lab/sim/wall_time.h"

namespace linsey::sim {
namespace {

constexpr std::string_view kRoot = "/latest/meta-data/";
constexpr std::string_view kDatedRoot = "/2016-01-01/meta-data/";
constexpr std::string_view kTokenPath = "/latest/api/token";
constexpr std::string_view kMacs = "network/interfaces/macs/";
constexpr std::string_view kRoles = "ram/security-credentials/";
constexpr std::string_view kIdentity =
    "/latest/dynamic/instance-identity/document";
constexpr int kTokenLife = 21600;

HttpResponse text(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

HttpResponse absent() {
  return text(404, "404 - Not Found");
}

HttpResponse maybe(const std::optional<std::string>& body) {
  return body ? text(200, *body) : absent();
}

std::string netmask(const Cidr& cidr) {
  const std::uint64_t ones = 0xffffffffULL << (32 - cidr.prefix_len());
  return IpAddr::v4(static_cast<std::uint32_t>(ones)).to_string();
}

/// The third from the end; with IPv6 the ninth.
std::string gateway(const Cidr& cidr) {
  const std::uint64_t from_end = cidr.family() == Family::kV4 ? 2 : 8;
  std::array<std::uint8_t, 16> bytes{};
  const auto last = cidr.last();
  const auto from = last.bytes();
  std::copy(from.begin(), from.end(), bytes.begin());
  // The last byte cannot underflow: a vSwitch is at least a /29.
  std::uint8_t& low = bytes[from.size() - 1];
  low = static_cast<std::uint8_t>(low - from_end);
  return IpAddr::from_bytes({bytes.data(), from.size()}).to_string();
}

/// One instance's view, taken under the cloud's lock.
class View {
 public:
  View(const Region& region, const CloudSpec& spec, const Instance& instance,
       Instant now)
      : region_(region), spec_(spec), instance_(instance), now_(now) {}

  std::optional<std::string> item(const std::string& path) const {
    if (path.starts_with(kMacs)) return macs(path.substr(kMacs.size()));
    const Eni& eni = region_.enis().at(instance_.primary_eni);
    const InstanceSpec& spec = instance_.spec;
    if (path == "instance-id") return spec.id;
    if (path == "instance/instance-type") return spec.type;
    if (path == "region-id") return spec_.region;
    if (path == "zone-id") return instance_.zone;
    if (path == "mac") return eni.mac.to_string();
    if (path == "private-ipv4") return eni.addresses.front().ip.to_string();
    if (path == "hostname") return spec.host_name;
    if (path == "owner-account-id") return spec_.account;
    if (path == "serial-number") return "serial-" + spec.id;
    return networks(eni, path);
  }

  std::string identity() const {
    return dump_json({{"instance-id", instance_.spec.id},
                      {"instance-type", instance_.spec.type},
                      {"region-id", spec_.region},
                      {"zone-id", instance_.zone},
                      {"owner-account-id", spec_.account},
                      {"private-ipv4", *item("private-ipv4")},
                      {"mac", *item("mac")}});
  }

 private:
  std::optional<std::string> macs(const std::string& rest) const {
    if (rest.empty()) {
      std::string list;
      for (const auto& [id, eni] : region_.enis()) {
        if (shown(eni)) list += eni.mac.to_string() + "/\n";
      }
      if (!list.empty()) list.pop_back();
      return list;
    }
    const std::size_t slash = rest.find('/');
    for (const auto& [id, eni] : region_.enis()) {
      if (!shown(eni) || eni.mac.to_string() != rest.substr(0, slash)) continue;
      if (slash == std::string::npos) return {};
      return eni_item(eni, rest.substr(slash + 1));
    }
    return {};
  }

  bool shown(const Eni& eni) const {
    const bool there =
        eni.state == EniState::kInUse || eni.state == EniState::kDetaching;
    return there && eni.instance == instance_.spec.id && eni.visible <= now_;
  }

  std::vector<std::string> addresses(const Eni& eni, Family family) const {
    std::vector<std::string> list;
    for (const EniAddress& address : eni.addresses) {
      if (address.ip.family() == family && address.visible <= now_) {
        list.push_back(address.ip.to_string());
      }
    }
    return list;
  }

  std::optional<std::string> eni_item(const Eni& eni,
                                      const std::string& path) const {
    const VSwitchSpec& v_switch = region_.v_switches().at(eni.v_switch);
    if (path == "network-interface-id") return eni.id;
    if (path == "primary-ip-address") {
      return eni.addresses.front().ip.to_string();
    }
    if (path == "private-ipv4s") {
      return dump_json(addresses(eni, Family::kV4));
    }
    if (path == "netmask") return netmask(v_switch.cidr);
    if (path == "gateway") return gateway(v_switch.cidr);
    if (path == "ipv6s") {
      std::string list;
      for (const std::string& ip : addresses(eni, Family::kV6)) {
        list += (list.empty() ? "[" : ",") + ip;
      }
      if (list.empty()) return {};
      return list + "]";
    }
    if (path == "ipv6-gateway" && v_switch.cidr_v6) {
      return gateway(*v_switch.cidr_v6);
    }
    return networks(eni, path);
  }

  std::optional<std::string> networks(const Eni& eni,
                                      const std::string& path) const {
    const VSwitchSpec& v_switch = region_.v_switches().at(eni.v_switch);
    const VpcSpec& vpc = region_.vpcs().at(eni.vpc);
    if (path == "vpc-id") return eni.vpc;
    if (path == "vpc-cidr-block") return vpc.cidr.to_string();
    if (path == "vswitch-id") return eni.v_switch;
    if (path == "vswitch-cidr-block") return v_switch.cidr.to_string();
    if (path == "vswitch-ipv6-cidr-block" && v_switch.cidr_v6) {
      return v_switch.cidr_v6->to_string();
    }
    if (path == "vpc-ipv6-cidr-blocks" && vpc.cidr_v6) {
      return vpc.cidr_v6->to_string();
    }
    return {};
  }

  const Region& region_;
  const CloudSpec& spec_;
  const Instance& instance_;
  const Instant now_;
};

HttpResponse role(Cloud& cloud, const std::string& instance,
                  const std::string& name, const std::string& asked) {
  const std::optional<RoleCredentials> set = cloud.role_credentials(instance);
  if (!set) return absent();
  if (asked.empty()) return text(200, name);
  if (asked != name) return absent();
  return text(200, dump_json({{"Code", "Success"},
                              {"AccessKeyId", set->key.id},
                              {"AccessKeySecret", set->key.secret},
                              {"SecurityToken", set->key.token},
                              {"Expiration", iso_time(*set->key.expires)},
                              {"LastUpdated", iso_time(set->updated)}}));
}

}  // namespace

HttpResponse Metadata::issue_token(const HttpRequest& request) {
  if (request.headers.contains("x-forwarded-for")) {
    return text(403, "forwarded requests get no token");
  }
  const auto header =
      request.headers.find("x-aliyun-ecs-metadata-token-ttl-seconds");
  int ttl = 0;
  if (header != request.headers.end()) {
    const std::string& value = header->second;
    std::from_chars(value.data(), value.data() + value.size(), ttl);
  }
  if (ttl < 1 || ttl > kTokenLife) return text(400, "bad ttl");
  std::string token = fmt::format("{}-token-{}==", instance_, ++issued_);
  tokens_[token] = cloud_.clock().now() + std::chrono::seconds(ttl);
  return text(200, std::move(token));
}

HttpResponse Metadata::check_token(const HttpRequest& request) const {
  bool hardened = false;
  bool off = false;
  cloud_.read([&](const Region& region, Instant) {
    hardened = region.knobs.hardened;
    off = region.knobs.metadata_off;
  });
  if (off) return text(403, "metadata is disabled");
  const auto header = request.headers.find("x-aliyun-ecs-metadata-token");
  if (header == request.headers.end()) {
    return hardened ? text(403, "token required") : text(0, {});
  }
  const auto token = tokens_.find(header->second);
  const bool valid =
      token != tokens_.end() && token->second > cloud_.clock().now();
  return valid ? text(0, {}) : text(401, "token invalid or expired");
}

HttpResponse Metadata::handle(const HttpRequest& request) {
  if (request.path == kTokenPath) {
    if (request.method != "PUT") return text(405, "PUT only");
    return issue_token(request);
  }
  if (request.method != "GET") return text(405, "GET only");
  if (HttpResponse refused = check_token(request); refused.status != 0) {
    return refused;
  }
  for (const std::string_view root : {kRoot, kDatedRoot}) {
    if (request.path.starts_with(root)) {
      return item(request.path.substr(root.size()));
    }
  }
  if (request.path == kIdentity) return item(std::string(kIdentity));
  return absent();
}

HttpResponse Metadata::item(const std::string& path) {
  std::optional<std::string> found;
  std::string role_name;
  cloud_.read([&](const Region& region, Instant now) {
    const auto instance = region.instances().find(instance_);
    if (instance == region.instances().end()) return;
    role_name = instance->second.spec.role;
    const View view(region, cloud_.spec(), instance->second, now);
    found = path == kIdentity ? view.identity() : view.item(path);
  });
  if (path.starts_with(kRoles)) {
    return role(cloud_, instance_, role_name, path.substr(kRoles.size()));
  }
  return maybe(found);
}

}  // namespace linsey::sim
