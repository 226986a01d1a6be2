// linsey: the CNI plugin, and under the name "loopback" the loopback plugin.
#include <malloc.h>

#include <cstring>
#include <string_view>
#include <utility>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/rollback.h"
#include "datapath/wire.h"
#include "plugin/check.h"
#include "plugin/cni.h"
#include "plugin/loopback.h"
#include "plugin/trace.h"
#include "plugin/verbs.h"

namespace linsey::plugin {
namespace {

/// ADD: ask the agent for an allocation, turn it into a plan, make it true.
Result<std::string> add(const Call& call) {
  const auto previous = TRY(previous_result(call));
  const netlink::NetNs pod = TRY(open_pod_netns(call));
  const ipam::Attachment attachment = TRY(attachment_of(call));
  rpc::Client agent = agent_for_add(call);
  Rollback undo;

  datapath::EarlyPair early;
  const rpc::Lease lease = TRY(agent.allocate(attachment, [&] {
    trace::mark("asked");
    early = datapath::EarlyPair::make(attachment, pod);
    trace::mark("paired");
    CRASH_POINT("plugin.early");
  }));
  trace::mark("allocated");
  // A second ADD is told the running pod's allocation, which must survive it.
  if (lease.is_new) {
    undo.add([&] {
      return agent.release({.key = attachment.key, .pod = attachment.pod});
    });
  }
  CRASH_POINT("plugin.allocated");
  const datapath::Plan plan =
      TRY(datapath::make_plan(attachment, lease.allocation));
  const datapath::Wired wired =
      TRY(datapath::wire(plan, pod, undo, std::move(early)));
  trace::mark("wired");
  CRASH_POINT("plugin.wired");
  std::string result = TRY(make_result(plan, call, previous));
  undo.commit();
  if (wired.taken_over) release_displaced(agent, call, *wired.taken_over);
  return result;
}

/// DEL: take the path down, then have the address given back. Neither the pod's
/// namespace nor the agent is needed.
Result<void> del(const Call& call) {
  const ipam::Pod pod = pod_of(call.args);
  rpc::ReleaseRequest request{.key = call.key(), .pod = pod};
  const Result<datapath::TakenDown> down =
      datapath::take_down(request.key, pod);
  trace::mark("down");
  CRASH_POINT("plugin.down");
  if (down) {
    request.link_index = down->link_index;
    request.link_name = down->link_name;
    request.path_down = true;
    request.addresses = down->addresses;
  } else {
    log::warn("DEL {}: {}", call.container_id, to_string(down.error()));
  }
  const Result<void> released = agent_for_del(call).release(request);
  trace::mark("released");
  if (released) return {};
  log::warn("DEL {}: {}; leaving a note", call.container_id,
            to_string(released.error()));
  return release_alone(call, pod);
}

/// CHECK: what the agent holds must stand in the kernel, and what the runtime
/// was told must be true.
Result<void> check(const Call& call) {
  const auto previous = TRY(previous_result(call));
  if (!previous) {
    return make_error(Code::kInvalidNetworkConfig,
                      "CHECK needs prevResult; the runtime must pass it");
  }
  const netlink::NetNs pod = TRY(open_pod_netns(call));
  const ipam::Held held = TRY(held_of(call));
  trace::mark("held");
  const datapath::Plan plan =
      TRY(datapath::make_plan(held.attachment, held.allocation));
  const datapath::Checked checked =
      TRY(datapath::check(plan, pod, families_in(*previous)));
  trace::mark("looked");
  ErrorList wrong;
  for (const std::string& difference : checked.differences) {
    wrong.add(Error{Code::kStateMismatch, difference, {}});
  }
  wrong.add(compare(*previous, call, checked.pod, plan));
  trace::mark("compared");
  return wrong.result();
}

/// GC: the agent releases what the runtime does not list. No list, no action.
Result<void> gc(const Call& call) {
  if (!call.conf.valid_attachments) return {};
  rpc::GcRequest request{.network = call.conf.name};
  for (const conf::ValidAttachment& valid : *call.conf.valid_attachments) {
    request.keep.push_back({valid.container_id, valid.ifname});
  }
  TRY(agent_for_add(call).gc(request));
  return {};
}

/// STATUS: could an ADD be served now?
Result<void> status(const Call& call) {
  const Result<rpc::Status> status = agent_for_status(call).status();
  if (!status) return not_available(status.error());
  if (status->ready) return {};
  return not_available(status->why);
}

constexpr Program kLinsey{
    .about = "linsey " LINSEY_VERSION
             ": pods of hybrid clusters, routed by BGP or on shared ENIs",
    .wishes = conf::Wishes::kRead,
    .add = add,
    .del = del,
    .check = check,
    .gc = gc,
    .status = status,
};

}  // namespace
}  // namespace linsey::plugin

int main(int, char** argv) {
  // It lives a millisecond: memory is taken in one step and not handed back.
  (void)mallopt(M_TOP_PAD, 512 << 10);
  (void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
  const char* slash = std::strrchr(argv[0], '/');
  const std::string_view name = slash == nullptr ? argv[0] : slash + 1;
  return linsey::plugin::serve(name == "loopback"
                                   ? linsey::plugin::loopback_program()
                                   : linsey::plugin::kLinsey);
}
