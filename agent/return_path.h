// ReturnPath: what came in by the primary interface for a pod is answered by
// the primary interface (NodePort, hostPort; table inet linsey_return).
//
// A pod's packets leave by its ENI. But a client that called the node's own
// address must be answered from that address, which the VPC lets pass by the
// primary interface alone: by the ENI the answer is dropped as forged. So the
// connection gets a mark where it comes in, before kube-proxy or we turn its
// destination into the pod's; answers of marked connections carry the mark,
// and a rule before the pod's own leads them to table main. The primary link
// forwards, and its rp_filter becomes loose where it is strict: the way back to
// the client is looked up as the pod's and so points to the ENI. Rejected:
// masquerading what comes in, since pods then never see a client's address.
// Thread: the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/loop.h"
#include "base/fd.h"
#include "base/result.h"
#include "netlink/monitor.h"
#include "netlink/nft.h"
#include "netlink/socket.h"

namespace linsey::agent {

struct ReturnWay {
  std::string primary;           // name of the primary link
  std::uint32_t mark = 0;        // one bit; 0: none of all this
  std::uint32_t priority = 0;    // of the rule
  std::string record_file = {};  // where earlier settings are noted

  bool operator==(const ReturnWay&) const = default;
};

/// The script that makes the table so, whatever it was; pure.
std::string return_script(const ReturnWay& way);

class ReturnPath {
 public:
  /// In the namespace of the calling thread. `on_repair` is called when
  /// something of it was removed by others and is there again. Errors: kKernel.
  static Result<std::unique_ptr<ReturnPath>> start(
      Loop& loop, std::function<void()> on_repair);
  ~ReturnPath();
  ReturnPath(const ReturnPath&) = delete;
  ReturnPath& operator=(const ReturnPath&) = delete;

  /// Makes it so. Cost: nothing when asked for the same again; what others
  /// take away is put back by events. Errors: kKernel, kPermission,
  /// kKernelFeatureMissing; it is tried again at the next call.
  Result<void> set(const ReturnWay& way);

 private:
  ReturnPath(Loop& loop, netlink::Socket socket, UniqueFd tables);
  Result<void> apply(const ReturnWay& way);
  Result<void> set_rules(const ReturnWay& way);
  Result<void> open_link(const ReturnWay& way);
  Result<std::string> table() const;
  void suspect();
  void look();

  Loop& loop_;
  netlink::Socket socket_;
  UniqueFd tables_;  // nftables' own events
  std::unique_ptr<netlink::Monitor> rules_;
  std::function<void()> on_repair_;
  mutable std::optional<netlink::Nft> nft_;
  std::optional<ReturnWay> way_;
  std::string wanted_;  // the table as nft lists it
  Loop::TimerId timer_ = 0;
};

}  // namespace linsey::agent
