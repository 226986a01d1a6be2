// Reconcile: what has to be done so that ledger and kernel agree; pure.
//
// The ledger is the truth about who holds what, the kernel about which paths
// stand. Never on one glance: what looks stale must be seen twice, and for the
// whole grace, before it is removed; an ADD or DEL may be half way. A held row
// without a link is only reported, since DEL or GC will free it, unless it is
// of an earlier boot: then its sandbox is gone for certain. The API server is a
// second witness while its list of pods is current: a row without a link whose
// pod it does not know for the longer grace is freed. A path that stands is
// never taken down on its word, for a pod that was deleted by force may run on.
// After a lost ledger the kernel is the only witness: addresses on our host
// routes are reserved under the link's alias, and such links are left alone.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "datapath/wire.h"
#include "ipam/ledger.h"
#include "ipam/types.h"

namespace linsey::agent {

inline constexpr Duration kReconcileGrace = std::chrono::seconds(10);
/// Longer than a dead connection to the API server can go unnoticed.
inline constexpr Duration kPodGrace = std::chrono::seconds(60);

/// When something odd was first seen, by a name of it.
using Sightings = std::map<std::string, Instant>;

struct Reserve {
  IpAddr address;
  std::string note;

  bool operator==(const Reserve&) const = default;
};

struct Actions {
  std::vector<ipam::AttachmentKey> confirm;   // of an earlier boot, yet alive
  std::vector<ipam::AttachmentKey> free;      // of an earlier boot, gone
  std::vector<ipam::AttachmentKey> pod_gone;  // no link, and no pod
  std::vector<Reserve> reserve;
  std::vector<IpAddr> unreserve;
  std::vector<datapath::OurLink> remove_links;
  std::vector<IpAddr> remove_rules;
  std::vector<ipam::AttachmentKey> missing;  // held, but there is no link
  /// A route of ours to an address that somebody else holds.
  std::vector<std::string> contradictions;
  /// Something was seen once: look again after the grace.
  bool look_again = false;

  bool operator==(const Actions&) const = default;
};

struct Scene {
  const ipam::Ledger& ledger;
  const datapath::Traces& traces;
  /// The ledger was lost or damaged before this start.
  bool kernel_is_witness = false;
  /// Pods of this node as "namespace/name"; null unless the API server's list
  /// is complete and current.
  const std::set<std::string>* pods = nullptr;
};

/// Computes the actions and brings `sightings` up to date. Cost: O((rows +
/// links + rules) log).
Actions reconcile(const Scene& scene, Sightings& sightings, Instant now);

/// Links to be removed because the runtime says (GC) that only `keep` lives,
/// as (container id, ifname): those without a row and without a witness.
std::vector<datapath::OurLink> stale_links(
    const Scene& scene,
    const std::set<std::pair<std::string, std::string>>& keep);

}  // namespace linsey::agent
