// EniModel: what the agent knows of its secondary interfaces. Pure state,
// made of three views that disagree for a while after every change: what the
// OpenAPI answers, what the metadata service shows, what the kernel has.
//
// Rules: an interface is ours by its tags, or because the ledger remembers its
// addresses (so a restart needs no OpenAPI). An address is supplied when the
// machine's own view, the metadata, shows it; one that it shows and we did not
// know of is the effect of a call whose reply was lost, and is taken over.
// What was just given back is not taken over again while the views still show
// it. Time is handed in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/eni_links.h"
#include "base/clock.h"
#include "base/ip.h"
#include "cloud/eni_plan.h"
#include "cloud/metadata.h"
#include "cloud/types.h"
#include "ipam/ledger_types.h"

namespace linsey::agent {

struct KnownEni {
  cloud::Eni eni;
  std::optional<IpAddr> gateway = {};
  std::optional<IpAddr> gateway6 = {};
  std::optional<EniPlace> place = {};  // its link is set up
  bool attached = false;               // the metadata shows it
  bool retiring = false;               // drained, on its way out
  bool broken = false;                 // could not be attached
  bool busy = false;                   // detach or delete was asked for
  unsigned attach_tries = 0;
  Instant asked{};                         // the last change of it
  std::set<IpAddr> shown = {};             // by the metadata
  std::map<IpAddr, Instant> coming = {};   // assigned, not yet shown
  std::map<IpAddr, Instant> leaving = {};  // given back

  bool usable() const { return place && attached && !busy; }
  std::string source() const { return eni.v_switch + "/" + eni.id; }
};

class EniModel {
 public:
  // The cloud's and the machine's views.

  /// The whole list of interfaces with our tags. Known ones that it lacks are
  /// forgotten, but for those made a moment ago.
  void see_described(const std::vector<cloud::Eni>& ours, Instant now);
  /// All attached interfaces. `remembered` are ids that the ledger has.
  /// Answers with the ids of ours that were attached and no longer are.
  std::vector<std::string> see_attached(
      const std::vector<cloud::AttachedEni>& attached,
      const std::set<std::string>& remembered, Instant now);
  /// One interface, while it or its addresses are awaited.
  void see_attached(const cloud::AttachedEni& attached, Instant now);
  /// How many of `attached` are not ours, the primary one included.
  unsigned others_of(const std::vector<cloud::AttachedEni>& attached) const;

  // The outcome of our own calls.

  void created(const cloud::Eni& eni, Instant now);
  void attach_asked(const std::string& id, Instant now);
  void assigned(const std::string& id, const std::vector<IpAddr>& addresses,
                Instant now);
  void giving_back(const std::string& id, const std::vector<IpAddr>& addresses,
                   Instant now);
  void keeps(const std::string& id, const std::vector<IpAddr>& addresses);
  void leaving_asked(const std::string& id, cloud::EniStatus status,
                     Instant now);
  void forget(const std::string& id) { enis_.erase(id); }

  // Queries.

  KnownEni* find(const std::string& id);
  const KnownEni* find(const std::string& id) const;
  std::map<std::string, KnownEni>& enis() { return enis_; }
  const std::map<std::string, KnownEni>& enis() const { return enis_; }
  /// MACs of interfaces that are awaited, or addresses of which are.
  std::vector<Mac> awaited() const;
  /// Something has been awaited for longer than `limit`.
  bool overdue(Instant now, Duration limit) const;
  /// What the ledger may give of an interface.
  std::vector<ipam::Supply> supply_of(const KnownEni& known) const;

  /// The planner's view; `rows` are the ledger's.
  std::vector<cloud::PlanEni> plan_enis(
      const std::vector<ipam::AddressRow>& rows, Instant now) const;

 private:
  void merge(KnownEni& known, const cloud::AttachedEni& attached, Instant now);

  std::map<std::string, KnownEni> enis_;
};

}  // namespace linsey::agent
