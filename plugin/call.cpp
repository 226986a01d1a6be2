#include "plugin/call.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace linsey::plugin {
namespace {

constexpr std::size_t kMaxIfname = 15;  // IFNAMSIZ - 1, in bytes

constexpr unsigned bit(Verb verb) {
  return 1U << static_cast<unsigned>(verb);
}

/// Which verbs need a variable. CNI_PATH is asked for by GC alone, as the
/// specification says: we delegate to nobody.
struct Needed {
  const char* variable;
  std::string Call::*target;
  unsigned verbs;
};
constexpr unsigned kSandboxVerbs =
    bit(Verb::kAdd) | bit(Verb::kDel) | bit(Verb::kCheck);
constexpr auto kNeeded = std::to_array<Needed>({
    {"CNI_CONTAINERID", &Call::container_id, kSandboxVerbs},
    {"CNI_NETNS", &Call::netns, bit(Verb::kAdd) | bit(Verb::kCheck)},
    {"CNI_IFNAME", &Call::ifname, kSandboxVerbs},
    {"CNI_ARGS", &Call::args, 0},
    {"CNI_PATH", nullptr, bit(Verb::kGc)},
});

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9');
}

Result<void> check_container_id(std::string_view id) {
  const bool good =
      is_alphanumeric(id.front()) && std::ranges::all_of(id, [](char c) {
        return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
      });
  if (good) return {};
  return make_error(Code::kInvalidEnvironment,
                    "CNI_CONTAINERID \"{}\" is no container id; begin with a "
                    "letter or digit and go on with those, \"_\", \".\", \"-\"",
                    id);
}

Result<void> check_ifname(std::string_view ifname) {
  // The code points that Unicode calls white space, in UTF-8.
  constexpr auto kSpaces = std::to_array<std::string_view>({" ",
                                                            "\t",
                                                            "\n",
                                                            "\v",
                                                            "\f",
                                                            "\r",
                                                            "\xc2\x85",
                                                            "\xc2\xa0",
                                                            "\xe1\x9a\x80",
                                                            "\xe2\x80\x80",
                                                            "\xe2\x80\x81",
                                                            "\xe2\x80\x82",
                                                            "\xe2\x80\x83",
                                                            "\xe2\x80\x84",
                                                            "\xe2\x80\x85",
                                                            "\xe2\x80\x86",
                                                            "\xe2\x80\x87",
                                                            "\xe2\x80\x88",
                                                            "\xe2\x80\x89",
                                                            "\xe2\x80\x8a",
                                                            "\xe2\x80\xa8",
                                                            "\xe2\x80\xa9",
                                                            "\xe2\x80\xaf",
                                                            "\xe2\x81\x9f",
                                                            "\xe3\x80\x80"});
  const bool spaced = std::ranges::any_of(kSpaces, [&](std::string_view s) {
    return ifname.find(s) != std::string_view::npos;
  });
  if (ifname.size() <= kMaxIfname && ifname != "." && ifname != ".." &&
      ifname.find_first_of("/:") == std::string_view::npos && !spaced) {
    return {};
  }
  return make_error(Code::kInvalidEnvironment,
                    "CNI_IFNAME \"{}\" is no interface name; give 1 to {} "
                    "bytes without \"/\", \":\" and white space",
                    ifname, kMaxIfname);
}

/// Calls `take(key, value)` for every part of "K=V;K=V".
template <typename Take>
void each_arg(std::string_view text, Take take) {
  while (!text.empty()) {
    const std::size_t end = text.find(';');
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    take(part.substr(0, equals), part.substr(equals + 1));
  }
}

bool read_pod(ipam::Pod& pod, std::string_view key, std::string_view value) {
  if (key == "K8S_POD_NAMESPACE") {
    pod.name_space = value;
  } else if (key == "K8S_POD_NAME") {
    pod.name = value;
  } else if (key == "K8S_POD_UID") {
    pod.uid = value;
  } else {
    return false;
  }
  return true;
}

/// "10.0.0.7" or "10.0.0.7/24", as the reference IPAM plugin takes it.
Result<IpAddr> parse_wanted(std::string_view text) {
  return IpAddr::parse(text.substr(0, text.find('/')));
}

Result<netlink::NetNs> open_guarded(const Call& call) {
  netlink::NetNs pod = TRY(netlink::NetNs::open(call.netns));
  if (call.netns_override || !pod.is_current()) return pod;
  return make_error(Code::kInvalidNetns,
                    "CNI_NETNS {} is the namespace of the plugin itself; set "
                    "CNI_NETNS_OVERRIDE=1 if that is meant",
                    call.netns);
}

}  // namespace

Result<Call> read_environment(Verb verb) {
  Call call;
  call.verb = verb;
  std::string missing;
  for (const Needed& needed : kNeeded) {
    const std::string_view value = variable(needed.variable);
    if (value.empty() && (needed.verbs & bit(verb)) != 0) {
      missing +=
          fmt::format("{}{}", missing.empty() ? "" : ", ", needed.variable);
    }
    if (needed.target != nullptr) call.*needed.target = value;
  }
  if (!missing.empty()) {
    return make_error(Code::kInvalidEnvironment,
                      "required variables are missing: {}", missing);
  }
  if ((bit(verb) & kSandboxVerbs) != 0) {
    TRY(check_container_id(call.container_id));
    TRY(check_ifname(call.ifname));
  }
  std::string override_text(variable("CNI_NETNS_OVERRIDE"));
  std::ranges::transform(override_text, override_text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  call.netns_override = override_text == "1" || override_text == "true";
  return call;
}

Result<Args> parse_args(std::string_view text) {
  Args args;
  std::optional<Error> wrong;
  const auto complain = [&](std::string_view key, const Error& why) {
    if (!wrong) {
      wrong = make_error(Code::kInvalidEnvironment, "CNI_ARGS {}: {}", key,
                         why.msg);
    }
  };
  each_arg(text, [&](std::string_view key, std::string_view value) {
    if (read_pod(args.pod, key, value) || value.empty()) return;
    if (key == "IP") {
      const Result<IpAddr> ip = parse_wanted(value);
      if (!ip) return complain(key, ip.error());
      args.ips.push_back(*ip);
    } else if (key == "MAC") {
      const Result<Mac> mac = Mac::parse(value);
      if (!mac) return complain(key, mac.error());
      args.mac = *mac;
    }
  });
  if (wrong) return *wrong;
  return args;
}

ipam::Pod pod_of(std::string_view args) {
  ipam::Pod pod;
  each_arg(args, [&](std::string_view key, std::string_view value) {
    (void)read_pod(pod, key, value);
  });
  return pod;
}

Result<ipam::Attachment> attachment_of(const Call& call) {
  Args args = TRY(parse_args(call.args));
  ipam::Attachment attachment{
      .key = call.key(),
      .pod = std::move(args.pod),
      .netns = call.netns,
      .wanted_ips = call.conf.ips.empty() ? args.ips : call.conf.ips,
      .wanted_mac = call.conf.mac ? call.conf.mac : args.mac,
      .wanted_mtu = call.conf.mtu,
      .bandwidth = call.conf.bandwidth,
      .port_mappings = call.conf.port_mappings};
  return attachment;
}

Result<netlink::NetNs> open_pod_netns(const Call& call) {
  Result<netlink::NetNs> pod = open_guarded(call);
  if (!pod && pod.error().code != Code::kPermission) {
    pod.error().code = Code::kInvalidNetns;
  }
  return pod;
}

std::optional<netlink::NetNs> live_pod_netns(const Call& call) {
  if (call.netns.empty()) return std::nullopt;
  Result<netlink::NetNs> pod = open_guarded(call);
  if (!pod) return std::nullopt;
  return std::move(*pod);
}

}  // namespace linsey::plugin
