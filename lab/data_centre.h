// DataCentre: one switch namespace with a bridge for the bare-metal nodes, a
// BIRD that reflects routes between them (and learns them itself, so that the
// switch can forward to pods), and the leased line to the VPC: a veth pair
// with a token bucket on both ends.
#pragma once

#include <map>
#include <string>

#include "base/process.h"
#include "base/result.h"
#include "lab/in_namespace.h"
#include "lab/router.h"
#include "lab/topology.h"
#include "netlink/netns.h"

namespace linsey::lab {

class DataCentreNetwork {
 public:
  /// Builds the switch and joins it to the VPC's router by the line. The
  /// reflector is started with its files in `directory`.
  /// Thread: one that lives as long as the lab (BIRD dies with it).
  static Result<DataCentreNetwork> build(const Topology& topology,
                                         const netlink::NetNs& vpc_router,
                                         const std::string& directory);

  const netlink::NetNs& ns() const { return ns_; }
  /// The switch's own BIRD; below 1 when there are routers instead.
  pid_t bird_pid() const { return bird_.pid(); }
  const std::map<std::string, Router>& routers() const { return routers_; }

  /// Plugs a node in; its end is eth0 there, up, with address and default
  /// route.
  Result<void> attach(const NodeSpec& node, const netlink::NetNs& node_ns);

  /// Pulls it out again.
  Result<void> detach(const std::string& node);

  /// Cuts the line (packets die on both ends), or mends it.
  Result<void> cut_line(bool cut);

  /// A router drops every packet to and from itself and tells nobody (its link
  /// stays up), or speaks again. Errors: kInvalidConfig.
  Result<void> silence(const std::string& router, bool silent);

  /// A command of birdc for the reflector, or the first router ("show route").
  Result<std::string> birdc(const std::string& command) const;

 private:
  DataCentreNetwork(const Topology& topology, netlink::NetNs ns,
                    std::string directory)
      : topology_(&topology),
        ns_(std::move(ns)),
        directory_(std::move(directory)) {}
  Result<void> start_reflector();

  const Topology* topology_;
  netlink::NetNs ns_;
  std::string directory_;
  Child bird_;
  std::map<std::string, Router> routers_;
};

/// The reflector's configuration. Pure.
std::string reflector_config(const Topology& topology);

}  // namespace linsey::lab
