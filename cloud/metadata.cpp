#include "cloud/metadata.h"

#include <algorithm>
#include <utility>

namespace linsey::cloud {
namespace {

constexpr std::chrono::seconds kTokenLife{21600};
constexpr std::string_view kRoot = "/latest/meta-data/";

std::string_view trim(std::string_view text, std::string_view what) {
  const auto first = text.find_first_not_of(what);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(what) - first + 1);
}

Error unavailable(std::string_view path, std::string_view why,
                  std::string details = {}) {
  return {Code::kMetadataUnavailable,
          fmt::format("metadata service: {}: {}", path, why),
          std::move(details)};
}

template <typename T>
Result<std::optional<T>> parsed(const std::optional<std::string>& text,
                                Result<T> (*parse)(std::string_view)) {
  if (!text || text->empty()) return std::optional<T>();
  Result<T> value = parse(*text);
  if (!value) {
    return make_error(Code::kCloudBadReply, "metadata service: {}",
                      value.error().msg);
  }
  return std::optional<T>(std::move(value).value());
}

}  // namespace

Result<std::vector<IpAddr>> parse_address_list(std::string_view text) {
  std::vector<IpAddr> addresses;
  std::string_view rest = trim(text, " \t\r\n[]");
  while (!rest.empty()) {
    const auto part = rest.substr(0, rest.find_first_of(",\n"));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    const auto word = trim(part, " \t\r\n\"");
    if (word.empty()) continue;
    Result<IpAddr> address = IpAddr::parse(word);
    if (!address) {
      return make_error(Code::kCloudBadReply, "metadata service: {}",
                        address.error().msg);
    }
    addresses.push_back(*address);
  }
  return addresses;
}

Metadata::Metadata(MetadataOptions options, HttpClient& http,
                   const Clock& clock)
    : options_(std::move(options)), http_(http), clock_(clock) {
  while (options_.url.ends_with('/'))
    options_.url.pop_back();
}

Result<HttpResponse> Metadata::request(const std::string& method,
                                       const std::string& path,
                                       HttpHeaders headers) {
  const HttpRequest request{.method = method,
                            .url = options_.url + path,
                            .headers = std::move(headers),
                            .timeout = options_.timeout,
                            .connect_timeout = options_.timeout,
                            .limit = std::size_t{1} << 20,
                            .use_proxy = false};
  Result<HttpResponse> reply = http_.send(request);
  // Once more at once: these are small idempotent reads over one hop.
  if (!reply) reply = http_.send(request);
  if (!reply) {
    return unavailable(path, reply.error().msg, reply.error().details);
  }
  return reply;
}

Result<void> Metadata::fetch_token() {
  const std::string path = "/latest/api/token";
  const HttpResponse reply =
      TRY(request("PUT", path,
                  {{"X-aliyun-ecs-metadata-token-ttl-seconds",
                    std::to_string(kTokenLife.count())}}));
  if (reply.status != 200) {
    return unavailable(path, fmt::format("no token, HTTP status {}; is the "
                                         "metadata service switched off?",
                                         reply.status));
  }
  token_ = reply.body;
  // Half of its life, so that a clock or a slow request never makes it late.
  token_until_ = clock_.now() + kTokenLife / 2;
  return {};
}

Result<HttpResponse> Metadata::read(const std::string& path) {
  if (hardened_) {
    if (token_.empty() || clock_.now() >= token_until_) TRY(fetch_token());
    return request("GET", path, {{"X-aliyun-ecs-metadata-token", token_}});
  }
  return request("GET", path, {});
}

Result<std::optional<std::string>> Metadata::get(const std::string& path) {
  const std::string full = std::string(kRoot) + path;
  HttpResponse reply = TRY(read(full));
  if (reply.status == 403 && !hardened_) {
    hardened_ = true;
    reply = TRY(read(full));
  } else if (reply.status == 401 && hardened_) {
    token_.clear();
    reply = TRY(read(full));
  }
  if (reply.status == 404) return std::optional<std::string>();
  if (reply.status != 200) {
    return unavailable(full, fmt::format("HTTP status {}", reply.status));
  }
  return std::optional<std::string>(trim(reply.body, " \t\r\n"));
}

Result<std::string> Metadata::need(const std::string& path) {
  const std::optional<std::string> value = TRY(get(path));
  if (!value || value->empty()) {
    return make_error(Code::kCloudBadReply,
                      "metadata service: {} is missing: what answers at {} "
                      "does not speak of an ECS instance",
                      path, options_.url);
  }
  return *value;
}

Result<Instance> Metadata::instance() {
  Instance instance;
  instance.id = TRY(need("instance-id"));
  instance.type = TRY(need("instance/instance-type"));
  instance.region = TRY(need("region-id"));
  instance.zone = TRY(need("zone-id"));
  instance.vpc = TRY(need("vpc-id"));
  instance.v_switch = TRY(need("vswitch-id"));
  const std::string mac = TRY(need("mac"));
  // Anything may listen at this address outside of Alibaba Cloud.
  if (!instance.id.starts_with("i-") ||
      !instance.zone.starts_with(instance.region)) {
    return make_error(Code::kCloudBadReply,
                      "metadata service: instance {:?} in zone {:?} of region "
                      "{:?} is no ECS instance",
                      instance.id, instance.zone, instance.region);
  }
  const auto parsed_mac = TRY(parsed<Mac>(mac, &Mac::parse));
  instance.mac = *parsed_mac;
  return instance;
}

Result<std::optional<AttachedEni>> Metadata::eni(const Mac& mac) {
  const std::string base =
      fmt::format("network/interfaces/macs/{}/", mac.to_string());
  AttachedEni eni;
  eni.mac = mac;
  const auto id = TRY(get(base + "network-interface-id"));
  if (!id || id->empty()) return std::optional<AttachedEni>();
  eni.id = *id;
  eni.v_switch = TRY(get(base + "vswitch-id")).value_or("");
  eni.primary = TRY(
      parsed<IpAddr>(TRY(get(base + "primary-ip-address")), &IpAddr::parse));
  eni.ipv4 =
      TRY(parse_address_list(TRY(get(base + "private-ipv4s")).value_or("")));
  eni.ipv6 = TRY(parse_address_list(TRY(get(base + "ipv6s")).value_or("")));
  eni.gateway = TRY(parsed<IpAddr>(TRY(get(base + "gateway")), &IpAddr::parse));
  if (!eni.ipv6.empty()) {
    eni.gateway6 =
        TRY(parsed<IpAddr>(TRY(get(base + "ipv6-gateway")), &IpAddr::parse));
  }
  return std::optional<AttachedEni>(std::move(eni));
}

Result<std::vector<AttachedEni>> Metadata::enis() {
  const std::string list = TRY(get("network/interfaces/macs/")).value_or("");
  std::vector<AttachedEni> enis;
  std::string_view rest = list;
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const auto word = trim(line, " \t\r/");
    if (word.empty()) continue;
    const auto mac = TRY(parsed<Mac>(std::string(word), &Mac::parse));
    std::optional<AttachedEni> found = TRY(eni(*mac));
    if (found) enis.push_back(std::move(*found));
  }
  return enis;
}

}  // namespace linsey::cloud
