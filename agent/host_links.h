// HostLinks: the host's links as the agent's loop sees them. It takes paths
// down and has links deleted, and knows when they are gone.
//
// An ADD makes several link events, and reading them would delay its answer
// where the agent and the plugin share a processor, and being woken for them
// costs the plugin, which makes them, where they do not: while nobody waits for
// a link to go, events are left alone for kGather and read together.
//
// Gone means gone from view: the kernel's RTM_DELLINK event, ~0.6 ms after the
// request, and not its acknowledgement ~25 ms later (netlink/reaper.h). All
// links taken down in one turn of the loop share one group delete. Nothing
// here enters a pod: CAP_NET_ADMIN in the host's namespace is enough.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/loop.h"
#include "agent/service_types.h"
#include "base/result.h"
#include "datapath/wire.h"
#include "netlink/monitor.h"
#include "netlink/reaper.h"
#include "netlink/socket.h"

namespace linsey::agent {

class HostLinks {
 public:
  /// In the namespace of the calling thread. Errors: kKernel, kPermission.
  static Result<std::unique_ptr<HostLinks>> start(Loop& loop);
  ~HostLinks();
  HostLinks(const HostLinks&) = delete;
  HostLinks& operator=(const HostLinks&) = delete;

  /// Makes sure that no path to the attachment stands and that its link is
  /// gone, then calls `done` from the loop. Errors told: kKernel, kPermission,
  /// kTimeout when the link is still there after 5 s.
  void take_down(const Teardown& teardown, TeardownDone done);
  /// The same for a link that datapath::find_ours listed.
  void take_down(const datapath::OurLink& link, TeardownDone done);

  /// Links are about to change by our own doing: no need to wake for it.
  void leave_events_alone();

  /// Called for each link and rule event of the kernel, and for a Resync.
  void set_on_event(netlink::Monitor::Callback callback);

 private:
  struct Dying {
    std::vector<IpAddr> seen;
    std::vector<TeardownDone> done;
    Loop::TimerId deadline = 0;
  };

  HostLinks(Loop& loop, netlink::Socket socket, netlink::LinkReaper reaper);
  Result<datapath::TakenDown> make_sure(const Teardown& teardown);
  void wait_for(const datapath::TakenDown& taken, TeardownDone done);
  void reap();
  void on_event(const netlink::Event& event);
  void on_readable();
  void read_events();
  void listen_again();
  void look_at_all();
  bool is_gone(int link_index);
  void gone(int link_index);
  void look_again(int link_index, const Error& why);
  void fail_all(const Error& error);

  Loop& loop_;
  netlink::Socket socket_;
  std::unique_ptr<netlink::Monitor> monitor_;
  netlink::Monitor::Callback callback_;
  std::map<int, Dying> dying_;
  Loop::TimerId gathering_ = 0;  // events are not watched while it is set
  bool reap_posted_ = false;
  /// Posts of reaper threads outlive nothing: they look at this first.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  netlink::LinkReaper reaper_;  // last: its threads end first
};

}  // namespace linsey::agent
