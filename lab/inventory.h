// Inventory: everything a lab put on this machine, kept on disk while it runs,
// and the proof that none of it is left. Namespaces are told apart by their
// cookie (never reused), since the kernel gives inode numbers out again.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "netlink/netns.h"

namespace linsey::lab {

struct NamespaceId {
  std::uint64_t inode = 0;
  std::uint64_t cookie = 0;

  bool operator==(const NamespaceId&) const = default;
};

/// Errors: kKernel.
Result<NamespaceId> identify(const netlink::NetNs& ns);

struct Inventory {
  std::string name;
  std::string directory;
  std::map<std::string, NamespaceId> namespaces;
  std::map<std::string, pid_t> processes;
  std::vector<std::string> host_links;  // of the host, before the lab began
};

std::string to_json(const Inventory& inventory);
Result<Inventory> parse_inventory(std::string_view text);

/// Names of the links in the caller's own namespace.
std::vector<std::string> host_links();

struct Proof {
  std::vector<std::string> looked_at;  // one line each, with counts
  std::vector<std::string> left;       // empty: nothing is left

  bool clean() const { return left.empty(); }
};

/// Looks at all processes, their namespaces and descriptors, at mounts, at
/// the host's links and at the directory. Cost: one walk through /proc.
Proof prove_gone(const Inventory& inventory);

}  // namespace linsey::lab
