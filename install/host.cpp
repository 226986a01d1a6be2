#include "install/host.h"

#include <algorithm>
#include <array>

#include "base/file.h"
#include "conf/agent_config.h"

namespace linsey::install {
namespace {

struct Flavor {
  std::string_view name;
  std::string_view sign;  // a directory that only this one has
  std::string_view bin_dir;
  std::string_view conf_dir;
};

constexpr auto kFlavors = std::to_array<Flavor>({
    {"k3s", "/var/lib/rancher/k3s/agent", "/var/lib/rancher/k3s/data/cni",
     "/var/lib/rancher/k3s/agent/etc/cni/net.d"},
    {"rke2", "/var/lib/rancher/rke2", "/opt/cni/bin", "/etc/cni/net.d"},
    {"k0s", "/var/lib/k0s", "/opt/cni/bin", "/etc/cni/net.d"},
    {"microk8s", "/var/snap/microk8s/current",
     "/var/snap/microk8s/current/opt/cni/bin",
     "/var/snap/microk8s/current/args/cni-network"},
    {"plain", "", "/opt/cni/bin", "/etc/cni/net.d"},
});

}  // namespace

std::vector<std::string_view> flavors() {
  std::vector<std::string_view> names = {"auto"};
  for (const Flavor& flavor : kFlavors) {
    names.push_back(flavor.name);
  }
  return names;
}

Result<void> set_flavor(Host& host, std::string_view flavor) {
  const auto* const found =
      std::ranges::find_if(kFlavors, [&](const Flavor& one) {
        if (flavor != "auto") return one.name == flavor;
        return one.sign.empty() || path_exists(host.at(std::string(one.sign)));
      });
  if (found == kFlavors.end()) {
    return make_error(Code::kInvalidConfig,
                      "--flavor: \"{}\" is not known; write one of auto, "
                      "plain, k3s, rke2, k0s, microk8s",
                      flavor);
  }
  host.bin_dir = found->bin_dir;
  host.conf_dir = found->conf_dir;
  return {};
}

Result<void> take_from_config(Host& host, const std::string& file) {
  const conf::AgentConfig config =
      TRY(context(conf::parse_agent_config(TRY(read_file(file))), "{}", file));
  if (!config.cni.bin_dir.empty()) host.bin_dir = config.cni.bin_dir;
  if (!config.cni.conf_dir.empty()) host.conf_dir = config.cni.conf_dir;
  host.conflist = config.cni.conflist;
  host.state_dir = config.state_dir;
  host.run_dir = config.run_dir;
  return {};
}

}  // namespace linsey::install
