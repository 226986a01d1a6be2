#include "sim/blocks_api.h"

#include <utility>

#include <nlohmann/json.hpp>

namespace linsey::sim {
namespace {

using ipam::ClaimAnswer;
using ipam::ClaimVerb;
// uid, resourceVersion, timestamps, managedFields and the watch's frame.
constexpr std::uint64_t kServersPart = 700;

ipam::BlockPhase phase_of(kube::BlockState state) {
  return static_cast<ipam::BlockPhase>(state);
}

}  // namespace

std::vector<ipam::OwnBlock> BlocksApi::own(const std::string& node) const {
  std::vector<ipam::OwnBlock> blocks;
  const auto found = by_node_.find(node);
  if (found == by_node_.end()) return blocks;
  for (const std::string& name : found->second) {
    const kube::IpBlock& block = scene.blocks.at(name);
    blocks.push_back(
        {block.cidr, block.pool, block.meta.uid, phase_of(block.state)});
  }
  return blocks;
}

std::string BlocksApi::owner(const Cidr& block) const {
  const auto found = scene.blocks.find(kube::block_name(block));
  return found == scene.blocks.end() ? std::string() : found->second.node;
}

void BlocksApi::tell(const kube::IpBlock& block) {
  watch_bytes += dump_json(kube::to_json(block)).size() + kServersPart;
}

ipam::ClaimResult BlocksApi::serve(const std::string& node,
                                   const ipam::ClaimAction& action) {
  const bool lost = random_() % 1000 < lost_of_1000;
  ipam::ClaimResult result{.action = action, .answer = ClaimAnswer::kFailed};
  if (!down) result = act(node, action);
  if (lost) result.answer = ClaimAnswer::kFailed;
  return result;
}

ipam::ClaimResult BlocksApi::act(const std::string& node,
                                 const ipam::ClaimAction& action) {
  ipam::ClaimResult result{.action = action};
  if (action.verb == ClaimVerb::kList) {
    ++writes.lists;
    for (const auto& [name, block] : scene.blocks) {
      if (block.pool == action.pool) result.taken.push_back(block.cidr);
    }
    return result;
  }
  const std::string name = kube::block_name(action.block);
  auto found = scene.blocks.find(name);
  if (no_cas && action.verb != ClaimVerb::kConfirm &&
      found != scene.blocks.end() && found->second.node != node) {
    by_node_[found->second.node].erase(name);
    scene.blocks.erase(found);
    found = scene.blocks.end();
  }
  if (action.verb == ClaimVerb::kLook) ++writes.looks;
  if (action.verb == ClaimVerb::kCreate && found == scene.blocks.end()) {
    writes.create += count_as;
    kube::IpBlock block{
        .cidr = action.block, .pool = action.pool, .node = node};
    block.meta.name = name;
    block.meta.uid = result.uid = std::to_string(next_uid_++);
    by_node_[node].insert(name);
    tell(block);
    scene.blocks.emplace(name, std::move(block));
    return result;
  }
  if (found == scene.blocks.end()) {
    result.answer = ClaimAnswer::kFree;
    return result;
  }
  kube::IpBlock& block = found->second;
  const bool ours = block.node == node;
  result.uid = block.meta.uid;
  result.phase = phase_of(block.state);
  const bool guarded = action.uid.empty() || action.uid == block.meta.uid;
  if (action.verb == ClaimVerb::kLook || action.verb == ClaimVerb::kCreate ||
      !ours || !guarded) {
    if (action.verb != ClaimVerb::kLook) ++writes.refused;
    result.answer = ours ? ClaimAnswer::kOurs : ClaimAnswer::kTaken;
    return result;
  }
  change(block, action.verb);
  return result;
}

void BlocksApi::change(kube::IpBlock& block, ClaimVerb verb) {
  tell(block);
  if (verb == ClaimVerb::kDelete) {
    writes.remove += count_as;
    by_node_[block.node].erase(block.meta.name);
    scene.blocks.erase(std::string(block.meta.name));
    return;
  }
  const bool confirm = verb == ClaimVerb::kConfirm;
  (confirm ? writes.confirm : writes.release) += count_as;
  block.state =
      confirm ? kube::BlockState::kConfirmed : kube::BlockState::kReleasing;
}

void BlocksApi::carry_out(const controller::Action& action) {
  using controller::Verb;
  if (action.verb == Verb::kForgetNode) return;
  if (action.verb == Verb::kFreeBlock) {
    if (scene.nodes.contains(action.node)) return;  // the look by name
    ++writes.freed;
    by_node_[action.node].erase(action.block.meta.name);
    scene.blocks.erase(action.block.meta.name);
    return;
  }
  ++writes.status;
  kube::IpPool& pool = scene.pools.at(action.pool.meta.name);
  if (action.verb == Verb::kSetFinalizers) {
    pool.meta.finalizers = action.pool.meta.finalizers;
  } else {
    pool.conditions = action.pool.conditions;
    pool.blocks_total = action.pool.blocks_total;
    pool.blocks_used = action.pool.blocks_used;
  }
  Json object = kube::to_json(pool);
  object["status"] = kube::status_json(pool);
  watch_bytes += (dump_json(object).size() + kServersPart) * scene.nodes.size();
}

}  // namespace linsey::sim
