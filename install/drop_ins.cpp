#include "install/drop_ins.h"

#include <string_view>

#include <fmt/core.h>

namespace linsey::install {
namespace {

constexpr char kHead[] =
    "# Written by linsey-install; uninstall removes it. Links of pods belong\n"
    "# to Linsey.\n";

/// cali… of eth0, lin… of further interfaces, lfb… of shaped pods.
std::vector<std::string> patterns(const std::vector<std::string>& unmanaged) {
  std::vector<std::string> all = {"cali???????????", "lin????????????",
                                  "lfb????????????"};
  all.insert(all.end(), unmanaged.begin(), unmanaged.end());
  return all;
}

std::string joined(const std::vector<std::string>& parts,
                   std::string_view prefix, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += separator;
    out += fmt::format("{}{}", prefix, part);
  }
  return out;
}

}  // namespace

std::vector<DropIn> drop_ins(const std::vector<std::string>& unmanaged) {
  const std::vector<std::string> links = patterns(unmanaged);
  return {
      {"NetworkManager", "/etc/NetworkManager",
       "/etc/NetworkManager/conf.d/90-linsey.conf",
       fmt::format("{}[keyfile]\nunmanaged-devices+={}\n", kHead,
                   joined(links, "interface-name:", ";")),
       "nmcli general reload conf"},
      {"systemd-networkd", "/etc/systemd",
       "/etc/systemd/network/00-linsey.network",
       fmt::format("{}[Match]\nName={}\n\n[Link]\nUnmanaged=yes\n", kHead,
                   joined(links, "", " ")),
       "networkctl reload"},
      {"systemd-networkd", "/etc/systemd",
       "/etc/systemd/networkd.conf.d/90-linsey.conf",
       fmt::format("{}[Network]\nManageForeignRoutes=no\n"
                   "ManageForeignRoutingPolicyRules=no\n",
                   kHead),
       "systemctl restart systemd-networkd"},
      {"udev", "/etc/systemd", "/etc/systemd/network/00-linsey.link",
       fmt::format("{}[Match]\nOriginalName={}\n\n[Link]\nNamePolicy=keep\n"
                   "MACAddressPolicy=none\n",
                   kHead, joined(patterns({}), "", " ")),
       "udevadm control --reload"},
  };
}

}  // namespace linsey::install
