// Host: where things lie on the node that is installed to or cleaned.
//
// `root` is put before every path, so that the same program works on the host
// itself (""), in an init container that sees the host under /host, and in
// tests on a tree of their own. Kubernetes distributions keep the runtime's
// CNI directories elsewhere; a flavor names the pair, and single paths can be
// given. Detection looks for the distribution's own directory, which is there
// before any CNI plugin is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace linsey::install {

struct Host {
  std::string root;  // "" or "/host", no slash at the end
  std::string bin_dir = "/opt/cni/bin";
  std::string conf_dir = "/etc/cni/net.d";
  std::string conflist = "10-linsey.conflist";  // the agent publishes it
  std::string state_dir = "/var/lib/linsey";
  std::string run_dir = "/run/linsey";
  std::string config_dir = "/etc/linsey";

  std::string at(const std::string& path) const { return root + path; }
  std::string record_file() const { return state_dir + "/install.json"; }
  std::string kept_dir() const { return state_dir + "/set-aside"; }
};

/// "plain", "k3s", "rke2", "k0s", "microk8s", or "auto", which looks. Sets
/// bin_dir and conf_dir. Errors: kInvalidConfig for another word.
Result<void> set_flavor(Host& host, std::string_view flavor);
std::vector<std::string_view> flavors();

/// Takes cni.binDir, cni.confDir, cni.conflist, stateDir and runDir of an
/// agent's configuration. Errors: those of reading it.
Result<void> take_from_config(Host& host, const std::string& file);

}  // namespace linsey::install
