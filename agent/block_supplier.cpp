#include "agent/block_supplier.h"

#include <algorithm>
#include <utility>

#include "agent/blackholes.h"
#include "agent/uplink.h"
#include "base/log.h"
#include "ipam/block.h"

namespace linsey::agent {
namespace {

// From one look at BIRD to the next.
constexpr Duration kRoundWaiting =
    std::chrono::milliseconds(500);  // a new block is not announced yet
constexpr Duration kRoundTrouble = std::chrono::seconds(3);
constexpr Duration kRoundQuiet =
    std::chrono::seconds(10);  // also for a text that BIRD refuses

bool contains(const std::vector<Cidr>& blocks, const Cidr& block) {
  return std::ranges::find(blocks, block) != blocks.end();
}

}  // namespace

BlockSupplier::BlockSupplier(SupplierDeps deps)
    : deps_(std::move(deps)), drain_(deps_.config.run_dir + "/routes-drain") {
  Metrics& metrics = deps_.metrics;
  metrics.describe_gauge("linsey_bird_up", "1 while BIRD answers");
  metrics.describe_gauge("linsey_bgp_session_up",
                         "1 while the session with the peer is established");
  metrics.describe_gauge("linsey_bgp_prefixes",
                         "Routes taken from the peer, or announced to it");
  metrics.describe_gauge("linsey_bgp_bfd_up",
                         "1 while the BFD session with the peer is up");
  metrics.describe_gauge("linsey_bgp_session_fault",
                         "1 while the session has the fault named by reason");
  metrics.describe_gauge("linsey_bgp_blocks_not_propagated",
                         "1 while other nodes' blocks are not learned");
  metrics.describe_counter("linsey_bgp_session_flaps_total",
                           "How often an established session ended");
  metrics.describe_counter("linsey_bgp_guard_rejections_total",
                           "What BIRD was kept from, by reason");
  metrics.describe_gauge("linsey_bgp_blocks", "Blocks of this node by state");
}

void BlockSupplier::start() {
  drain_.load(deps_.clock.now(), deps_.config.bgp.drain);
  take_over_ledger();
  if (claims()) {
    deps_.claims.on_changed([this] { consult_soon(); });
  }
  config_changed();
}

void BlockSupplier::config_changed() {
  measure_mtu();
  read_config();
  keep_kernel();
  open_waiting();
  deps_.hooks.supply_changed();
  sync();
}

/// The uplink's may change under us: a bond gets another member, a switch
/// takes jumbo frames. Pods that run keep theirs.
void BlockSupplier::measure_mtu() {
  Result<netlink::Socket> socket = netlink::Socket::open();
  const Result<std::uint32_t> found =
      socket ? pod_mtu(*socket, deps_.config, deps_.node.addresses)
             : Result<std::uint32_t>(socket.error());
  if (mtu_ && found && *mtu_ != *found) {
    log::warn(
        "the MTU of new pods is {} from now on, it was {}; pods that run keep "
        "theirs until they are made anew",
        *found, *mtu_);
  }
  const bool mended = !mtu_ && found;
  mtu_ = found;
  if (mended) deps_.hooks.supply_changed();
}

/// Blocks that were in use before the agent started: usable at once if they
/// are still ours, draining if not.
void BlockSupplier::take_over_ledger() {
  const Instant now = deps_.clock.now();
  for (const auto& [place, counts] : deps_.ledger.counts_by_source(now)) {
    const Result<Cidr> block = Cidr::parse_network(place.first);
    // A claimed one is given from when the claims say so.
    if (block) {
      blocks_[*block] = {.since = now, .usable = true, .draining = claims()};
    }
  }
}

void BlockSupplier::read_config() {
  if (claims()) {
    consult();
    return;
  }
  plan_ = plan_blocks(deps_.config, deps_.node);
  for (const Error& refused : plan_.refused) {
    log::error("{}", to_string(refused));
  }
  for (auto& [block, state] : blocks_) {
    state.contested = contains(plan_.others, block);
    if (!contains(plan_.ours, block)) drain(block, state);
  }
  for (const Cidr& block : plan_.ours) {
    assign(block);
  }
}

void BlockSupplier::assign(const Cidr& block) {
  const auto [it, is_new] = blocks_.try_emplace(block);
  if (is_new) it->second.since = deps_.clock.now();
  it->second.draining = false;
  if (it->second.usable) feed(block);
}

void BlockSupplier::drain(const Cidr& block, Block& state) {
  if (!state.draining) {
    log::info("block {} is no longer assigned to this node{}",
              block.to_string(),
              state.contested ? " but to another" : "; it drains");
  }
  state.draining = true;
  deps_.ledger.drain_source(block.to_string());
}

/// New blocks become usable together, so that a dual-stack node does not give
/// a pod one family only.
void BlockSupplier::open_waiting() {
  const Instant now = deps_.clock.now();
  std::vector<Cidr> waiting;
  for (const auto& [block, state] : blocks_) {
    if (state.usable || state.draining) continue;
    waiting.push_back(block);
    const bool ready = state.announced || now - state.since >= kAnnounceWait ||
                       !has_session(block.family());
    if (!ready) return;
  }
  for (const Cidr& block : waiting) {
    Block& state = blocks_.at(block);
    if (!state.announced && has_session(block.family())) {
      log::warn("block {} is used though no peer has been told of it: {}",
                block.to_string(),
                trouble() ? to_string(*trouble()) : "BIRD is being asked");
    }
    state.usable = true;
    feed(block);
  }
  if (!waiting.empty()) deps_.hooks.supply_changed();
}

void BlockSupplier::feed(const Cidr& block) {
  const Result<std::vector<IpAddr>> addresses = ipam::addresses_of(block);
  if (!addresses) {
    log::error("{}", to_string(addresses.error()));
    return;
  }
  std::vector<ipam::Supply> supply;
  supply.reserve(addresses->size());
  for (const IpAddr& address : *addresses) {
    supply.push_back({address, block.to_string(), ""});
  }
  deps_.ledger.add(supply);
}

bool BlockSupplier::in_use(const Cidr& block) const {
  const auto counts = deps_.ledger.counts_by_source(deps_.clock.now());
  const auto found = counts.find({block.to_string(), block.family()});
  return found != counts.end() &&
         found->second.held + found->second.reserved > 0;
}

bool BlockSupplier::has_session(Family family) const {
  if (!speaker_) return !deps_.config.bgp.peers.empty();
  return std::ranges::any_of(
      speaker_->speaker.peers, [&](const bgp::Peer& peer) {
        return std::ranges::count(bgp::families_of(peer), family) > 0;
      });
}

std::vector<Cidr> BlockSupplier::announced() const {
  std::vector<Cidr> result;
  if (drain_.state() == RouteDrain::State::kWithdrawn) return result;
  for (const auto& [block, state] : blocks_) {
    if (state.contested && state.draining) continue;
    if (!state.draining || in_use(block)) result.push_back(block);
  }
  return result;
}

void BlockSupplier::keep_kernel() {
  const Result<void> done = set_kernel();
  if (!done && (kernel_ || kernel_.error() != done.error())) {
    log::error("{}", to_string(done.error()));
  }
  kernel_ = done;
}

Result<void> BlockSupplier::set_kernel() {
  std::vector<Cidr> blocks;
  for (const auto& [block, state] : blocks_) {
    if (!(state.contested && state.draining)) blocks.push_back(block);
  }
  std::vector<IpAddr> places = deps_.node.addresses;
  for (const conf::BgpPeer& peer : deps_.config.bgp.peers) {
    if (peer.node_selector.matches(deps_.node.labels)) {
      places.push_back(peer.address);
    }
  }
  netlink::Socket socket = TRY(netlink::Socket::open());
  TRY(set_blackholes(socket, blocks));
  for (auto& [block, state] : blocks_) {
    state.stands = contains(blocks, block);
  }
  return forward_from_uplinks(socket, places,
                              deps_.config.state_dir + "/sysctls.json");
}

void BlockSupplier::sync() {
  if (stopped_) return;
  if (asking_) {
    ask_again_ = true;
    return;
  }
  follow_cordon();
  speaker_ = plan_speaker(deps_.config, deps_.node, announced());
  if (!speaker_) {
    log::error("BGP: {}", to_string(speaker_.error()));
    open_waiting();
    schedule();
    return;
  }
  if (drain_.state() == RouteDrain::State::kLowered) {
    speaker_->speaker.drain = drain_announcement(deps_.config.bgp.drain);
  }
  if (claims()) import_pools();
  const conf::Bird& bird = deps_.config.bgp.bird;
  looked_for_ = next_foreign();
  BirdJob job{.plan = *speaker_,
              .paths = {bird.config_file, bird.control_socket, bird.binary},
              .in_use = report_ ? report_->in_use : std::nullopt,
              .md5 = report_ ? report_->md5 : std::nullopt,
              .foreign = looked_for_};
  asking_ = true;
  deps_.worker.submit([job = std::move(job)] { return run_bird_job(job); },
                      [this](const BirdReport& report) { finish(report); });
}

void BlockSupplier::finish(const BirdReport& report) {
  asking_ = false;
  if (stopped_) return;
  const std::optional<Error> before = trouble();
  report_ = report;
  for (auto& [block, state] : blocks_) {
    state.announced =
        report.observed && contains(report.observed->announced, block);
  }
  if (report.observed) note_peers(*report.observed);
  note_violations(report);
  note_unknown(report);
  note_check(report);
  step_drain(report);
  const std::optional<Error> after = trouble();
  if (after && after != before) log::warn("BGP: {}", to_string(*after));
  if (!after && before) log::info("BGP: all is well again");
  forget_empty();
  keep_kernel();
  measure_mtu();
  open_waiting();
  if (claims()) consult();
  publish();
  if (std::exchange(ask_again_, false)) {
    sync();
  } else {
    schedule();
  }
}

/// Blocks that drain and hold nothing, once the text without them is BIRD's.
void BlockSupplier::forget_empty() {
  const bool nobody_hears = speaker_ && speaker_->speaker.peers.empty();
  if (!report_->configured && !(claims() && nobody_hears)) return;
  for (auto it = blocks_.begin(); it != blocks_.end();) {
    const Cidr& block = it->first;
    if (!it->second.draining || in_use(block) ||
        (claims() && !it->second.forget) ||
        contains(speaker_->speaker.blocks, block)) {
      ++it;
      continue;
    }
    std::vector<IpAddr> addresses;
    for (const ipam::AddressRow& row : deps_.ledger.rows(deps_.clock.now())) {
      if (row.source == block.to_string()) addresses.push_back(row.address);
    }
    const Result<void> removed = deps_.ledger.remove(addresses);
    if (!removed) log::error("{}", to_string(removed.error()));
    log::info("block {} is given up", block.to_string());
    it = blocks_.erase(it);
  }
}

void BlockSupplier::schedule() {
  if (timer_ != 0) deps_.loop.cancel(timer_);
  timer_ = deps_.loop.after(pause(), "bird round", [this] {
    timer_ = 0;
    sync();
  });
}

Duration BlockSupplier::pause() const {
  if (!with(&Block::usable, false).empty()) return kRoundWaiting;
  const std::optional<Error> wrong = trouble();
  const bool refused = wrong && wrong->code == Code::kBirdConfigRefused;
  if (drain_.state() == RouteDrain::State::kLowered) return kRoundWaiting;
  const bool draining = !with(&Block::draining, true).empty();
  if ((wrong && !refused) || draining || !kernel_) return kRoundTrouble;
  return kRoundQuiet;
}

std::vector<Cidr> BlockSupplier::with(bool Block::*flag, bool value) const {
  std::vector<Cidr> result;
  for (const auto& [block, state] : blocks_) {
    if (state.*flag == value) result.push_back(block);
  }
  return result;
}

void BlockSupplier::need(std::size_t waiting) {
  if (claims()) {
    consult(waiting);
    if (claim_trouble_ && nothing_to_give()) {
      deps_.hooks.refuse(*claim_trouble_);
    }
    return;
  }
  if (with(&Block::draining, false).empty()) {
    deps_.hooks.refuse(no_block());
    return;
  }
  if (!with(&Block::usable, false).empty()) return;  // soon
  const ipam::Counts counts = deps_.ledger.counts(deps_.clock.now());
  if (counts.free + counts.cooling == 0) deps_.hooks.refuse(exhausted());
}

void BlockSupplier::on_released(const IpAddr& address) {
  for (const auto& [block, state] : blocks_) {
    if (state.draining && block.contains(address) && !in_use(block)) sync();
  }
}

void BlockSupplier::on_assigned(const IpAddr&) {
  if (claims()) consult_soon();
}

void BlockSupplier::stop() {
  stopped_ = true;
  if (timer_ != 0) deps_.loop.cancel(timer_);
  deps_.loop.cancel(consult_timer_);
}

Result<ipam::Allocation> BlockSupplier::complete(
    const std::vector<IpAddr>& addresses) const {
  if (const auto why = drained()) return *why;
  ipam::Allocation allocation;
  allocation.addresses = addresses;
  allocation.node_addresses = TRY(sources_for(addresses, deps_.node.addresses));
  allocation.mtu = TRY(Result(mtu_));
  for (const auto& [block, state] : blocks_) {
    if (block.contains(addresses.front())) {
      allocation.source = block.to_string();
    }
  }
  return allocation;
}

}  // namespace linsey::agent
