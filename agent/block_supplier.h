// BlockSupplier: bgp mode. The node's blocks come from the configuration
// (blocks.assignments), or are claimed in the API server ahead of need (then
// agent/claim_desk says what each is for); all their addresses are in the
// ledger before they are given, so an ADD never waits for anybody. It
// blackholes the blocks and keeps BIRD in line through rounds on the supply
// worker (bird_job.h).
//
// When a block may be used: at once if the ledger knew it before or nobody is
// to be told of it, else when a peer has been told, and in any case after
// kAnnounceWait, because a BIRD that is down must not stop pods for ever. A
// block that is no longer assigned drains: its pods keep it announced until
// the last is gone; assigned to another node, it is withdrawn at once.
// Withdrawn before it is forgotten, blackholed as long as it is known.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/bgp_plan.h"
#include "agent/bird_job.h"
#include "agent/supplier.h"
#include "base/ip.h"
#include "netlink/socket.h"

namespace linsey::agent {

class BlockSupplier final : public Supplier {
 public:
  /// How long a new block waits for its first announcement.
  static constexpr Duration kAnnounceWait = std::chrono::seconds(10);
  /// How long another node's block may be missing before it is told.
  static constexpr Duration kPropagationWait = std::chrono::seconds(20);
  /// How long a violation is told after it was withdrawn.
  static constexpr Duration kViolationShown = std::chrono::minutes(5);

  explicit BlockSupplier(SupplierDeps deps);

  void start() override;
  void need(std::size_t waiting) override;
  void on_released(const IpAddr& address) override;
  void on_assigned(const IpAddr& address) override;
  void config_changed() override;
  Result<ipam::Allocation> complete(
      const std::vector<IpAddr>& addresses) const override;
  /// Ready once addresses may be given; `why` may still name a fault of BGP.
  Health health() const override;
  std::string describe() const override;
  Result<void> drain_routes(const DrainWish& wish) override;
  Result<std::uint64_t> check_propagation() override;
  void stop() override;

 private:
  struct Block {
    Instant since{};         // when it became ours
    bool usable = false;     // its addresses are given
    bool draining = false;   // no longer assigned to this node
    bool contested = false;  // assigned to another node
    bool announced = false;  // to an established peer, in the last round
    bool stands = false;     // blackholed in the kernel
    bool forget = false;     // claimed: to be given up when it is withdrawn
  };

  struct Check {               // by hand, of all other nodes' blocks
    std::uint64_t number = 0;  // of the last one that is done
    std::size_t looked_for = 0;
    std::vector<Cidr> missing;
    std::optional<Error> failed;  // BIRD could not be asked
  };

  bool claims() const { return deps_.claims.open(); }
  void read_config();
  // Claimed blocks (block_supplier_claims.cpp).
  void consult(std::size_t waiting = 0);
  void consult_soon();
  void consult_in(Duration delay);
  bool apply(const Cidr& block, ipam::Use use);
  void hold(const Cidr& block);
  std::vector<ipam::LedgerBlock> ledger_blocks() const;
  bool may_be_announced(const Cidr& block) const;
  void import_pools();
  bool nothing_to_give() const;
  void take_over_ledger();
  void assign(const Cidr& block);
  void drain(const Cidr& block, Block& state);
  void open_waiting();
  void feed(const Cidr& block);
  void sync();
  void finish(const BirdReport& report);
  void forget_empty();
  void keep_kernel();
  void measure_mtu();
  Result<void> set_kernel();
  void note_peers(const bgp::Observed& observed);
  void note_violations(const BirdReport& report);
  void note_unknown(const BirdReport& report);
  void step_drain(const BirdReport& report);
  void follow_cordon();
  std::vector<Cidr> next_foreign();
  std::vector<Cidr> missing() const;
  void note_check(const BirdReport& report);
  std::optional<Error> not_propagated() const;
  std::optional<Error> drained() const;
  void schedule();
  Duration pause() const;
  bool in_use(const Cidr& block) const;
  bool has_session(Family family) const;
  std::vector<Cidr> announced() const;
  std::vector<Cidr> with(bool Block::*flag, bool value) const;
  Error no_block() const;
  Error exhausted() const;
  /// What is wrong with BIRD or the sessions, if anything.
  std::optional<Error> trouble() const;
  void publish() const;

  SupplierDeps deps_;
  BlockPlan plan_;
  std::map<Cidr, Block> blocks_;
  Result<SpeakerPlan> speaker_ =
      make_error(Code::kAgentStarting, "not started");
  std::optional<BirdReport> report_;
  Result<std::uint32_t> mtu_ = make_error(Code::kAgentStarting, "not started");
  Result<void> kernel_;                             // blackholes and forwarding
  std::map<std::string, std::string> peer_states_;  // as last logged
  std::map<std::string, unsigned> flaps_;           // ends of an up session
  std::vector<Cidr> looked_for_;     // with the worker, or of the last round
  std::size_t foreign_at_ = 0;       // where the next look begins
  std::map<Cidr, Instant> unknown_;  // other nodes' blocks, since when
  std::set<Cidr> sure_;              // claimed ones that should have a route
  std::vector<Cidr> to_check_;
  std::uint64_t checks_wanted_ = 0;
  std::uint64_t checks_listed_ = 0;  // what to check is in to_check_
  std::uint64_t checks_begun_ = 0;
  Check check_;
  std::vector<bgp::Violation> violations_;  // the last ones
  Instant violated_{};
  RouteDrain drain_;
  std::optional<Error> claim_trouble_;
  Loop::TimerId consult_timer_ = 0;
  Instant consult_due_{};
  bool consulting_ = false;
  Loop::TimerId timer_ = 0;
  bool asking_ = false;     // a round is with the worker
  bool ask_again_ = false;  // something changed meanwhile
  bool stopped_ = false;
};

}  // namespace linsey::agent
