#include "agent/block_supplier.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/uplink.h"
#include "base/json.h"
#include "base/log.h"
#include "ipam/block.h"

namespace linsey::agent {

BlockSupplier::BlockSupplier(SupplierDeps deps) : deps_(std::move(deps)) {}

void BlockSupplier::start() {
  config_changed();
}

void BlockSupplier::config_changed() {
  Result<netlink::Socket> socket = netlink::Socket::open();
  mtu_ = socket ? pod_mtu(*socket, deps_.config, deps_.node.addresses)
                : Result<std::uint32_t>(socket.error());
  feed();
  deps_.hooks.supply_changed();
}

void BlockSupplier::feed() {
  const auto assigned = deps_.config.blocks.assignments.find(deps_.node.name);
  std::vector<Cidr> wanted;
  if (assigned != deps_.config.blocks.assignments.end()) {
    wanted = assigned->second;
  }
  for (const Cidr& block : blocks_) {
    if (std::ranges::find(wanted, block) == wanted.end()) {
      deps_.ledger.drain_source(block.to_string());
    }
  }
  blocks_.clear();
  for (const Cidr& block : wanted) {
    const Result<std::vector<IpAddr>> addresses = ipam::addresses_of(block);
    if (!addresses) {
      log::error("block {}: {}", block.to_string(),
                 to_string(addresses.error()));
      continue;
    }
    std::vector<ipam::Supply> supply;
    for (const IpAddr& address : *addresses) {
      supply.push_back({address, block.to_string(), ""});
    }
    deps_.ledger.add(supply);
    blocks_.push_back(block);
  }
}

void BlockSupplier::need(std::size_t) {
  if (blocks_.empty()) {
    deps_.hooks.refuse(no_block());
  } else {
    deps_.hooks.refuse(exhausted());
  }
}

void BlockSupplier::on_released(const IpAddr&) {}
void BlockSupplier::on_assigned(const IpAddr&) {}
void BlockSupplier::stop() {}

Result<ipam::Allocation> BlockSupplier::complete(
    const std::vector<IpAddr>& addresses) const {
  ipam::Allocation allocation;
  allocation.addresses = addresses;
  allocation.node_addresses = TRY(sources_for(addresses, deps_.node.addresses));
  allocation.mtu = TRY(Result(mtu_));
  for (const Cidr& block : blocks_) {
    if (block.contains(addresses.front()))
      allocation.source = block.to_string();
  }
  return allocation;
}

Error BlockSupplier::no_block() const {
  return make_error(Code::kNoBlock, "node {} has no block", deps_.node.name);
}

Error BlockSupplier::exhausted() const {
  std::string blocks;
  for (const Cidr& block : blocks_) {
    blocks += (blocks.empty() ? "" : ", ") + block.to_string();
  }
  return make_error(Code::kBlockExhausted,
                    "every address of node {}'s blocks ({}) is held or cools",
                    deps_.node.name, blocks);
}

Health BlockSupplier::health() const {
  if (!mtu_) return {.ready = false, .why = mtu_.error(), .zone = {}};
  if (blocks_.empty()) return {.ready = false, .why = no_block(), .zone = {}};
  const ipam::Counts counts = deps_.ledger.counts(deps_.clock.now());
  if (counts.free + counts.cooling == 0) {
    return {.ready = false, .why = exhausted(), .zone = {}};
  }
  return {.ready = true, .why = {}, .zone = {}};
}

std::string BlockSupplier::describe() const {
  Json blocks = Json::array();
  for (const Cidr& block : blocks_) {
    blocks.push_back({{"cidr", block.to_string()}});
  }
  return dump_json({{"blocks", std::move(blocks)}});
}

}  // namespace linsey::agent
