// CniRunner: the container runtime's half of CNI, as the specification and
// libcni have it: finds the first list of the configuration directory, picks
// the newest version both sides speak, runs the chain forwards on ADD and
// CHECK and backwards on DEL, hands each plugin name, version, prevResult and
// the capabilities it asked for, and keeps results in a cache of its own.
// As containerd does, `lo` is added first by a loopback list of our own, and a
// failed ADD is followed by a DEL without prevResult.
//
// It knows nothing of Linsey: any plugin in `bin_dir` can be driven by it.
// Thread: any; no state but the files. Two calls for one container at a time
// are the caller's fault, as in the specification.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace linsey::lab {

/// Where a node's runtime looks.
struct CniHost {
  std::string conf_dir;
  std::string bin_dir;
  std::string cache_dir;
  int netns_fd = -1;  // the node's; plugins are started in it
  std::chrono::milliseconds timeout{60000};
};

struct Sandbox {
  std::string container_id;
  std::string netns;  // a path; may be empty on DEL
  std::string ifname = "eth0";
  std::string name_space;
  std::string name;
  std::string uid;
  std::string capabilities = "{}";  // JSON: capability -> value
};

struct Attached {
  std::vector<Cidr> addresses;  // of the result
  std::string result;           // JSON text, as the last plugin gave it
};

class CniRunner {
 public:
  explicit CniRunner(CniHost host) : host_(std::move(host)) {}

  /// Errors: the plugin's own code where it is one of ours, with the plugin's
  /// message; kInvalidNetworkConfig when there is no usable list;
  /// kChainPluginMissing.
  Result<Attached> add(const Sandbox& sandbox) const;
  /// Removes the cached result only when every plugin succeeded.
  Result<void> del(const Sandbox& sandbox) const;
  Result<void> check(const Sandbox& sandbox) const;
  /// `keep`: what is still valid.
  Result<void> gc(const std::vector<Sandbox>& keep) const;
  Result<void> status() const;

 private:
  struct List;
  struct Call;

  Result<List> load() const;
  Result<std::string> run_plugin(const List& list, const Call& call) const;
  Result<std::string> run_chain(const List& list, const Sandbox& sandbox,
                                std::string_view verb) const;
  std::string cache_file(const List& list, const Sandbox& sandbox) const;

  CniHost host_;
};

}  // namespace linsey::lab
