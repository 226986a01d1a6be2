// What Linsey knows of the node's Kubernetes object. In the embedded default
// it is read from a file; later also from the API server. Same JSON shape as a
// Node object cut down to what is used:
//   {"metadata": {"name": "m1", "labels": {…}},
//    "spec": {"providerID": "…", "unschedulable": true},
//    "status": {"addresses": [{"type": "InternalIP", "address": "10.0.1.11"}]}}
// Unknown keys are ignored here, since a real Node object has many.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "conf/selector.h"

namespace linsey::conf {

struct Node {
  std::string name;
  std::string uid;
  Labels labels;
  std::string provider_id;
  std::vector<IpAddr> addresses;  // InternalIP ones, in the order given
  bool unschedulable = false;     // cordoned

  bool operator==(const Node&) const = default;
};

/// Errors: kDecode, kInvalidConfig naming the JSON pointer.
Result<Node> parse_node(std::string_view text);

}  // namespace linsey::conf
