// What the metadata service says about this machine and its interfaces.
//
// It is authoritative for zone, VPC and instance, and it answers without the
// OpenAPI: a node whose line is cut still learns its interfaces from it. Both
// modes are spoken: plain, and hardened (a token by PUT) from the first 403
// on. An absent item is 404 and no error. Never through a proxy.
// Thread: one at a time, since it shares the worker's HttpClient.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"
#include "cloud/http.h"

namespace linsey::cloud {

/// The machine itself.
struct Instance {
  std::string id;
  std::string type;
  std::string region;
  std::string zone;
  std::string vpc;
  std::string v_switch;  // of the primary interface: the host's
  Mac mac;               // of the primary interface

  bool operator==(const Instance&) const = default;
};

/// An attached interface as the machine sees it.
struct AttachedEni {
  Mac mac;
  std::string id;
  std::string v_switch;
  std::optional<IpAddr> primary;
  std::vector<IpAddr> ipv4;  // the primary one included
  std::vector<IpAddr> ipv6;
  std::optional<IpAddr> gateway;
  std::optional<IpAddr> gateway6;

  bool operator==(const AttachedEni&) const = default;
};

struct MetadataOptions {
  std::string url = "http://100.100.100.200";
  std::chrono::milliseconds timeout{1000};  // of each request
};

class Metadata {
 public:
  Metadata(MetadataOptions options, HttpClient& http, const Clock& clock);

  /// The item at `path` below latest/meta-data/, without blanks around it;
  /// nullopt when there is none. Errors: kMetadataUnavailable.
  Result<std::optional<std::string>> get(const std::string& path);

  /// Errors: kMetadataUnavailable; kCloudBadReply when what answers there does
  /// not speak of an ECS instance.
  Result<Instance> instance();

  /// All interfaces, the primary one included, in the order of their MACs.
  /// One that goes away while it is read is left out.
  Result<std::vector<AttachedEni>> enis();
  /// nullopt: not (yet) attached.
  Result<std::optional<AttachedEni>> eni(const Mac& mac);

 private:
  Result<HttpResponse> request(const std::string& method,
                               const std::string& path, HttpHeaders headers);
  Result<HttpResponse> read(const std::string& path);
  Result<void> fetch_token();
  Result<std::string> need(const std::string& path);

  MetadataOptions options_;
  HttpClient& http_;
  const Clock& clock_;
  bool hardened_ = false;
  std::string token_;
  Instant token_until_{};
};

/// Accepts a JSON list of strings, and the service's own form of brackets
/// without quotes; blanks, an empty list and an empty text are fine. Errors:
/// kCloudBadReply.
Result<std::vector<IpAddr>> parse_address_list(std::string_view text);

}  // namespace linsey::cloud
