// Service: what the agent does for the plugin, without the transport.
//
// Durable before visible: everything decided in a turn of the loop is saved
// once, by commit(), and only then answered; an address goes back to the
// ledger only when the kernel shows no path to it any more. A request that
// finds no address waits in a queue, first come first served, for what the
// supplier brings, and is told the supplier's true reason at its deadline.
// Undo: a save that failed takes new assignments back (releases stand, a full
// disk must not stop DEL), and so does a client that is gone before its answer.
// Thread: the loop. Rejected: a lock for each container id; one thread
// serialises for free, and an ADD overtaken by its DEL is a tombstone.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "agent/loop.h"
#include "agent/service_types.h"
#include "agent/supplier.h"
#include "base/result.h"
#include "ipam/ledger.h"
#include "ipam/types.h"
#include "rpc/message.h"

namespace linsey::agent {

class Service {
 public:
  explicit Service(ServiceDeps deps);

  // Who supplies.

  void set_standing(Standing standing);
  /// nullptr: nobody yet. The supplier outlives the service or is unset.
  void set_supplier(Supplier* supplier);
  SupplyHooks supply_hooks();
  /// The ledger could not be opened for writing: no address is given until a
  /// save goes through.
  void set_save_error(const Error& error);

  // Requests. Replies come after commit(), at once or later.

  /// Errors told: the quarantine's; kOvertaken; kAddressNotOurs and
  /// kAddressTaken for wanted addresses; kDiskFull when it cannot be made
  /// durable; the supplier's reason when none came in time; kAgentStarting.
  void allocate(AllocateCall call);
  /// The client of a waiting request is gone.
  void hung_up(std::uint64_t ticket);
  /// Unknown keys succeed. Errors told: what keeps the path from going.
  void release(const rpc::ReleaseRequest& request,
               std::function<void(const Result<void>&)> reply);
  /// Errors: kUnknownAttachment.
  Result<ipam::Held> check(const ipam::AttachmentKey& key) const;
  /// Releases what the runtime does not list. Errors of single attachments are
  /// gathered; what could be released is.
  void gc(const rpc::GcRequest& request,
          std::function<void(const Result<rpc::GcReply>&)> reply);
  /// Frees one attachment whose sandbox is known to be gone (a release note, an
  /// earlier boot). `done` hears whether that is saved.
  void free_now(const ipam::AttachmentKey& key, const ipam::Pod& pod,
                std::function<void(const Result<void>&)> done);

  /// Addresses without a key that the kernel shows no more; they cool.
  void release_reserved(const std::vector<IpAddr>& addresses);

  rpc::Status status() const;
  std::size_t waiting() const { return waiters_.size(); }
  std::vector<ipam::Attachment> waiting_attachments() const;
  const Standing& standing() const { return standing_; }

  /// The after-turn hook: saves, then answers.
  void commit();
  /// Answers all waiters with kAgentStarting, refuses new ones, saves.
  void stop();

 private:
  struct Waiter {
    AllocateCall call;
    Instant began;
    Loop::TimerId deadline = 0;
  };
  /// An answer that is sent when the ledger is saved.
  struct Pending {
    std::function<void(const Result<void>& saved)> finish;
  };
  struct Gc;

  std::optional<Error> refusal() const;
  /// True when it was answered (or will be by commit), false: no address yet.
  bool try_assign(AllocateCall& call, Instant began);
  void queue_lease(AllocateCall call, const ipam::Assigned& assigned,
                   Instant began);
  Result<void> complete(const ipam::Assigned& assigned);
  /// Takes back what nobody has heard of.
  void take_back(const ipam::AttachmentKey& key);
  void send_lease(const AllocateCall& call, bool is_new, Instant began,
                  const Result<void>& saved);
  void answer(const AllocateCall& call, const Error& error, Instant began);
  void wait(AllocateCall call, Instant began);
  void expire(std::uint64_t ticket);
  void serve_waiters();
  void refuse_waiters(const Error& error);
  void watch_cool_down();
  Error why_none() const;
  void take_down(const Teardown& teardown, TeardownDone done);
  Teardown teardown_of(const ipam::AttachmentKey& key) const;
  void give_back(const ipam::AttachmentKey& key,
                 const std::vector<IpAddr>& seen);
  void end_part(const std::shared_ptr<Gc>& gc);
  void record(const char* verb, const Result<void>& outcome, Instant began);
  Result<void> save();

  ServiceDeps deps_;
  Standing standing_;
  Supplier* supplier_ = nullptr;
  std::list<Waiter> waiters_;  // first come first served
  std::vector<Pending> pending_;
  std::multiset<ipam::AttachmentKey> dying_;  // releases under way
  std::optional<Error> save_error_;
  Loop::TimerId cool_down_timer_ = 0;
  Loop::TimerId retry_timer_ = 0;
  bool stopping_ = false;
};

}  // namespace linsey::agent
