#include "kube/objects.h"

#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

namespace linsey::kube {
namespace {

constexpr std::string_view kApiVersion = "linsey.dev/v1";
constexpr std::array<std::string_view, 3> kStates{"pending", "confirmed",
                                                  "releasing"};

ObjectReader reader(const Json& object) {
  ObjectReader root(&object, "", Code::kApiBadReply);
  root.ignore_unknown();
  return root;
}

void read_meta(ObjectReader& root, Meta& meta) {
  root.object("metadata", [&](ObjectReader& in) {
    in.require("name");
    in.get("name", meta.name);
    in.get("uid", meta.uid);
    in.get("resourceVersion", meta.resource_version);
    in.get("creationTimestamp", meta.created);
    in.get("labels", meta.labels);
    in.get("finalizers", meta.finalizers);
    meta.deleting = in.has("deletionTimestamp");
  });
}

Json meta_json(const Meta& meta) {
  Json json = {{"name", meta.name}};
  if (!meta.resource_version.empty()) {
    json["resourceVersion"] = meta.resource_version;
  }
  if (!meta.uid.empty()) json["uid"] = meta.uid;
  if (!meta.labels.empty()) json["labels"] = meta.labels;
  if (!meta.finalizers.empty()) json["finalizers"] = meta.finalizers;
  return json;
}

std::vector<Condition> read_conditions(ObjectReader& in) {
  std::vector<Condition> conditions;
  in.each("conditions", [&](ObjectReader& entry) {
    Condition condition;
    entry.get("type", condition.type);
    entry.get("status", condition.status);
    entry.get("reason", condition.reason);
    entry.get("message", condition.message);
    entry.get("lastTransitionTime", condition.since);
    conditions.push_back(std::move(condition));
  });
  return conditions;
}

Json conditions_json(const std::vector<Condition>& conditions) {
  Json list = Json::array();
  for (const Condition& condition : conditions) {
    list.push_back({{"type", condition.type},
                    {"status", condition.status},
                    {"reason", condition.reason},
                    {"message", condition.message},
                    {"lastTransitionTime", condition.since}});
  }
  return list;
}

void read_pool_spec(ObjectReader& spec, IpPool& pool) {
  spec.require("cidr");
  spec.get_parsed("cidr", pool.cidr, Cidr::parse_network);
  pool.block_size = pool.cidr.family() == Family::kV4 ? 26 : 122;
  spec.get_int("blockSize", pool.block_size, 1, 128);
  spec.get("nodeSelector", pool.node_selector);
  spec.get("disabled", pool.disabled);
}

void read_block_spec(ObjectReader& spec, IpBlock& block) {
  for (const char* key : {"cidr", "pool", "node"}) {
    spec.require(key);
  }
  spec.get_parsed("cidr", block.cidr, Cidr::parse_network);
  spec.get("pool", block.pool);
  spec.get("node", block.node);
  spec.get("nodeUID", block.node_uid);
  std::string state(kStates.front());
  spec.get("state", state);
  for (std::size_t i = 0; i < kStates.size(); ++i) {
    if (state != kStates.at(i)) continue;
    block.state = static_cast<BlockState>(i);
    return;
  }
  spec.fail("state", "must be pending, confirmed or releasing");
}

void read_status(ObjectReader& status, NodeNetwork& node) {
  constexpr std::int64_t kMost = std::numeric_limits<std::uint32_t>::max();
  status.get("mode", node.mode);
  status.get("why", node.why);
  status.get("zone", node.zone);
  status.object("addresses", [&](ObjectReader& in) {
    in.get_int("free", node.free, 0, kMost);
    in.get_int("held", node.held, 0, kMost);
    in.get_int("cooling", node.cooling, 0, kMost);
  });
  status.get_parsed_list("blocks", node.blocks, Cidr::parse_network);
  status.each("enis", [&](ObjectReader& in) {
    NodeNetwork::Eni eni;
    in.get("id", eni.id);
    in.get("vSwitch", eni.vswitch);
    in.get_int("addresses", eni.addresses, 0, kMost);
    in.get("draining", eni.draining);
    node.enis.push_back(std::move(eni));
  });
  status.object("bgp", [&](ObjectReader& in) {
    in.get_int("sessionsUp", node.sessions_up, 0, kMost);
    in.get_int("sessionsTotal", node.sessions_total, 0, kMost);
  });
  node.conditions = read_conditions(status);
  status.get("observedConfig", node.observed_config);
  status.get("agentVersion", node.agent_version);
}

}  // namespace

const Condition* find_condition(const std::vector<Condition>& conditions,
                                std::string_view type) {
  for (const Condition& condition : conditions) {
    if (condition.type == type) return &condition;
  }
  return nullptr;
}

bool IpPool::valid() const {
  const Condition* condition = find_condition(conditions, kValid);
  return condition != nullptr && condition->status == "True";
}

std::string_view name(BlockState state) {
  return kStates.at(static_cast<std::size_t>(state));
}

Result<IpPool> read_pool(const Json& object) {
  IpPool pool;
  ObjectReader root = reader(object);
  read_meta(root, pool.meta);
  root.require("spec");
  root.object("spec", [&](ObjectReader& in) { read_pool_spec(in, pool); });
  root.object("status", [&](ObjectReader& in) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    pool.conditions = read_conditions(in);
    in.object("blocks", [&](ObjectReader& blocks) {
      blocks.get_int("total", pool.blocks_total, 0, kMost);
      blocks.get_int("used", pool.blocks_used, 0, kMost);
    });
  });
  TRY(context(root.finish(), "IPPool {}", pool.meta.name));
  return pool;
}

Result<IpBlock> read_block(const Json& object) {
  IpBlock block;
  ObjectReader root = reader(object);
  read_meta(root, block.meta);
  root.require("spec");
  root.object("spec", [&](ObjectReader& in) { read_block_spec(in, block); });
  TRY(context(root.finish(), "IPBlock {}", block.meta.name));
  if (block_name(block.cidr) != block.meta.name) {
    return make_error(Code::kApiBadReply,
                      "IPBlock {} has the cidr {}, whose name is {}; delete it",
                      block.meta.name, block.cidr.to_string(),
                      block_name(block.cidr));
  }
  return block;
}

Result<NodeNetwork> read_node_network(const Json& object) {
  NodeNetwork node;
  ObjectReader root = reader(object);
  read_meta(root, node.meta);
  root.object("status", [&](ObjectReader& in) { read_status(in, node); });
  TRY(context(root.finish(), "NodeNetwork {}", node.meta.name));
  return node;
}

Json to_json(const IpPool& pool) {
  Json spec = {{"cidr", pool.cidr.to_string()},
               {"blockSize", pool.block_size},
               {"disabled", pool.disabled}};
  if (!pool.node_selector.empty()) spec["nodeSelector"] = pool.node_selector;
  return {{"apiVersion", kApiVersion},
          {"kind", "IPPool"},
          {"metadata", meta_json(pool.meta)},
          {"spec", std::move(spec)}};
}

Json to_json(const IpBlock& block) {
  Meta meta = block.meta;
  meta.name = block_name(block.cidr);
  meta.labels[std::string(kNodeLabel)] = block.node;
  meta.labels[std::string(kPoolLabel)] = block.pool;
  return {{"apiVersion", kApiVersion},
          {"kind", "IPBlock"},
          {"metadata", meta_json(meta)},
          {"spec",
           {{"cidr", block.cidr.to_string()},
            {"pool", block.pool},
            {"node", block.node},
            {"nodeUID", block.node_uid},
            {"state", name(block.state)}}}};
}

Json to_json(const NodeNetwork& node) {
  return {{"apiVersion", kApiVersion},
          {"kind", "NodeNetwork"},
          {"metadata", meta_json(node.meta)}};
}

Json status_json(const IpPool& pool) {
  return {
      {"conditions", conditions_json(pool.conditions)},
      {"blocks", {{"total", pool.blocks_total}, {"used", pool.blocks_used}}}};
}

Json status_json(const NodeNetwork& node) {
  Json blocks = Json::array();
  for (const Cidr& block : node.blocks) {
    blocks.push_back(block.to_string());
  }
  Json enis = Json::array();
  for (const NodeNetwork::Eni& eni : node.enis) {
    enis.push_back({{"id", eni.id},
                    {"vSwitch", eni.vswitch},
                    {"addresses", eni.addresses},
                    {"draining", eni.draining}});
  }
  return {
      {"mode", node.mode},
      {"why", node.why},
      {"zone", node.zone},
      {"addresses",
       {{"free", node.free}, {"held", node.held}, {"cooling", node.cooling}}},
      {"blocks", std::move(blocks)},
      {"enis", std::move(enis)},
      {"bgp",
       {{"sessionsUp", node.sessions_up},
        {"sessionsTotal", node.sessions_total}}},
      {"conditions", conditions_json(node.conditions)},
      {"observedConfig", node.observed_config},
      {"agentVersion", node.agent_version}};
}

Json state_patch(const IpBlock& block, BlockState state) {
  Json patch = {{"spec", {{"state", name(state)}}}};
  if (!block.meta.resource_version.empty()) {
    patch["metadata"]["resourceVersion"] = block.meta.resource_version;
  }
  return patch;
}

std::string block_name(const Cidr& block) {
  std::string name = block.addr().is_v4() ? "4-" : "6-";
  for (const std::uint8_t byte : block.addr().bytes()) {
    name += fmt::format("{:02x}", byte);
  }
  return name + fmt::format("-{}", block.prefix_len());
}

Result<Cidr> block_from_name(std::string_view name) {
  const Error bad = make_error(Code::kDecode, "\"{}\" is no block name", name);
  const bool is_v4 = name.starts_with("4-");
  const std::size_t digits = is_v4 ? 8 : 32;
  if ((!is_v4 && !name.starts_with("6-")) || name.size() < digits + 4 ||
      name[digits + 2] != '-') {
    return bad;
  }
  std::vector<std::uint8_t> bytes(digits / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char* from = name.data() + 2 + 2 * i;
    if (std::from_chars(from, from + 2, bytes[i], 16).ptr != from + 2) {
      return bad;
    }
  }
  unsigned length = 0;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + digits + 3, end, length);
  if (parsed.ec != std::errc() || parsed.ptr != end || length > digits * 4) {
    return bad;
  }
  const Cidr block(IpAddr::from_bytes(bytes), length);
  if (block_name(block) != name || block.has_host_bits()) return bad;
  return block;
}

Result<void> check_node_name(std::string_view name) {
  constexpr std::size_t kLabelLimit = 63;
  if (!name.empty() && name.size() <= kLabelLimit) return {};
  return make_error(Code::kInvalidConfig,
                    "node name \"{}\" has {} characters; blocks are labelled "
                    "with it, which takes 1 to {}: register the node under a "
                    "shorter name (kubelet --hostname-override)",
                    name, name.size(), kLabelLimit);
}

}  // namespace linsey::kube
