// `linseyctl ipam check`: do ledger, kernel, API server, cloud and routes say
// the same? The comparison is pure; what reads and mends the node stands apart.
//
// Each difference has a class, and where something can be done about it that
// takes nothing from a pod that runs, an action. The actions of one look are a
// plan, its hash stands for exactly them: --apply does them only while the node
// still shows what the plan was made for. Most of it the agent does by itself
// in time (agent/reconcile.h); this is for those who want to see it, or cannot
// wait.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "ctl/report.h"
#include "datapath/wire.h"
#include "ipam/types.h"

namespace linsey::ctl {

/// What the agent answers: ledger, what the cloud or BIRD last showed it, and
/// the pods that the API server has for this node ("namespace/name").
struct AgentView {
  std::vector<ipam::Held> held;
  std::map<IpAddr, std::string> sources;  // of every address in the ledger
  std::set<IpAddr> reserved;
  std::optional<std::set<std::string>> pods;
  struct Block {
    Cidr cidr;
    bool announced = false;
    bool contested = false;
    bool draining = false;
  };
  std::vector<Block> blocks;
  bool sessions = false;  // BGP is spoken
  struct Eni {
    std::set<IpAddr> addresses;
    std::uint32_t table = 0;
    bool usable = false;
  };
  std::map<std::string, Eni> enis;
};
/// Errors: kDecode.
Result<AgentView> parse_agent_view(const nlohmann::json& ipam,
                                   const nlohmann::json& pods);

struct KernelView {
  datapath::Traces traces;
  /// Of pods whose link stands: how the host's side differs from its plan.
  std::map<ipam::AttachmentKey, std::vector<std::string>> differences;
  std::set<Cidr> blackholes;
  std::set<std::uint32_t> tables;  // that have a default route
};

enum class Mend : std::uint8_t {
  kNone,         // a person decides
  kRemoveLink,   // of nobody
  kRemoveRules,  // to and from an address of nobody
  kRepairHost,   // routes, rules and neighbours of a pod that runs
  kRelease,      // an address without link, of a pod that is gone
};

struct Difference {
  std::string between;  // "ledger/kernel", "ledger/API", "ledger/cloud", …
  std::string kind;     // "leaked-link"
  std::string what;
  Mend mend = Mend::kNone;
  ipam::AttachmentKey key = {};
  std::optional<IpAddr> address = {};
  std::optional<datapath::OurLink> link = {};
};
/// The action as a sentence; "" for kNone.
std::string action_of(const Difference& difference);

std::vector<Difference> compare(const AgentView& agent,
                                const KernelView& kernel);
/// What both looks saw: an ADD or a DEL that is half way is no difference.
std::vector<Difference> both(const std::vector<Difference>& first,
                             const std::vector<Difference>& second);
/// 12 hex digits that stand for the actions; "" when there are none.
std::string plan_hash(const std::vector<Difference>& differences);

// The node (ipam_check_node.cpp), in the namespace of the calling thread.

/// Errors: kKernel.
Result<KernelView> look_at_kernel(const AgentView& agent);
/// Does the action, but kRelease, which is the agent's. Errors: kKernel,
/// kPermission.
Result<void> mend(const Difference& difference, const AgentView& agent);

}  // namespace linsey::ctl
