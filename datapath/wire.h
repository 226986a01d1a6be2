// wire and its opposites: a plan made true, checked, taken away.
//
// All calls work on the host namespace of the calling thread. What is ours in
// the kernel carries a mark: the alias "linsey:CONTAINER:IFNAME" on links
// (before that is set, the birth group), protocol 80 on rules and routes. What
// does not carry our mark is never removed. DEL has two halves: take_down,
// after which no packet can reach the pod, and the removal of the link, which
// the kernel is slow at and the agent does (netlink/reaper.h).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/rollback.h"
#include "datapath/plan.h"
#include "netlink/desired.h"
#include "netlink/netns.h"
#include "netlink/socket.h"

namespace linsey::datapath {

struct Wired {
  int host_index = 0;
  int pod_index = 0;
  /// Alias of another sandbox's link of the same pod that had to go first.
  std::optional<std::string> taken_over = {};
};

/// The bare pair of a pod's interface, made before it is known what the pod
/// gets: a third of an ADD's kernel work does not depend on the allocation and
/// runs while the agent works on it. It is down, in the birth group, without
/// addresses and routes, so nothing can pass. Where something stands in the
/// way it is empty, and wire() says what. Unless wire() took it, it is removed
/// with the object.
class EarlyPair {
 public:
  EarlyPair() = default;
  /// Never fails: what cannot be made early is made, or told, by wire().
  static EarlyPair make(const ipam::Attachment& attachment,
                        const netlink::NetNs& pod);
  EarlyPair(EarlyPair&& other) noexcept;
  EarlyPair& operator=(EarlyPair&& other) noexcept;
  ~EarlyPair();

 private:
  friend Result<Wired> wire(const Plan& plan, const netlink::NetNs& pod,
                            Rollback& undo, EarlyPair early);
  void remove();

  std::optional<netlink::Socket> host_;
  std::optional<netlink::Socket> inside_;
  std::optional<netlink::Link> link_;  // the host's end
  Plan plan_;                          // of the pair alone
};

/// Makes the plan true; `undo` gets the steps that unmake it. Errors:
/// kInterfaceExists with nothing changed when the pod has the interface, or
/// the host a link of that name which is not ours; kInvalidNetns;
/// kKernelFeatureMissing; kKernel naming the step.
Result<Wired> wire(const Plan& plan, const netlink::NetNs& pod, Rollback& undo,
                   EarlyPair early = {});

/// A path compared with its plan.
struct Checked {
  /// One sentence each; empty: all as planned. Routes that others added and
  /// another MTU are no difference.
  std::vector<std::string> differences;
  std::optional<netlink::Observed> pod;  // nullopt: no such link
};

/// Reads both ends. `whole`: families whose addresses and routes `pod` is to
/// have all, whoever made them. Errors: kKernel, kInvalidNetns.
Result<Checked> check(const Plan& plan, const netlink::NetNs& pod,
                      const std::set<Family>& whole = {});
/// The differences alone.
Result<std::vector<std::string>> verify(const Plan& plan,
                                        const netlink::NetNs& pod);
/// As verify, of the host's side alone: for the agent, which enters no pod.
Result<std::vector<std::string>> verify_host(const Plan& plan);
/// Makes the host's side true again without touching the pod or the link's
/// existence. Errors: kStateMismatch when the link is not there.
Result<void> repair_host(const Plan& plan);

/// What take_down found.
struct TakenDown {
  int link_index = 0;  // 0: there was no link of ours
  std::string link_name;
  std::vector<IpAddr> addresses;  // that had a route of ours to the link
};

/// First half of DEL: rules, host routes and shaping gone, the link down and
/// in netlink::kDyingGroup. Touches only what carries the key's mark; whatever
/// is missing is success. Errors: kKernel, kPermission.
Result<TakenDown> take_down(const ipam::AttachmentKey& key,
                            const ipam::Pod& pod);
/// take_down and the link's deletion, waited for. Cost: ~25 ms, the kernel's.
Result<TakenDown> unwire(const ipam::AttachmentKey& key, const ipam::Pod& pod);

/// A link with our mark.
struct OurLink {
  int index = 0;
  std::string name = {};
  std::string container_id;  // as in the alias; match keys by alias_of()
  std::string ifname;
  bool dying = false;      // in kDyingGroup
  bool half_made = false;  // its maker did not come to the alias; no owner
  std::vector<IpAddr> addresses;  // with a route of ours to it

  bool operator==(const OurLink&) const = default;
};

struct Traces {
  std::vector<OurLink> links;  // host ends; ifbs are not listed
  std::vector<netlink::Rule> rules;
};

/// Everything in the host's namespace that carries our mark, for GC, reconcile
/// and uninstall. Cost: O(links + rules + routes of ours).
Result<Traces> find_ours();
/// As take_down(key, pod), for a link that find_ours listed.
Result<TakenDown> take_down(const OurLink& link);
/// Removes our rules to and from an address whose link is gone already.
Result<void> remove_rules(const IpAddr& address);

}  // namespace linsey::datapath
