// TestPod: a namespace and the calls that a runtime makes for it, by the
// shipped plugin.
#pragma once

#include <set>
#include <string>

#include "base/ip.h"
#include "base/process.h"
#include "ipam/types.h"
#include "netlink/netns.h"
#include "tests/support/agent_process.h"

namespace linsey::tests {

class TestPod {
 public:
  TestPod(const netlink::NetNs& host, const AgentProcess& agent,
          std::string id);

  /// Runs the plugin; "" for `crash_at` lets it live.
  Finished call(const std::string& verb, const std::string& crash_at) const;
  Finished add(const std::string& crash_at = "") const {
    return call("ADD", crash_at);
  }
  Finished del(const std::string& crash_at = "") const {
    return call("DEL", crash_at);
  }

  /// What the kernel shows inside.
  std::set<IpAddr> addresses() const;
  ipam::AttachmentKey key() const { return {"crash", id_, "eth0"}; }

 private:
  const netlink::NetNs& host_;
  const AgentProcess& agent_;
  std::string id_;
  netlink::NetNs ns_;
};

}  // namespace linsey::tests
