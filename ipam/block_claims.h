// BlockClaims: the state machine of one node's blocks; pure.
//
// plan() is shown what the API server and the ledger know and says what to do;
// each action it names is carried out once and answered through observe().
// Nothing that matters lives here alone: after a crash an empty BlockClaims
// finds its way from ledger and API.
//   claim:   look, create (pending) -> ledger, blackhole -> confirm -> give
//   release: withdraw -> patch (releasing) -> out of the ledger -> delete
// So a block of the ledger is always ours in the API, or was until somebody
// took it away. A look costs no write and tells whose a block is; only a race
// of two nodes is met by a create that fails. After max_looks one list makes
// the search complete, so a pool's last free block is found and exhaustion is
// a fact. Rejected: listing first, megabytes on a leased line for each claim.
// Thread: the loop's. Deterministic: no clock, no random numbers of its own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ipam/claim_types.h"

namespace linsey::ipam {

class BlockClaims {
 public:
  explicit BlockClaims(std::string node, ClaimOptions options = {});

  /// What is to be done now. Actions under way are not named again; one that
  /// is not answered within two minutes is taken for failed.
  ClaimPlan plan(const ClaimScene& scene, Instant now);
  /// What came of an action; plan() again after it.
  void observe(const ClaimResult& result, Instant now);

 private:
  /// What our own last write left behind, until the watch shows it.
  struct Wrote {
    std::optional<BlockPhase> phase;  // nullopt: deleted
    std::string pool;
    std::string uid;
    Instant at{};
  };
  struct Known {
    std::string pool;
    std::string uid;
    std::optional<BlockPhase> phase;  // nullopt: the API does not call it ours
    std::optional<LedgerBlock> ledger;
    bool in_use() const { return ledger && ledger->held + ledger->cooling > 0; }
  };
  struct Search {
    std::string pool;
    unsigned looks = 0;
    std::optional<Cidr> asked;  // of the action under way
    std::optional<Cidr> found;  // free when last looked at
    std::optional<std::set<Cidr>> listed;
  };
  struct Full {
    Instant until{};
    std::uint64_t used = 0;
    std::uint64_t total = 0;
    std::int64_t told = 0;  // the controller's count then
  };
  struct Turn;  // one plan() under way

  void forget_old(const Turn& turn);
  void merge(Turn& turn);
  void settle(Turn& turn, const Cidr& block, const Known& known);
  void settle_unknown(Turn& turn, const Cidr& block, const Known& known);
  void settle_confirmed(Turn& turn, const Cidr& block, const Known& known);
  void settle_releasing(Turn& turn, const Cidr& block, const Known& known);
  Use use_when_stale(const Turn& turn, const Cidr& block,
                     const Known& known) const;
  void release_spare(Turn& turn, Family family);
  void meet_need(Turn& turn, Family family);
  void seek(Turn& turn, Family family, const ClaimPool& pool);
  void list(Turn& turn, Search& search, const ClaimPool& pool);
  void keep_releasing(Turn& turn, Family family);
  Error exhausted(const Turn& turn, Family family, std::uint64_t supply) const;
  void mark_full(const ClaimPool& pool, std::uint64_t total, Instant now);
  const ClaimPool* choose_pool(Turn& turn, Family family);
  bool taken_now(const Turn& turn, const Cidr& block) const;
  bool full(const ClaimPool& pool, Instant now);
  void failed(const ClaimResult& result, Instant now);
  void warn(Turn& turn) const;
  void act(Turn& turn, ClaimVerb verb, const Cidr& block, const Known& known);
  void wrote(const ClaimResult& result, std::optional<BlockPhase> phase,
             Instant now);
  void searched(const ClaimResult& result, Instant now);
  void listed(const ClaimResult& result);

  std::string node_;
  ClaimOptions options_;
  std::map<Cidr, Wrote> wrote_;
  std::map<Cidr, Instant> under_way_;  // an action each; a list by its pool
  std::map<Cidr, Instant> absent_;     // looked at: no object
  std::map<Cidr, Instant> contested_;  // of the ledger, another node's
  std::map<Cidr, Instant> taken_;      // met while searching
  std::map<Cidr, Instant> spare_since_;
  std::set<Cidr> releasing_;
  std::map<Family, Search> search_;
  std::map<std::string, Full> full_;
  unsigned failures_ = 0;
  Instant retry_at_{};
  std::optional<Error> failure_;
};

}  // namespace linsey::ipam
