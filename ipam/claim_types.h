// The words of claiming blocks: what the claim machine is shown, what it wants
// done, and what came of it. Plain structs; block_claims.h says how they work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"

namespace linsey::ipam {

enum class BlockPhase : std::uint8_t { kPending, kConfirmed, kReleasing };

/// A pool that selects this node.
struct ClaimPool {
  std::string name;
  Cidr cidr;
  unsigned block_size = 0;
  /// New blocks may be taken: marked valid, not disabled, not being deleted.
  bool claim = true;
  /// Blocks already had are given from: not disabled, not being deleted.
  bool give = true;
  /// The controller's counts; 0 when it has not told.
  std::int64_t total = 0;
  std::int64_t used = 0;
};

/// A block that the API server names as this node's.
struct OwnBlock {
  Cidr cidr;
  std::string pool;
  std::string uid;  // of the object
  BlockPhase phase = BlockPhase::kPending;
};

/// A block of which the ledger has rows.
struct LedgerBlock {
  Cidr cidr;
  std::uint32_t free = 0;
  std::uint32_t cooling = 0;
  std::uint32_t held = 0;  // with reserved ones
  bool committed = false;  // rows saved, blackhole stands
  bool announced = false;  // by BGP, as last seen
};

struct ClaimScene {
  std::vector<ClaimPool> pools;
  std::vector<OwnBlock> own;
  std::vector<LedgerBlock> ledger;
  /// Pools and own blocks are complete and the API server answers. While
  /// false nothing is freed, released or claimed.
  bool current = false;
  std::size_t waiting = 0;  // ADDs that found no address
};

/// What the node does with a block.
enum class Use : std::uint8_t {
  kHold,       // in the ledger, blackholed; not given, not announced
  kGive,       // given, announced, blackholed
  kDrain,      // not given; announced while in use, blackholed
  kWithdraw,   // not given, not announced; blackholed
  kContested,  // another node's: not given, announced or blackholed
  kForget,     // not announced; out of the ledger, then no blackhole
};

enum class ClaimVerb : std::uint8_t {
  kLook,     // get the object: whose is it?
  kList,     // all blocks with the pool's label, in pages
  kCreate,   // as pending
  kConfirm,  // patch to confirmed
  kRelease,  // patch to releasing
  kDelete,   // with the uid as precondition
};

struct ClaimAction {
  ClaimVerb verb = ClaimVerb::kLook;
  Cidr block;  // of kList: the pool's
  std::string pool;
  std::string uid;  // precondition of kConfirm, kRelease and kDelete

  bool operator==(const ClaimAction&) const = default;
};

enum class ClaimAnswer : std::uint8_t {
  kDone,    // create, confirm, release, delete: applied; list: `taken` is it
  kFree,    // there is no such object
  kOurs,    // look, or create met our own object: `phase`, `uid`
  kTaken,   // another node's
  kFailed,  // nothing is known of the outcome: `why`
};

struct ClaimResult {
  ClaimAction action;
  ClaimAnswer answer = ClaimAnswer::kDone;
  BlockPhase phase = BlockPhase::kPending;  // of kOurs
  std::string uid = {};                     // of the object made or met
  std::vector<Cidr> taken = {};             // of kList
  std::optional<Error> why = {};
};

struct ClaimPlan {
  std::map<Cidr, Use> blocks;        // all of ledger and API
  std::vector<ClaimAction> actions;  // each is answered by observe()
  std::optional<Error> trouble;      // why addresses cannot be added
  std::vector<Error> warnings;       // kPoolNearlyFull, kBlockContested
  Instant again{};                   // look again then, whatever happens
};

struct ClaimOptions {
  /// The next block is claimed when fewer addresses than this are free, or
  /// than a quarter of a block where that is less.
  std::uint32_t low = 16;
  /// A spare block goes when the others have low + slack free ones.
  std::uint32_t slack = 32;
  Duration spare_grace = std::chrono::minutes(10);
  unsigned max_looks = 16;  // then the pool is listed once
  Duration full_retry = std::chrono::minutes(10);
  double nearly_full = 0.9;
};

}  // namespace linsey::ipam
