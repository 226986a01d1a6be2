// Call: one run of the plugin as the runtime asked for it, read from the
// environment and stdin and checked before anything is touched.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "conf/netconf.h"
#include "ipam/types.h"
#include "netlink/netns.h"
#include "plugin/version.h"

namespace linsey::plugin {

struct Call {
  Verb verb = Verb::kStatus;
  std::string container_id;
  std::string netns;
  std::string ifname;
  std::string args;             // CNI_ARGS, unread
  bool netns_override = false;  // CNI_NETNS_OVERRIDE: the host's own is meant
  conf::NetConf conf;
  Version version = kNewest;

  ipam::AttachmentKey key() const { return {conf.name, container_id, ifname}; }
};

/// Reads the CNI_* variables that `verb` needs. Errors: kInvalidEnvironment
/// naming all that are missing in one message, or the one that is malformed.
Result<Call> read_environment(Verb verb);

/// What CNI_ARGS says of the pod. Tolerant: keys that are not ours, parts
/// without "=" and empty values are ignored. Errors: kInvalidEnvironment for an
/// IP or MAC that is none.
struct Args {
  ipam::Pod pod;
  std::vector<IpAddr> ips;
  std::optional<Mac> mac;
};
Result<Args> parse_args(std::string_view text);
/// The pod alone, which cannot fail: for the verbs that take away.
ipam::Pod pod_of(std::string_view args);

/// What the runtime asks for: CNI_ARGS, beaten by runtimeConfig, beaten by
/// args.cni. Errors: as parse_args.
Result<ipam::Attachment> attachment_of(const Call& call);

/// The pod's namespace. Errors: kInvalidNetns when CNI_NETNS is none, or is
/// our own without CNI_NETNS_OVERRIDE: a path that a host process reused must
/// never have the host's links changed.
Result<netlink::NetNs> open_pod_netns(const Call& call);
/// For DEL: nullopt where open_pod_netns fails, as nothing is left to be done
/// there.
std::optional<netlink::NetNs> live_pod_netns(const Call& call);

}  // namespace linsey::plugin
