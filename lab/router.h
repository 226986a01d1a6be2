// Router: one reflector or top-of-rack switch of the data centre: a namespace
// on the fabric and a BIRD of its own. Its files lie in ROUTERS/NAME: a test
// may write bird.conf anew and `configure` through bird.ctl, to misbehave in
// ways that no knob foresees.
// Thread: one that lives as long as the lab (BIRD dies with it).
#pragma once

#include <string>
#include <utility>

#include "base/process.h"
#include "base/result.h"
#include "lab/in_namespace.h"
#include "lab/topology.h"
#include "netlink/netns.h"

namespace linsey::lab {

/// The configuration of a router's BIRD. Pure. With the nodes' own AS number a
/// router reflects; with another it is a top-of-rack switch, which also
/// forwards and makes itself the next hop.
std::string router_config(const Topology& topology, const RouterSpec& router);

/// What routers take: pod blocks of `family`, nothing else; "none" or
/// "where …".
std::string import_clause(const Topology& topology, Family family,
                          unsigned longest);

/// BIRD's symbols know no '-'.
std::string node_protocol(std::string node);

class Router {
 public:
  /// Plugs it into the bridge `bridge` of `fabric` and starts its BIRD.
  static Result<Router> start(const Topology& topology, const RouterSpec& spec,
                              const netlink::NetNs& fabric,
                              const std::string& directory);

  const netlink::NetNs& ns() const { return ns_; }
  pid_t bird_pid() const { return bird_.pid(); }
  std::string control_socket() const { return directory_ + "/bird.ctl"; }

 private:
  Router(netlink::NetNs ns, std::string directory)
      : ns_(std::move(ns)), directory_(std::move(directory)) {}
  Result<void> start_bird();

  netlink::NetNs ns_;
  std::string directory_;
  Child bird_;
};

}  // namespace linsey::lab
