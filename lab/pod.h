// Pod: a network namespace that a runtime would have made, with the record of
// what the chain gave it. No process runs in it.
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "base/ip.h"
#include "lab/cni_runner.h"
#include "lab/in_namespace.h"
#include "netlink/netns.h"

namespace linsey::lab {

struct PodId {
  std::string node;
  std::string name_space = "default";
  std::string name;

  auto operator<=>(const PodId&) const = default;
  std::string to_string() const {
    return fmt::format("{}/{} on {}", name_space, name, node);
  }
};

struct Pod {
  netlink::NetNs ns;
  std::string container_id;
  std::string capabilities = "{}";  // JSON
  bool busy = true;                 // a plugin runs for it
  Attached attached;

  Sandbox sandbox(const PodId& id) const {
    Sandbox out;
    out.container_id = container_id;
    out.netns = ns.path();
    out.name_space = id.name_space;
    out.name = id.name;
    out.uid = "uid-" + container_id.substr(0, 12);
    out.capabilities = capabilities;
    return out;
  }
};

}  // namespace linsey::lab
