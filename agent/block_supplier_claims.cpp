// The half of BlockSupplier that deals with blocks claimed in the API server.
#include <algorithm>
#include <utility>

#include "agent/block_supplier.h"
#include "base/log.h"
#include "bgp/bird_config.h"

namespace linsey::agent {
namespace {

/// Many ADDs, or many words of a watch, are looked at together.
constexpr Duration kSoon = std::chrono::milliseconds(50);

}  // namespace

void BlockSupplier::consult_soon() {
  consult_in(kSoon);
}

void BlockSupplier::consult_in(Duration delay) {
  const Instant due = deps_.clock.now() + delay;
  if (stopped_ || (consult_timer_ != 0 && consult_due_ <= due)) return;
  deps_.loop.cancel(consult_timer_);
  consult_due_ = due;
  consult_timer_ = deps_.loop.after(delay, "blocks", [this] {
    consult_timer_ = 0;
    consult();
  });
}

/// A row is committed when it is on disk and the kernel sends nothing of the
/// block elsewhere.
std::vector<ipam::LedgerBlock> BlockSupplier::ledger_blocks() const {
  std::vector<ipam::LedgerBlock> rows;
  const bool saved = !deps_.ledger.dirty();
  for (const auto& [place, counts] :
       deps_.ledger.counts_by_source(deps_.clock.now())) {
    const Result<Cidr> block = Cidr::parse_network(place.first);
    if (!block) continue;
    const auto known = blocks_.find(*block);
    rows.push_back(
        {.cidr = *block,
         .free = counts.free,
         .cooling = counts.cooling,
         .held = counts.held + counts.reserved,
         .committed = saved && known != blocks_.end() && known->second.stands,
         .announced = may_be_announced(*block)});
  }
  return rows;
}

/// Certain only when BIRD has taken a text without it.
bool BlockSupplier::may_be_announced(const Cidr& block) const {
  if (!speaker_ || speaker_->speaker.peers.empty()) return false;
  const std::vector<Cidr>& told = speaker_->speaker.blocks;
  return asking_ || !report_ || !report_->configured ||
         std::ranges::find(told, block) != told.end();
}

void BlockSupplier::consult(std::size_t waiting) {
  if (std::exchange(consulting_, true)) return;
  const ipam::ClaimPlan plan = deps_.claims.plan(ledger_blocks(), waiting);
  claim_trouble_ = plan.trouble;
  const std::vector<Cidr> before = announced();
  bool changed = false;
  for (const auto& [block, use] : plan.blocks) {
    changed |= apply(block, use);
  }
  changed |= std::erase_if(blocks_, [&](const auto& entry) {
               return !plan.blocks.contains(entry.first);
             }) > 0;
  if (changed) {
    keep_kernel();
    open_waiting();
    if (announced() != before) sync();
    // After this turn's commit: what is pending may be confirmed then.
    consult_soon();
  }
  consulting_ = false;
  consult_in(std::max(plan.again - deps_.clock.now(), kSoon));
}

/// True when something is other than before.
bool BlockSupplier::apply(const Cidr& block, ipam::Use use) {
  const auto [it, is_new] = blocks_.try_emplace(block);
  Block& state = it->second;
  if (is_new) state.since = deps_.clock.now();
  const Block before = state;
  state.forget = use == ipam::Use::kForget;
  state.contested = use == ipam::Use::kContested;
  state.draining = use != ipam::Use::kGive;
  const bool changed = is_new || state.forget != before.forget ||
                       state.contested != before.contested ||
                       state.draining != before.draining;
  if (use == ipam::Use::kHold) {
    state.usable = false;
    if (changed) hold(block);
  } else if (!state.draining) {
    if (changed && !is_new) state.since = deps_.clock.now();
    if (changed && state.usable) feed(block);
  } else if (changed) {
    deps_.ledger.drain_source(block.to_string());
  }
  if (changed && use == ipam::Use::kContested) {
    log::error("block {} is another node's; nothing is given from it",
               block.to_string());
  }
  return changed;
}

/// In the ledger, and not given.
void BlockSupplier::hold(const Cidr& block) {
  feed(block);
  deps_.ledger.drain_source(block.to_string());
}

void BlockSupplier::import_pools() {
  if (!deps_.config.bgp.import.empty()) return;
  std::vector<bgp::Import>& imports = speaker_->speaker.imports;
  for (const Cidr& pool : deps_.claims.pools()) {
    imports.push_back(bgp::import_of(pool));
  }
}

bool BlockSupplier::nothing_to_give() const {
  for (const auto& [block, state] : blocks_) {
    if (!state.draining && !state.usable) return false;  // soon
  }
  const ipam::Counts counts = deps_.ledger.counts(deps_.clock.now());
  return counts.free + counts.cooling == 0;
}

}  // namespace linsey::agent
