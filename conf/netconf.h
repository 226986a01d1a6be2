// What the runtime hands the plugin on stdin: the network configuration of one
// plugin of the list, completed by libcni. Tolerant: keys are matched without
// regard to case as Go's decoders do (containerd writes capability keys
// capitalised), unknown keys are ignored, `capabilities` is ignored.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/ip.h"
#include "base/result.h"
#include "ipam/types.h"

namespace linsey::conf {

/// One entry of cni.dev/valid-attachments (GC).
struct ValidAttachment {
  std::string container_id;
  std::string ifname;
};

struct NetConf {
  std::string cni_version;  // "" and absent read as "0.1.0"
  std::string name;
  std::string type;

  // Ours, set by the operator in the conflist.
  std::string agent_socket = "/run/linsey/agent.sock";
  std::string notes_dir = "/var/lib/linsey/notes";
  std::optional<std::uint32_t> mtu;
  std::chrono::nanoseconds agent_wait = std::chrono::seconds(10);
  std::string log_file;  // empty: stderr
  std::string log_level = "warn";

  // From runtimeConfig and args.
  ipam::Bandwidth bandwidth;
  std::vector<ipam::PortMapping> port_mappings;
  std::vector<IpAddr> ips;
  std::optional<Mac> mac;

  // GC: nullopt when neither key is present (do nothing destructive); an empty
  // list when it was null or [] (everything is stale).
  std::optional<std::vector<ValidAttachment>> valid_attachments;

  // Raw, as given; nullptr when absent or null.
  std::shared_ptr<const nlohmann::json> prev_result;
};

/// kIgnore: for the verbs that only take away. What the operator or the runtime
/// wishes for an interface is not read, wrong values of our own keys leave the
/// default: a DEL must work with whatever the configuration has become.
enum class Wishes : std::uint8_t { kRead, kIgnore };

/// Errors: kDecode for what cannot be decoded, kInvalidNetworkConfig for a
/// missing or bad name and values out of range.
Result<NetConf> parse_netconf(std::string_view text,
                              Wishes wishes = Wishes::kRead);

}  // namespace linsey::conf
