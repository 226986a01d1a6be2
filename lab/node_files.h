// What a node has on its disk before anything of Linsey runs there: the files
// that the cluster, the firmware and the operator would have put. Pure text
// plus one function that writes it.
#pragma once

#include <string>

#include "base/result.h"
#include "lab/topology.h"

namespace linsey::lab {

/// Where a node's things are; one directory tree for each node.
struct NodePaths {
  std::string root;

  std::string run() const { return root + "/run"; }
  std::string state() const { return root + "/state"; }
  std::string notes() const { return state() + "/notes"; }
  std::string socket() const { return run() + "/agent.sock"; }
  std::string bird_dir() const { return run() + "/bird"; }
  std::string bird_config() const { return bird_dir() + "/bird.conf"; }
  std::string bird_socket() const { return bird_dir() + "/bird.ctl"; }
  std::string etc() const { return root + "/etc"; }
  std::string agent_json() const { return etc() + "/agent.json"; }
  std::string node_json() const { return etc() + "/node.json"; }
  std::string product_name() const { return etc() + "/product_name"; }
  std::string conflist() const { return etc() + "/10-linsey.conflist"; }
  std::string published_conflist() const {
    return cni_conf() + "/10-linsey.conflist";
  }
  std::string cni_conf() const { return root + "/cni/net.d"; }
  std::string cni_bin() const { return root + "/cni/bin"; }
  std::string cni_cache() const { return root + "/cni/cache"; }
  std::string log(const std::string& who) const {
    return root + "/" + who + ".log";
  }
};

/// The agent's configuration: what the topology knows, with its `agent` laid
/// over it. Errors: kInvalidConfig.
Result<std::string> agent_json(const Topology& topology, const NodeSpec& node,
                               const NodePaths& paths);

/// The node's Kubernetes object.
std::string node_json(const NodeSpec& node);

/// Makes the tree and its files. `conflist` is the shipped list; the paths of
/// the plugin's sockets and notes are put in, and the agent publishes it.
/// `plugin` is linked into the binary directory as `linsey` and `loopback`.
Result<void> write_node_files(const Topology& topology, const NodeSpec& node,
                              const NodePaths& paths,
                              const std::string& conflist,
                              const std::string& plugin);

}  // namespace linsey::lab
