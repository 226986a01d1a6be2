// BlockClaimer: carries out what ipam/block_claims plans, against the API
// server.
//
// The scene comes from the watches (own blocks by label, pools), actions go to
// KubeWriter as the most urgent of all; each is tried once, since the machine
// itself says when to try again and an old action must not be done late. What
// came of it is looked up where a reply is ambiguous: a create that meets an
// object is a success when the object is ours. Never on the way of an ADD.
// The pools' networks are kept on disk, for BGP imports them and a start
// without API server must not drop the routes to the other nodes.
// Thread: the loop.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/claim_desk.h"
#include "agent/documents.h"
#include "agent/kube_events.h"
#include "agent/kube_party.h"
#include "agent/kube_writer.h"
#include "agent/metrics.h"
#include "base/clock.h"
#include "ipam/block_claims.h"

namespace linsey::agent {

struct BlockClaimerDeps {
  Loop& loop;
  const Clock& clock;
  Metrics& metrics;
  const KubeParty& party;
  KubeWriter& writer;
  KubeEvents& events;
  const Documents& documents;
};

class BlockClaimer {
 public:
  explicit BlockClaimer(BlockClaimerDeps deps);

  ClaimDesk desk();
  /// The watches showed something new.
  void changed();

 private:
  ipam::ClaimPlan plan(std::vector<ipam::LedgerBlock> ledger,
                       std::size_t waiting);
  ipam::ClaimScene scene() const;
  void begin(const ipam::ClaimAction& action);
  void finish(const ipam::ClaimResult& result);
  void tell(const ipam::ClaimPlan& plan);
  void keep_pools();
  std::string pools_file() const;

  BlockClaimerDeps deps_;
  ipam::BlockClaims claims_;
  std::function<void()> on_changed_ = [] {};
  std::vector<Cidr> pools_;
  std::set<std::string> told_;
};

}  // namespace linsey::agent
