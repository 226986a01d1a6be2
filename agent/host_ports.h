// HostPorts: the `portMappings` of pods, kept in one nftables table of ours
// (inet linsey_hostports).
//
// Both families, hostIP, tcp, udp and sctp; a pod reaches its own host port
// (hairpin) and the node itself reaches it by 127.0.0.1. The table is rendered
// whole from what is open and swapped in one transaction, so it can neither be
// half there nor drift; it is absent while no port is open. A port is opened
// before the ADD is answered and closed before the address is given back.
// In eni mode answers find the way back through agent/return_path. ::1 cannot
// be mapped: the kernel does not route it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "ipam/types.h"

namespace linsey::agent {

/// One open port: a mapping for one address of a pod.
struct OpenPort {
  ipam::PortMapping mapping;
  IpAddr pod;
  std::string link;  // the pod's host link

  bool operator==(const OpenPort&) const = default;
};

/// The script that makes the table what `open` says, whatever it was; pure.
std::string host_port_script(const std::vector<OpenPort>& open);

class HostPorts {
 public:
  /// `run` carries out a script (netlink::Nft::run).
  explicit HostPorts(std::function<Result<void>(const std::string&)> run);

  /// At the start: opens what is held and nothing else. Errors: those of run.
  Result<void> restore(const std::map<ipam::AttachmentKey, ipam::Held>& held);
  /// Opens the ports of an attachment, all or none. Errors: kHostPortTaken
  /// naming the holder; those of run.
  Result<void> open(const ipam::Held& held);
  /// Closes them; a key without any is success. Errors: those of run; they
  /// stay open then.
  Result<void> close(const ipam::AttachmentKey& key);

  std::size_t count() const;

 private:
  using Open = std::map<ipam::AttachmentKey, std::vector<OpenPort>>;
  Result<void> check(const ipam::AttachmentKey& key,
                     const std::vector<OpenPort>& ports) const;
  Result<void> apply(const Open& open) const;

  std::function<Result<void>(const std::string&)> run_;
  Open open_;
};

}  // namespace linsey::agent
