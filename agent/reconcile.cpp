#include "agent/reconcile.h"

#include <algorithm>
#include <optional>

#include "datapath/plan.h"

namespace linsey::agent {
namespace {

using datapath::OurLink;
using ipam::AttachmentKey;

/// A link and a row belong together by the alias (a long container id stands
/// there as its digest); links do not say of which network they are.
using Owner = std::string;

Owner owner_of(const AttachmentKey& key) {
  return datapath::alias_of(key);
}
std::string alias_of(const OurLink& link) {
  return datapath::alias_of({"", link.container_id, link.ifname});
}
Owner owner_of(const OurLink& link) {
  return alias_of(link);
}

std::string stale_note(const OurLink& link) {
  return "stale " + (link.half_made ? link.name : alias_of(link));
}

class Planner {
 public:
  Planner(const Scene& scene, Sightings& sightings, Instant now)
      : scene_(scene), before_(sightings), now_(now) {
    for (const auto& [key, held] : scene.ledger.held()) {
      held_.emplace(owner_of(key), key);
    }
  }

  Actions plan() {
    for (const OurLink& link : scene_.traces.links) {
      look_at(link);
    }
    look_at_rows();
    look_at_reserved();
    look_at_rules();
    actions_.look_again = !seen_.empty();
    before_ = std::move(seen_);
    return std::move(actions_);
  }

 private:
  /// True when `what` has been odd for the whole grace.
  bool ripe(const std::string& what, Duration grace = kReconcileGrace) {
    const auto first = before_.find(what);
    const Instant since = first == before_.end() ? now_ : first->second;
    seen_.emplace(what, since);
    return first != before_.end() && now_ - since >= grace;
  }

  void look_at(const OurLink& link) {
    linked_.insert(owner_of(link));
    for (const IpAddr& address : link.addresses) {
      routed_.insert(address);
    }
    const auto row = held_.find(owner_of(link));
    if (row != held_.end() && !link.half_made) {
      look_at_routes(link, &row->second);
      if (scene_.ledger.stale().contains(row->second)) {
        actions_.confirm.push_back(row->second);
      }
      return;
    }
    look_at_routes(link, nullptr);
    if (witnessed(link)) return;
    if (ripe(fmt::format("link {} {}", link.index, link.name))) {
      actions_.remove_links.push_back(link);
    }
  }

  /// Addresses on the routes of `link`, whose row is `own`.
  void look_at_routes(const OurLink& link, const AttachmentKey* own) {
    for (const IpAddr& address : link.addresses) {
      const AttachmentKey* holder = scene_.ledger.holder(address);
      if (holder != nullptr) {
        if (own != nullptr && *holder == *own) continue;
        std::string what = fmt::format(
            "{} is routed to {} ({}), but held by {}/{}", address.to_string(),
            link.name, alias_of(link), holder->container_id, holder->ifname);
        if (ripe(what)) actions_.contradictions.push_back(std::move(what));
        continue;
      }
      const auto row = scene_.ledger.row(address, now_);
      if (row && row->state == ipam::State::kReserved) continue;
      actions_.reserve.push_back(
          {address, scene_.kernel_is_witness && !link.half_made
                        ? alias_of(link)
                        : stale_note(link)});
    }
  }

  /// Kept alive by an earlier (or this) pass after the ledger was lost.
  bool witnessed(const OurLink& link) const {
    if (link.half_made) return false;
    const auto kept = [&](const IpAddr& address) {
      const auto row = scene_.ledger.row(address, now_);
      if (row && row->state == ipam::State::kReserved) {
        return row->note == alias_of(link);
      }
      return scene_.kernel_is_witness &&
             scene_.ledger.holder(address) == nullptr;
    };
    return std::ranges::any_of(link.addresses, kept);
  }

  void look_at_rows() {
    for (const auto& [key, held] : scene_.ledger.held()) {
      if (linked_.contains(owner_of(key))) continue;
      if (scene_.ledger.stale().contains(key)) {
        actions_.free.push_back(key);
        continue;
      }
      const ipam::Pod& pod = held.attachment.pod;
      // Not seen in a pass without that witness: the grace begins anew.
      if (scene_.pods != nullptr && !pod.name.empty() &&
          !scene_.pods->contains(pod.name_space + "/" + pod.name) &&
          ripe(fmt::format("pod of {}/{}/{}", key.network, key.container_id,
                           key.ifname),
               kPodGrace)) {
        actions_.pod_gone.push_back(key);
      }
      if (ripe(fmt::format("row {}/{}/{}", key.network, key.container_id,
                           key.ifname))) {
        actions_.missing.push_back(key);
      }
    }
  }

  void look_at_reserved() {
    for (const ipam::AddressRow& row : scene_.ledger.rows(now_)) {
      if (row.state == ipam::State::kReserved &&
          !routed_.contains(row.address)) {
        actions_.unreserve.push_back(row.address);
      }
    }
  }

  void look_at_rules() {
    std::set<IpAddr> looked;
    for (const netlink::Rule& rule : scene_.traces.rules) {
      const std::optional<Cidr>& pod = rule.to ? rule.to : rule.from;
      if (!pod || pod->prefix_len() != pod->addr().bit_length()) continue;
      const IpAddr& address = pod->addr();
      if (scene_.ledger.holder(address) != nullptr ||
          routed_.contains(address) || !looked.insert(address).second) {
        continue;
      }
      if (ripe("rule " + address.to_string())) {
        actions_.remove_rules.push_back(address);
      }
    }
  }

  const Scene& scene_;
  Sightings& before_;
  Instant now_;
  std::map<Owner, AttachmentKey> held_;
  std::set<Owner> linked_;
  std::set<IpAddr> routed_;
  Sightings seen_;
  Actions actions_;
};

}  // namespace

Actions reconcile(const Scene& scene, Sightings& sightings, Instant now) {
  return Planner(scene, sightings, now).plan();
}

std::vector<OurLink> stale_links(
    const Scene& scene,
    const std::set<std::pair<std::string, std::string>>& keep) {
  std::set<Owner> alive;
  for (const auto& [container_id, ifname] : keep) {
    alive.insert(owner_of(AttachmentKey{"", container_id, ifname}));
  }
  for (const auto& [key, held] : scene.ledger.held()) {
    alive.insert(owner_of(key));
  }
  std::vector<OurLink> stale;
  for (const OurLink& link : scene.traces.links) {
    if (link.half_made || alive.contains(owner_of(link))) continue;
    const bool witnessed =
        std::ranges::any_of(link.addresses, [&](const IpAddr& address) {
          const auto row = scene.ledger.row(address, Instant());
          return row && row->state == ipam::State::kReserved &&
                 row->note == alias_of(link);
        });
    if (!witnessed) stale.push_back(link);
  }
  return stale;
}

}  // namespace linsey::agent
