#include "datapath/wire.h"

#include <algorithm>
#include <utility>

#include "base/crash_point.h"
#include "base/log.h"
#include "datapath/owner.h"
#include "datapath/shape.h"
#include "netlink/carrier.h"
#include "netlink/socket.h"

namespace linsey::datapath {
namespace {

using netlink::Apply;
using netlink::Batch;
using netlink::Link;
using netlink::Missing;
using netlink::NetNs;
using netlink::PeerSpec;
using netlink::Socket;

constexpr int kLoopbackIndex = 1;  // in every network namespace

bool has_v6(const Plan& plan) {
  return std::ranges::any_of(plan.pod.addresses, [](const auto& address) {
    return !address.cidr.addr().is_v4();
  });
}

Error exists(const std::string& name, const std::string& where,
             const std::string& why) {
  return make_error(Code::kInterfaceExists, "interface {} exists in {}{}", name,
                    where, why);
}

/// The bare pair, down, in the birth group, with the pod's end in the pod.
Result<Link> create_pair(Socket& host, const Plan& plan, const NetNs& pod) {
  std::optional<Link> link;
  TRY(host.run(Batch()
                   .add_link({.name = plan.host.name,
                              .kind = "veth",
                              .mac = plan.host.mac,
                              .mtu = plan.host.mtu,
                              .group = plan.birth_group,
                              .peer = PeerSpec{.name = plan.pod.name,
                                               .mac = plan.pod.mac,
                                               .netns_fd = pod.fd()}})
                   .read_link(plan.host.name, link)));
  if (!link) {
    return make_error(Code::kKernel, "link {} vanished while it was made",
                      plan.host.name);
  }
  return *std::move(link);
}

/// Removes the link of another sandbox of the same pod that holds our name.
/// Nothing is touched when the pod has the interface, or the link is foreign.
Result<std::optional<std::string>> make_way(Socket& host, Socket& inside,
                                            const Plan& plan) {
  if (TRY(inside.find_link(plan.pod.name))) {
    return exists(plan.pod.name, "the pod", "");
  }
  const auto link = TRY(host.find_link(plan.host.name));
  if (!link) return std::optional<std::string>();
  if (!owned_by_linsey(*link)) {
    return exists(plan.host.name, "the host",
                  fmt::format(" (alias \"{}\") and is not ours", link->alias));
  }
  TRY(take_down_link(host, *link));
  TRY(host.run(Batch().delete_link(link->index, Missing::kFine)));
  return std::optional(link->alias);
}

/// create_pair, and once more when somebody's remains stood in the way.
Result<Link> create(Socket& host, Socket& inside, const Plan& plan,
                    const NetNs& pod, std::optional<std::string>& taken_over) {
  Result<Link> link = create_pair(host, plan, pod);
  if (link || link.error().code != Code::kInterfaceExists) return link;
  taken_over = TRY(make_way(host, inside, plan));
  return create_pair(host, plan, pod);
}

Result<void> unmake(const Plan& plan, int index) {
  Socket host = TRY(Socket::open());
  Batch batch;
  for (const netlink::Rule& rule : plan.host.rules) {
    batch.delete_rule(rule, Missing::kFine);
  }
  batch.delete_link(index, Missing::kFine);
  if (plan.shaping.from_pod) {
    batch.delete_link(plan.shaping.ifb_name, Missing::kFine);
  }
  return host.run(batch);
}

/// Lets packets of the pod be forwarded: of this link alone where the kernel
/// can (6.17 and later), else somebody must have allowed it for all links.
Result<void> allow_ipv6_forwarding(const std::string& link) {
  const Result<std::string> all =
      netlink::get_sysctl("net/ipv6/conf/all/forwarding");
  if (all && *all == "1") return {};
  Result<void> done = netlink::set_sysctl(
      fmt::format("net/ipv6/conf/{}/force_forwarding", link), "1");
  if (done || done.error().code != Code::kKernelFeatureMissing) return done;
  return make_error(Code::kKernelFeatureMissing,
                    "IPv6 is not forwarded on this node, and the kernel has "
                    "no force_forwarding for single links; set "
                    "net.ipv6.conf.all.forwarding=1");
}

Result<void> dress_host(Socket& host, const Plan& plan, int index) {
  Batch batch;
  for (const netlink::Rule& rule : plan.host.rules) {
    // Left by an earlier holder of the address, it would lead elsewhere.
    netlink::Rule stale = rule;
    stale.priority = 0;
    stale.table = 0;
    batch.delete_rule(stale, Missing::kFine);
  }
  add_to(batch, plan.host, index, Apply::kExact);
  TRY(host.run(batch));
  if (has_v6(plan)) TRY(allow_ipv6_forwarding(plan.host.name));
  return shape(host, plan, index);
}

/// Some images and hosts boot with IPv6 disabled on new interfaces.
Result<void> enable_ipv6(const NetNs& pod, const std::string& ifname) {
  return set_sysctl_in(
      pod, fmt::format("net/ipv6/conf/{}/disable_ipv6", ifname), "0");
}

Result<void> dress_pod(Socket& inside, const Plan& plan, const NetNs& pod,
                       int index) {
  const auto fill = [&](Apply how) {
    Batch batch;
    batch.set_link(kLoopbackIndex, {.up = true});
    add_to(batch, plan.pod, index, how);
    return inside.run(batch);
  };
  Result<void> done = fill(Apply::kExact);
  // EACCES is the kernel's word for an interface without IPv6.
  if (done || done.error().code != Code::kPermission || !has_v6(plan)) {
    return done;
  }
  TRY(enable_ipv6(pod, plan.pod.name));
  return fill(Apply::kRepair);
}

/// An early pair had to guess the MTU.
Result<void> correct_mtu(Socket& host, Socket& inside, const Plan& plan,
                         const Link& link) {
  if (link.mtu == plan.host.mtu) return {};
  TRY(host.run(Batch().set_link(link.index, {.mtu = plan.host.mtu})));
  return inside.run(Batch().set_link(link.peer_index, {.mtu = plan.pod.mtu}));
}

bool same_pair(const Plan& one, const Plan& other) {
  return one.key == other.key && one.host.name == other.host.name &&
         one.pod.name == other.pod.name && one.pod.mac == other.pod.mac;
}

}  // namespace

EarlyPair EarlyPair::make(const ipam::Attachment& attachment,
                          const NetNs& pod) {
  EarlyPair early;
  Result<Plan> plan = plan_pair(attachment);
  Result<Socket> host = Socket::open();
  Result<Socket> inside = Socket::open_in(pod);
  if (!plan || !host || !inside) return early;
  early.plan_ = std::move(plan).value();
  Result<Link> link = create_pair(*host, early.plan_, pod);
  if (link) early.link_ = std::move(link).value();
  early.host_ = std::move(host).value();
  early.inside_ = std::move(inside).value();
  return early;
}

EarlyPair::EarlyPair(EarlyPair&& other) noexcept
    : host_(std::move(other.host_)),
      inside_(std::move(other.inside_)),
      link_(std::exchange(other.link_, std::nullopt)),
      plan_(std::move(other.plan_)) {}

EarlyPair& EarlyPair::operator=(EarlyPair&& other) noexcept {
  if (this != &other) {
    remove();
    host_ = std::move(other.host_);
    inside_ = std::move(other.inside_);
    link_ = std::exchange(other.link_, std::nullopt);
    plan_ = std::move(other.plan_);
  }
  return *this;
}

EarlyPair::~EarlyPair() {
  remove();
}

void EarlyPair::remove() {
  if (!link_) return;
  const Result<void> gone = unmake(plan_, link_->index);
  if (!gone) log::warn("remove an early pair: {}", to_string(gone.error()));
  link_.reset();
}

Result<Wired> wire(const Plan& plan, const NetNs& pod, Rollback& undo,
                   EarlyPair early) {
  if (early.link_ && !same_pair(early.plan_, plan)) early.remove();
  if (!early.host_) early.host_ = TRY(Socket::open());
  if (!early.inside_) early.inside_ = TRY(Socket::open_in(pod));
  Socket& host = *early.host_;
  Socket& inside = *early.inside_;
  Wired wired;
  const Link link =
      early.link_
          ? *early.link_
          : TRY(context(create(host, inside, plan, pod, wired.taken_over),
                        "wire the pod"));
  early.link_.reset();
  wired.host_index = link.index;
  wired.pod_index = link.peer_index;
  undo.add([plan, index = link.index] { return unmake(plan, index); });
  CRASH_POINT("wire.created");
  TRY(context(correct_mtu(host, inside, plan, link), "set the pair's MTU"));

  TRY(context(dress_host(host, plan, wired.host_index), "wire the host side"));
  CRASH_POINT("wire.host");
  TRY(context(dress_pod(inside, plan, pod, wired.pod_index),
              "wire the pod side"));
  CRASH_POINT("wire.pod");
  if (!TRY(netlink::settled_carrier(plan.host.name))) {
    return make_error(Code::kKernel, "link {} has no carrier", plan.host.name);
  }
  return wired;
}

Result<void> repair_host(const Plan& plan) {
  Socket host = TRY(Socket::open());
  const auto link = TRY(host.find_link(plan.host.name));
  if (!link || !owned_by(*link, plan.key)) {
    return make_error(Code::kStateMismatch, "host link {} {}", plan.host.name,
                      link ? "belongs to another sandbox" : "is missing");
  }
  Batch batch;
  add_to(batch, plan.host, link->index, Apply::kRepair);
  TRY(host.run(batch));
  if (has_v6(plan)) TRY(allow_ipv6_forwarding(plan.host.name));
  return shape(host, plan, link->index);
}

}  // namespace linsey::datapath
