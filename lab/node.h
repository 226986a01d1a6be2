// Node: one machine of the lab: a network namespace, a directory tree, the
// real agent with the manifest's rights, and beside it BIRD's container: the
// supervisor, which starts BIRD when the agent has written its configuration,
// and again when it died. On a node whose agent never writes one (cloud mode,
// quarantine) no BIRD runs.
// Thread: the world's (children die with the thread that started them).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/process.h"
#include "base/result.h"
#include "lab/in_namespace.h"
#include "lab/node_files.h"
#include "lab/topology.h"
#include "netlink/netns.h"

namespace linsey::lab {

class Node {
 public:
  /// The machine, powered on: namespace with lo up, forwarding as a plain
  /// distribution leaves it (off), no links. Files are the caller's.
  static Result<std::unique_ptr<Node>> create(const NodeSpec& spec,
                                              const NodePaths& paths);

  const NodeSpec& spec() const { return spec_; }
  const NodePaths& paths() const { return paths_; }
  const netlink::NetNs& ns() const { return ns_; }

  /// Starts `program` (linseyd); success when it runs already. Errors: kIo.
  Result<void> start_agent(const std::string& program);
  /// SIGTERM, or SIGKILL at once; returns when it is gone.
  void stop_agent(bool kill);
  /// Begins the quiet end of all children without waiting for it.
  void terminate() const;

  /// Starts BIRD's supervisor and looks after it.
  Result<void> supervise();

  pid_t agent_pid() { return agent_.alive() ? agent_.pid() : 0; }
  /// The supervisor's.
  pid_t bird_pid() { return bird_.alive() ? bird_.pid() : 0; }

  /// Enters a card; returns the name the kernel would give to its link: the
  /// first of eth0, eth1… that is free.
  std::string plug(const std::string& card);
  void unplug(const std::string& card);
  /// Link name -> card.
  const std::map<std::string, std::string>& cards() const { return cards_; }

 private:
  Node(NodeSpec spec, NodePaths paths, netlink::NetNs ns)
      : spec_(std::move(spec)), paths_(std::move(paths)), ns_(std::move(ns)) {}

  NodeSpec spec_;
  NodePaths paths_;
  netlink::NetNs ns_;
  Child agent_;
  Child bird_;
  std::string program_;  // linseyd, the supervisor of BIRD too
  std::map<std::string, std::string> cards_;
};

}  // namespace linsey::lab
