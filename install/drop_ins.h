// Small files that keep the host's own network software off our links.
//
// NetworkManager takes unknown links under its wing; systemd-networkd removes
// "foreign" rules and routes when it restarts, with them every cloud pod's
// path; udev gives new links another MAC and another name. Each gets one file
// of ours in its own directory, where its package has such a directory.
#pragma once

#include <string>
#include <vector>

namespace linsey::install {

struct DropIn {
  std::string software;  // "NetworkManager", "systemd-networkd", "udev"
  std::string needs;     // a directory; without it the software is not there
  std::string path;
  std::string content;
  std::string apply;  // how a running system takes it over
};

/// `unmanaged`: name patterns of further links that only Linsey may touch, as
/// the pods' ENIs ("eth[1-9]").
std::vector<DropIn> drop_ins(const std::vector<std::string>& unmanaged);

}  // namespace linsey::install
