// Objects: Linsey's own kinds in the API server as plain structs.
//
// IPPool (what may be carved), IPBlock (who has which block; its name is made
// from the CIDR, so that creating the object is the compare-and-swap), and
// NodeNetwork (what a node says of itself, in its status). Reading ignores
// keys it does not know, since a newer version may have written them, and
// refuses what it cannot use. Selectors stay text here: this room knows no
// labels. Claim = create (pending) + one patch (confirmed); release = patch
// (releasing) + delete. No status of IPBlock exists, it would cost a write.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/json.h"
#include "base/result.h"

namespace linsey::kube {

inline constexpr std::string_view kNodeLabel = "linsey.dev/node";
inline constexpr std::string_view kPoolLabel = "linsey.dev/pool";
/// On an IPPool until its last block is gone.
inline constexpr std::string_view kBlocksFinalizer = "linsey.dev/blocks";
inline constexpr std::string_view kValid = "Valid";  // condition of an IPPool

struct Meta {
  std::string name;
  std::string uid;
  std::string resource_version;
  std::string created;  // RFC 3339, as the server wrote it; orders as text
  std::map<std::string, std::string> labels;
  std::vector<std::string> finalizers;
  bool deleting = false;  // has a deletionTimestamp

  bool operator==(const Meta&) const = default;
};

struct Condition {
  std::string type;
  std::string status;  // "True", "False", "Unknown"
  std::string reason;  // a reason code's name, or one word
  std::string message;
  std::string since;  // lastTransitionTime, RFC 3339

  bool operator==(const Condition&) const = default;
};

const Condition* find_condition(const std::vector<Condition>& conditions,
                                std::string_view type);

struct IpPool {
  Meta meta;
  Cidr cidr;
  unsigned block_size = 0;  // never 0 after reading: 26 or 122 by default
  std::string node_selector;
  bool disabled = false;
  // Status, written by the controller alone.
  std::vector<Condition> conditions;
  std::int64_t blocks_total = 0;
  std::int64_t blocks_used = 0;

  /// The controller has marked it valid; nothing may be claimed before.
  bool valid() const;
  bool operator==(const IpPool&) const = default;
};

enum class BlockState : std::uint8_t { kPending, kConfirmed, kReleasing };
std::string_view name(BlockState state);

struct IpBlock {
  Meta meta;
  Cidr cidr;
  std::string pool;
  std::string node;
  std::string node_uid;
  BlockState state = BlockState::kPending;

  bool operator==(const IpBlock&) const = default;
};

struct NodeNetwork {
  struct Eni {
    std::string id;
    std::string vswitch;
    std::uint32_t addresses = 0;
    bool draining = false;
    bool operator==(const Eni&) const = default;
  };

  Meta meta;
  std::string mode;
  std::string why;
  std::string zone;
  std::uint32_t free = 0;
  std::uint32_t held = 0;
  std::uint32_t cooling = 0;
  std::vector<Cidr> blocks;
  std::vector<Eni> enis;
  std::uint32_t sessions_up = 0;
  std::uint32_t sessions_total = 0;
  std::vector<Condition> conditions;
  std::string observed_config;
  std::string agent_version;

  bool operator==(const NodeNetwork&) const = default;
};

/// Errors of all three: kApiBadReply naming the JSON pointer; a block whose
/// name does not fit its CIDR is one too.
Result<IpPool> read_pool(const Json& object);
Result<IpBlock> read_block(const Json& object);
Result<NodeNetwork> read_node_network(const Json& object);

/// Whole objects for create and update (labels, finalizers, spec; no status).
Json to_json(const IpPool& pool);
/// Name and both labels are made from the fields.
Json to_json(const IpBlock& block);
Json to_json(const NodeNetwork& node);
/// The "status" member, for patch() with subresource "status".
Json status_json(const IpPool& pool);
Json status_json(const NodeNetwork& node);
/// The merge patch that moves a block to `state`; its resourceVersion, when
/// known, guards it against others.
Json state_patch(const IpBlock& block, BlockState state);

/// "4-0af40340-26", "6-<32 hex digits>-122".
std::string block_name(const Cidr& block);
/// The block that a name stands for. Errors: kDecode.
Result<Cidr> block_from_name(std::string_view name);

/// A node's name goes into a label, which takes 63 characters at most.
/// Errors: kInvalidConfig.
Result<void> check_node_name(std::string_view name);

}  // namespace linsey::kube
