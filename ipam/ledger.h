// Ledger: who holds which address on this node.
//
// Pure state: no I/O, no clock of its own, no thread. Invariant: an address
// belongs to at most one attachment, and leaves an attachment only through
// release(), after which it cools; check_invariants() proves it. "Cooling" is
// no stored state but the age of the last release, so nothing has to run when
// a cool-down ends. Supply is confirmed by suppliers: what was only loaded
// from disk is draining (kept, never given) until add() names it again.
// Rejected: one free list with a status field, which needs a sweep and cannot
// answer "longest free first" after a restart.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ipam/ledger_types.h"
#include "ipam/tombstones.h"

namespace linsey::ipam {

class Ledger {
 public:
  explicit Ledger(const LedgerOptions& options = {});

  // Supply, by the one supplier of the node.
  /// New addresses are free at once; known ones are confirmed (no longer
  /// draining) and take the source and group given. Holders stay.
  void add(std::span<const Supply> supply);
  /// Given no more; holders keep them. add() takes it back.
  void drain(std::span<const IpAddr> addresses);
  void drain_source(std::string_view source);
  /// Forgets addresses, all or none; unknown ones are fine. Errors:
  /// kStateMismatch when one is held or reserved.
  Result<void> remove(std::span<const IpAddr> addresses);

  // Attachments.
  /// Takes the longest-free address of each family, or answers with what the
  /// key already holds (not new). Wanted addresses are honoured when ours and
  /// free. The caller completes the allocation, saves, and on failure calls
  /// unassign(). Errors: kOvertaken, kAddressNotOurs, kAddressTaken,
  /// kAddressesExhausted. Cost: O(log addresses + groups).
  Result<Assigned> assign(const AssignRequest& request, Instant now);
  /// Replaces the allocation of a held key by the supplier's full one, whose
  /// addresses must be the same. Errors: kUnknownAttachment, kInternal.
  Result<void> complete(const AttachmentKey& key, Allocation allocation);
  /// Takes an assignment back that nobody has heard of: no cool-down.
  void unassign(const AttachmentKey& key);
  /// Gives the addresses back; they cool. Unknown keys are fine: the answer is
  /// empty and the tombstone stands all the same.
  Released release(const AttachmentKey& key, Instant now);
  /// The keys of `network` that are held and not in `keep`.
  std::vector<AttachmentKey> keys_not_in(
      const std::string& network, const std::set<AttachmentKey>& keep) const;
  /// Releases them all, without tombstones: a GC is no DEL.
  std::vector<Released> release_all_but(const std::string& network,
                                        const std::set<AttachmentKey>& keep,
                                        Instant now);

  // Evidence from the kernel, at start and by reconcile.
  /// Holds an address that the kernel shows in use. With a key it is held by
  /// it (a second family joins the same key), without one it is reserved.
  /// Errors: kStateMismatch when another key holds it.
  Result<void> hold_from_kernel(const IpAddr& address,
                                const std::optional<AttachmentKey>& key,
                                const std::string& alias);
  /// Ends a reservation; the address cools. Other states are left alone.
  void release_reserved(const IpAddr& address, Instant now);
  /// A holder from an earlier boot was found alive after all.
  void confirm(const AttachmentKey& key);

  const Held* find(const AttachmentKey& key) const;
  const AttachmentKey* holder(const IpAddr& address) const;
  const std::map<AttachmentKey, Held>& held() const { return held_; }
  const std::set<AttachmentKey>& stale() const { return stale_; }
  std::optional<AddressRow> row(const IpAddr& address, Instant now) const;
  std::vector<AddressRow> rows(Instant now) const;
  /// Families with at least one confirmed address.
  std::vector<Family> families() const;
  Counts counts(Instant now) const;
  std::map<std::pair<std::string, Family>, Counts> counts_by_source(
      Instant now) const;
  /// When the next cooling address may be given at the earliest, if any cools.
  std::optional<Instant> next_cooled(Family family, Instant now) const;
  std::uint64_t shortened_cool_downs() const { return shortened_; }
  const LedgerOptions& options() const { return options_; }
  void set_options(const LedgerOptions& options);
  // For the store.
  Changes changes() const;
  bool dirty() const {
    return !dirty_addresses_.empty() || !dirty_attachments_.empty();
  }
  void mark_saved();
  void mark_all_dirty();
  /// Puts a saved row back, draining; only before the first add(). `clean`
  /// leaves it out of changes().
  void restore(const AddressRow& row, bool clean);
  void restore(const Held& held, bool stale, bool clean);

  /// kInternal naming the first broken invariant.
  Result<void> check_invariants() const;

 private:
  enum class Use : std::uint8_t { kIdle, kHeld, kReserved };
  struct Entry {
    std::string source;
    std::string group;
    Use use = Use::kIdle;
    bool draining = false;
    Instant since = kNever;  // last release
    AttachmentKey holder;
    std::string note;
  };
  using Idle = std::set<std::pair<Instant, IpAddr>>;
  using Picks = std::vector<IpAddr>;
  static constexpr Instant kNever = Instant::min();
  void index(const IpAddr& address, const Entry& entry);
  void unindex(const IpAddr& address, const Entry& entry);
  void touch(const IpAddr& address) { dirty_addresses_.insert(address); }
  bool cooled(Instant since, Duration cool_down, Instant now) const;
  State state(const Entry& entry, Instant now) const;
  void count(Counts& counts, const Entry& entry, Instant now) const;
  AddressRow make_row(const IpAddr& address, const Entry& entry,
                      Instant now) const;
  Result<Picks> pick_wanted(const Attachment& attachment, Instant now) const;
  std::optional<Picks> pick(const std::vector<Family>& families,
                            const Picks& wanted, Duration cool_down,
                            Instant now) const;
  std::optional<Picks> pick_in(const std::string& group,
                               const std::vector<Family>& families,
                               Duration cool_down, Instant now) const;
  Error exhausted(const std::vector<Family>& families, Instant now) const;
  const Held& hold(const Attachment& attachment, Picks picks);
  Released give_back(const AttachmentKey& key, Instant now, bool cool);
  LedgerOptions options_;
  std::map<IpAddr, Entry> entries_;
  std::map<std::pair<std::string, Family>, Idle> idle_;  // confirmed, by age
  std::map<AttachmentKey, Held> held_;
  std::set<AttachmentKey> stale_;  // held in an earlier boot, not verified
  Tombstones tombstones_;
  std::uint64_t shortened_ = 0;
  std::set<IpAddr> dirty_addresses_;
  std::set<AttachmentKey> dirty_attachments_;
};

}  // namespace linsey::ipam
