#include "conf/netconf.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/log.h"
#include "conf/lenient.h"

namespace linsey::conf {
namespace {

constexpr std::uint64_t kMtuMin = 68;  // RFC 791
constexpr std::uint64_t kMtuMax = 65535;
// The kernel counts a burst in 32 bits of bytes.
constexpr std::uint64_t kBurstBytesMax =
    std::numeric_limits<std::uint32_t>::max() - 1ULL;

bool alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9');
}

Result<void> check_name(const std::string& name) {
  if (name.empty()) {
    return make_error(Code::kInvalidNetworkConfig,
                      "/name: is missing; give the network a name");
  }
  const auto allowed = [](char c) {
    return alphanumeric(c) || c == '_' || c == '.' || c == '-';
  };
  if (!alphanumeric(name.front()) || !std::ranges::all_of(name, allowed)) {
    return make_error(Code::kInvalidNetworkConfig,
                      "/name: \"{}\" is no network name; begin with a letter "
                      "or digit and go on with those, \".\", \"_\" or \"-\"",
                      name);
  }
  return {};
}

Error out_of_range(const LenientObject& object, std::string_view key,
                   std::uint64_t value, std::string_view range) {
  return make_error(Code::kInvalidNetworkConfig, "{}: must lie in {}, is {}",
                    object.pointer_to(key), range, value);
}

Result<void> read_mtu(const LenientObject& root, NetConf& conf) {
  if (root.raw("mtu") == nullptr) return {};
  std::uint64_t mtu = 0;
  TRY(root.number("mtu", mtu));
  if (mtu < kMtuMin || mtu > kMtuMax) {
    return out_of_range(root, "mtu", mtu, "68..65535");
  }
  conf.mtu = static_cast<std::uint32_t>(mtu);
  return {};
}

Result<void> read_own_keys(const LenientObject& root, NetConf& conf) {
  TRY(root.text("agentSocket", conf.agent_socket));
  TRY(root.text("notesDir", conf.notes_dir));
  TRY(root.text("logFile", conf.log_file));
  TRY(root.text("logLevel", conf.log_level));
  TRY(read_mtu(root, conf));
  std::string wait;
  TRY(root.text("agentWait", wait));
  if (!wait.empty()) {
    const Result<std::chrono::nanoseconds> parsed = parse_duration(wait);
    if (!parsed) {
      return make_error(Code::kInvalidNetworkConfig, "/agentWait: {}",
                        parsed.error().msg);
    }
    conf.agent_wait = *parsed;
  }
  const auto absolute = [](const std::string& path) {
    return !path.empty() && path.front() == '/';
  };
  for (const auto& [key, path] : {std::pair("agentSocket", &conf.agent_socket),
                                  std::pair("notesDir", &conf.notes_dir)}) {
    if (!absolute(*path)) {
      return make_error(Code::kInvalidNetworkConfig,
                        "/{}: \"{}\" is no absolute path; begin it with /", key,
                        *path);
    }
  }
  if (!log::parse_level(conf.log_level)) {
    return make_error(Code::kInvalidNetworkConfig,
                      "/logLevel: \"{}\" is no level; write debug, info, warn, "
                      "error or off",
                      conf.log_level);
  }
  return {};
}

/// Where the agent and the notes are, as far as it can be read.
void read_places(const LenientObject& root, NetConf& conf) {
  for (const auto& [key, target] :
       {std::pair("agentSocket", &conf.agent_socket),
        std::pair("notesDir", &conf.notes_dir)}) {
    std::string path;
    if (root.text(key, path) && path.starts_with('/')) *target = path;
  }
}

Result<void> check_rate(const LenientObject& object, std::string_view way,
                        std::uint64_t rate, std::uint64_t burst) {
  if ((rate == 0) != (burst == 0)) {
    return make_error(Code::kInvalidNetworkConfig,
                      "{}: is {}, but {}Burst is {}; set both or neither",
                      object.pointer_to(std::string(way) + "Rate"), rate, way,
                      burst);
  }
  if (burst / 8 > kBurstBytesMax) {
    return out_of_range(object, std::string(way) + "Burst", burst,
                        "0..34359738359");
  }
  return {};
}

Result<void> read_bandwidth(const LenientObject& object,
                            ipam::Bandwidth& bandwidth) {
  TRY(object.number("ingressRate", bandwidth.ingress_rate));
  TRY(object.number("ingressBurst", bandwidth.ingress_burst));
  TRY(object.number("egressRate", bandwidth.egress_rate));
  TRY(object.number("egressBurst", bandwidth.egress_burst));
  TRY(check_rate(object, "ingress", bandwidth.ingress_rate,
                 bandwidth.ingress_burst));
  return check_rate(object, "egress", bandwidth.egress_rate,
                    bandwidth.egress_burst);
}

Result<std::uint16_t> read_port(const LenientObject& entry,
                                std::string_view key) {
  std::uint64_t port = 0;
  TRY(entry.number(key, port));
  if (port == 0 || port > 65535) {
    return out_of_range(entry, key, port, "1..65535");
  }
  return static_cast<std::uint16_t>(port);
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

Result<ipam::PortMapping> read_mapping(const LenientObject& entry) {
  ipam::PortMapping mapping;
  mapping.host_port = TRY(read_port(entry, "hostPort"));
  mapping.container_port = TRY(read_port(entry, "containerPort"));
  std::string protocol;
  std::string host_ip;
  TRY(entry.text("protocol", protocol));
  TRY(entry.text("hostIP", host_ip));
  if (!protocol.empty()) mapping.protocol = lower(std::move(protocol));
  if (mapping.protocol != "tcp" && mapping.protocol != "udp" &&
      mapping.protocol != "sctp") {
    return make_error(Code::kInvalidNetworkConfig,
                      "{}: \"{}\" cannot be mapped; use tcp, udp or sctp",
                      entry.pointer_to("protocol"), mapping.protocol);
  }
  if (!host_ip.empty()) {
    const Result<IpAddr> ip = IpAddr::parse(host_ip);
    if (!ip) {
      return make_error(Code::kInvalidNetworkConfig, "{}: {}",
                        entry.pointer_to("hostIP"), ip.error().msg);
    }
    mapping.host_ip = *ip;
  }
  return mapping;
}

/// "10.0.0.7" or "10.0.0.7/24"; the prefix length says nothing to us, since
/// every pod address is a host address.
Result<IpAddr> parse_wanted_ip(const std::string& text) {
  if (text.find('/') == std::string::npos) return IpAddr::parse(text);
  return TRY(Cidr::parse(text)).addr();
}

Result<void> read_ips(const LenientObject& from, std::vector<IpAddr>& target) {
  std::vector<std::string> texts;
  TRY(from.texts("ips", texts));
  if (texts.empty()) return {};
  std::vector<IpAddr> ips;
  for (const std::string& text : texts) {
    const Result<IpAddr> ip = parse_wanted_ip(text);
    if (!ip) {
      return make_error(Code::kInvalidNetworkConfig, "{}/{}: {}",
                        from.pointer_to("ips"), ips.size(), ip.error().msg);
    }
    if (std::ranges::count(ips, ip->family(), &IpAddr::family) > 0) {
      return make_error(Code::kInvalidNetworkConfig,
                        "{}: two addresses of one family; a pod gets at most "
                        "one IPv4 and one IPv6 address",
                        from.pointer_to("ips"));
    }
    ips.push_back(*ip);
  }
  target = std::move(ips);
  return {};
}

Result<void> read_mac(const LenientObject& from, std::optional<Mac>& target) {
  std::string text;
  TRY(from.text("mac", text));
  if (text.empty()) return {};
  const Result<Mac> mac = Mac::parse(text);
  if (!mac) {
    return make_error(Code::kInvalidNetworkConfig, "{}: {}",
                      from.pointer_to("mac"), mac.error().msg);
  }
  if ((mac->bytes()[0] & 1U) != 0 || *mac == Mac()) {
    return make_error(Code::kInvalidNetworkConfig,
                      "{}: {} is no unicast address; clear the lowest bit of "
                      "its first byte",
                      from.pointer_to("mac"), mac->to_string());
  }
  target = *mac;
  return {};
}

/// runtimeConfig first, then args.cni, which wins (CNI conventions).
Result<void> read_wishes(const LenientObject& root, NetConf& conf) {
  const LenientObject runtime = TRY(root.object("runtimeConfig"));
  const LenientObject args = TRY(root.object("args"));
  const LenientObject args_cni = TRY(args.object("cni"));
  TRY(read_bandwidth(TRY(runtime.object("bandwidth")), conf.bandwidth));
  for (const LenientObject& entry : TRY(runtime.objects("portMappings"))) {
    conf.port_mappings.push_back(TRY(read_mapping(entry)));
  }
  TRY(read_ips(runtime, conf.ips));
  TRY(read_mac(runtime, conf.mac));
  TRY(read_ips(args_cni, conf.ips));
  return read_mac(args_cni, conf.mac);
}

/// libcni writes the list under both keys; older ones know only the first. A
/// list under either beats null under the other: collecting less is safer.
Result<void> read_valid_attachments(const LenientObject& root, NetConf& conf) {
  for (const char* key : {"cni.dev/attachments", "cni.dev/valid-attachments"}) {
    if (!root.has(key)) continue;
    if (!conf.valid_attachments) conf.valid_attachments.emplace();
    if (root.raw(key) == nullptr) continue;
    std::vector<ValidAttachment> list;
    for (const LenientObject& entry : TRY(root.objects(key))) {
      ValidAttachment valid;
      TRY(entry.text("containerID", valid.container_id));
      TRY(entry.text("ifname", valid.ifname));
      list.push_back(std::move(valid));
    }
    conf.valid_attachments = std::move(list);
  }
  return {};
}

}  // namespace

Result<NetConf> parse_netconf(std::string_view text, Wishes wishes) {
  const Json json =
      TRY(context(parse_json(text), "network configuration on stdin"));
  if (!json.is_null() && !json.is_object()) {
    return make_error(Code::kDecode,
                      "network configuration on stdin: /: must be an object, "
                      "is {}",
                      json.type_name());
  }
  const LenientObject root = TRY(LenientObject::of(&json, "", Code::kDecode));
  NetConf conf;
  TRY(root.text("cniVersion", conf.cni_version));
  if (conf.cni_version.empty()) conf.cni_version = "0.1.0";
  TRY(root.text("name", conf.name));
  TRY(root.text("type", conf.type));
  TRY(check_name(conf.name));
  if (wishes == Wishes::kRead) {
    TRY(read_own_keys(root, conf));
    TRY(read_wishes(root, conf));
  } else {
    read_places(root, conf);
  }
  TRY(read_valid_attachments(root, conf));
  if (const Json* previous = root.raw("prevResult")) {
    conf.prev_result = std::make_shared<const Json>(*previous);
  }
  return conf;
}

}  // namespace linsey::conf
