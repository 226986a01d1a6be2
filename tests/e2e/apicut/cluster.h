// Cluster: one node of an agent against an API server over HTTPS, with the
// shipped definitions and rights, and the real plugin for pods in namespaces.
#pragma once

#include <list>
#include <memory>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "base/process.h"
#include "kube/client.h"
#include "lab/api/http_front.h"
#include "lab/api/server.h"
#include "tests/support/agent_process.h"
#include "tests/support/netns.h"
#include "tests/support/temp_dir.h"

namespace linsey::tests {

inline constexpr char kNodePath[] = "/api/v1/nodes/m1";
inline constexpr char kPodPath[] = "/api/v1/namespaces/default/pods/";
inline constexpr char kNetworkPath[] = "/apis/linsey.dev/v1/nodenetworks/m1";
inline constexpr unsigned kWritesPerSecond = 5;

struct ClusterOptions {
  std::string pool = "10.64.0.0/16";
  int block_size = 26;
};

class Cluster {
 public:
  explicit Cluster(const netlink::NetNs& host, ClusterOptions options = {});

  lab::api::Server& api() { return server_; }
  AgentProcess& agent() { return *agent_; }

  /// The plugin, as a runtime calls it.
  Finished call(const std::string& verb, const std::string& pod);
  /// ADD, and the address that it gave.
  std::string add(const std::string& pod);
  /// A request of a pod that cannot be served, straight to the agent.
  void ask_in_vain(const std::string& pod) const;
  Json node_condition(const std::string& type);
  std::vector<Json> objects(const kube::Resource& type,
                            const std::string& ns = {});
  std::string metrics() const;
  /// The number behind a metric without labels; "?" when there is none.
  std::string metric(const std::string& name) const;
  /// Writes that reached the server.
  std::size_t writes();
  /// The most writes that arrive within one second from now on, until `done`.
  std::size_t busiest_second(const std::function<bool()>& done);

 private:
  void put_objects();
  void listen(const netlink::NetNs& host);

  const netlink::NetNs& host_;
  ClusterOptions options_;
  TempDir dir_;
  lab::api::Server server_{{.bookmark_every = std::chrono::seconds(1)}};
  lab::api::Identity identity_;
  std::unique_ptr<lab::api::HttpFront> front_;
  std::unique_ptr<AgentProcess> agent_;
  std::map<std::string, netlink::NetNs> pods_;
  std::map<std::string, Json> results_;
};

}  // namespace linsey::tests
