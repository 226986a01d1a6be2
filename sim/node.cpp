#include "sim/node.h"

#include <algorithm>
#include <utility>

#include "ipam/block.h"

namespace linsey::sim {
namespace {

using ipam::Use;

ipam::AttachmentKey key_of(std::uint64_t pod) {
  return {"n", std::to_string(pod), "eth0"};
}

std::vector<ipam::ClaimPool> pools_of(const BlocksApi& api) {
  std::vector<ipam::ClaimPool> pools;
  for (const auto& [name, pool] : api.scene.pools) {
    pools.push_back({.name = name,
                     .cidr = pool.cidr,
                     .block_size = pool.block_size,
                     .claim = pool.valid(),
                     .total = pool.blocks_total,
                     .used = pool.blocks_used});
  }
  return pools;
}

}  // namespace

Node::Node(std::string name) : name_(std::move(name)), claims_(name_) {}

std::optional<std::vector<IpAddr>> Node::add(std::uint64_t pod, Instant now) {
  ipam::AssignRequest request;
  request.attachment.key = key_of(pod);
  request.families = {Family::kV4, Family::kV6};
  Result<ipam::Assigned> assigned = ledger_.assign(request, now);
  if (!assigned) return std::nullopt;
  return assigned->held.allocation.addresses;
}

void Node::del(std::uint64_t pod, Instant now) {
  (void)ledger_.release(key_of(pod), now);
}

Node::Disk Node::disk(Instant now) const {
  Disk disk{.rows = ledger_.rows(now)};
  for (const auto& [key, held] : ledger_.held()) {
    disk.held.push_back(held);
  }
  return disk;
}

void Node::crash(const Disk& disk) {
  ledger_ = ipam::Ledger();
  for (const ipam::AddressRow& row : disk.rows) {
    ledger_.restore(row, true);
  }
  for (const ipam::Held& held : disk.held) {
    ledger_.restore(held, false, true);
  }
  claims_ = ipam::BlockClaims(name_);
  used_.clear();
  again_ = {};
}

std::vector<ipam::LedgerBlock> Node::ledger_blocks(Instant now) const {
  std::map<Cidr, ipam::LedgerBlock> blocks;
  for (const auto& [source, counts] : ledger_.counts_by_source(now)) {
    const Cidr cidr = Cidr::parse_network(source.first).value();
    const auto used = used_.find(cidr);
    blocks[cidr] = {
        .cidr = cidr,
        .free = counts.free,
        .cooling = counts.cooling,
        .held = counts.held + counts.reserved,
        .committed = true,
        .announced = used != used_.end() &&
                     (used->second == Use::kGive ||
                      (used->second == Use::kDrain && counts.held > 0))};
  }
  std::vector<ipam::LedgerBlock> list;
  list.reserve(blocks.size());
  for (const auto& [cidr, block] : blocks) {
    list.push_back(block);
  }
  return list;
}

Result<bool> Node::turn(BlocksApi& api, bool reachable, Instant now) {
  const bool current = reachable && !api.down && now >= cut_until;
  ipam::ClaimScene scene{.pools = pools_of(api),
                         .own = api.own(name_),
                         .ledger = ledger_blocks(now),
                         .current = current,
                         .waiting = waiting};
  const ipam::ClaimPlan plan = claims_.plan(scene, now);
  bool more = false;
  for (const auto& [block, use] : plan.blocks) {
    more |= TRY(apply(block, use, api));
  }
  save();
  for (const ipam::ClaimAction& action : plan.actions) {
    claims_.observe(api.serve(name_, action), now);
    more = true;
  }
  again_ = more ? now : plan.again;
  return more;
}

Result<bool> Node::apply(const Cidr& block, Use use, const BlocksApi& api) {
  const auto old = used_.find(block);
  if (old != used_.end() && old->second == use) return false;
  if (use == Use::kForget) {
    used_.erase(block);
    TRY(ledger_.remove(TRY(ipam::addresses_of(block))));
    return true;
  }
  const bool known = old != used_.end();
  used_[block] = use;
  if (use == Use::kGive && api.owner(block) != name_) {
    return make_error(Code::kInternal, "{} gives from {}, which is {}'s", name_,
                      block.to_string(), api.owner(block));
  }
  if (use == Use::kGive || (use == Use::kHold && !known)) {
    std::vector<ipam::Supply> supply;
    for (const IpAddr& address : TRY(ipam::addresses_of(block))) {
      supply.push_back({address, block.to_string(), ""});
    }
    ledger_.add(supply);
  }
  if (use != Use::kGive) ledger_.drain_source(block.to_string());
  return true;
}

}  // namespace linsey::sim
