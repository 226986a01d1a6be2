#include "agent/block_claimer.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/crash_point.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "conf/selector.h"

namespace linsey::agent {
namespace {

using ipam::BlockPhase;
using ipam::ClaimAction;
using ipam::ClaimAnswer;
using ipam::ClaimResult;
using ipam::ClaimVerb;

const char* word(ClaimVerb verb) {
  switch (verb) {
    case ClaimVerb::kLook:
      return "look";
    case ClaimVerb::kList:
      return "list";
    case ClaimVerb::kCreate:
      return "create";
    case ClaimVerb::kConfirm:
      return "confirm";
    case ClaimVerb::kRelease:
      return "release";
    default:
      return "delete";
  }
}

const char* word(ClaimAnswer answer) {
  switch (answer) {
    case ClaimAnswer::kDone:
      return "done";
    case ClaimAnswer::kFree:
      return "free";
    case ClaimAnswer::kOurs:
      return "ours";
    case ClaimAnswer::kTaken:
      return "taken";
    default:
      return "failed";
  }
}

BlockPhase phase_of(kube::BlockState state) {
  switch (state) {
    case kube::BlockState::kPending:
      return BlockPhase::kPending;
    case kube::BlockState::kConfirmed:
      return BlockPhase::kConfirmed;
    default:
      return BlockPhase::kReleasing;
  }
}

struct Owner {
  std::string node;
  std::string uid;
};

/// Whose is it? The answer to a look, and to every reply that leaves it open.
Result<void> look(kube::Client& client, const Owner& self,
                  ClaimResult& result) {
  const Result<Json> object =
      client.get(kube::kIpBlocks, "", kube::block_name(result.action.block));
  if (!object) {
    if (object.error().code != Code::kApiNotFound) return object.error();
    result.answer = ClaimAnswer::kFree;
    return {};
  }
  const kube::IpBlock block = TRY(kube::read_block(*object));
  result.answer =
      block.node == self.node ? ClaimAnswer::kOurs : ClaimAnswer::kTaken;
  result.phase = phase_of(block.state);
  result.uid = block.meta.uid;
  return {};
}

Result<void> list(kube::Client& client, ClaimResult& result) {
  const kube::List found =
      TRY(client.list(kube::kIpBlocks, "",
                      {.label_selector = fmt::format("{}={}", kube::kPoolLabel,
                                                     result.action.pool),
                       .field_selector = {}}));
  for (const Json& object : found.items) {
    const Result<kube::IpBlock> block = kube::read_block(object);
    if (block) result.taken.push_back(block->cidr);
  }
  return {};
}

Result<Json> write(kube::Client& client, const Owner& self,
                   const ClaimAction& action) {
  kube::IpBlock block{.cidr = action.block,
                      .pool = action.pool,
                      .node = self.node,
                      .node_uid = self.uid,
                      .state = kube::BlockState::kPending};
  const std::string name = kube::block_name(action.block);
  if (action.verb == ClaimVerb::kCreate) {
    return client.create(kube::kIpBlocks, "", kube::to_json(block));
  }
  if (action.verb == ClaimVerb::kDelete) {
    TRY(client.remove(kube::kIpBlocks, "", name, {.uid = action.uid}));
    return Json::object();
  }
  Json patch = kube::state_patch(block, action.verb == ClaimVerb::kConfirm
                                            ? kube::BlockState::kConfirmed
                                            : kube::BlockState::kReleasing);
  // Not the object that somebody made anew under that name.
  if (!action.uid.empty()) patch["metadata"]["uid"] = action.uid;
  return client.patch(kube::kIpBlocks, "", name, patch);
}

/// On the worker.
Result<void> carry_out(kube::Client& client, const Owner& self,
                       ClaimResult& result) {
  if (result.action.verb == ClaimVerb::kLook) {
    return look(client, self, result);
  }
  if (result.action.verb == ClaimVerb::kList) return list(client, result);
  const Result<Json> done = write(client, self, result.action);
  if (done) {
    const Json* metadata = find_member(*done, "metadata");
    if (metadata != nullptr) result.uid = metadata->value("uid", "");
    return {};
  }
  switch (done.error().code) {
    case Code::kApiExists:
    case Code::kApiConflict:
      return look(client, self, result);
    case Code::kApiNotFound:
      result.answer = ClaimAnswer::kFree;
      return {};
    default:
      return done.error();
  }
}

}  // namespace

BlockClaimer::BlockClaimer(BlockClaimerDeps deps)
    : deps_(deps), claims_(deps_.documents.node_name()) {
  Metrics& metrics = deps_.metrics;
  metrics.describe_counter("linsey_block_claims_total",
                           "Actions on blocks in the API server by answer.");
  metrics.describe_gauge("linsey_block_warning",
                         "1 while a warning about blocks or pools stands.");
  const Result<std::string> text = read_file(pools_file());
  const Result<Json> kept =
      text ? parse_json(*text) : Result<Json>(text.error());
  if (!kept || !kept->is_array()) return;
  for (const Json& item : *kept) {
    const Result<Cidr> cidr = item.is_string()
                                  ? Cidr::parse_network(item.get<std::string>())
                                  : Result<Cidr>(Error{});
    if (cidr) pools_.push_back(*cidr);
  }
}

std::string BlockClaimer::pools_file() const {
  return deps_.documents.config().state_dir + "/pools.json";
}

ClaimDesk BlockClaimer::desk() {
  return {
      .plan =
          [this](std::vector<ipam::LedgerBlock> ledger, std::size_t waiting) {
            return plan(std::move(ledger), waiting);
          },
      .pools = [this] { return pools_; },
      .on_changed =
          [this](std::function<void()> call) {
            on_changed_ = std::move(call);
          }};
}

void BlockClaimer::changed() {
  keep_pools();
  on_changed_();
}

/// Those of the API server, as soon as it has shown them all.
void BlockClaimer::keep_pools() {
  if (!deps_.party.blocks_current()) return;
  std::vector<Cidr> shown;
  Json texts = Json::array();
  for (const auto& [name, pool] : *deps_.party.pools()) {
    shown.push_back(pool.cidr);
    texts.push_back(pool.cidr.to_string());
  }
  if (shown == pools_) return;
  pools_ = std::move(shown);
  const Result<void> written = write_file_atomic(pools_file(), dump_json(texts),
                                                 {.mode = 0600, .sync = true});
  if (!written) log::warn("remember pools: {}", to_string(written.error()));
}

ipam::ClaimScene BlockClaimer::scene() const {
  ipam::ClaimScene scene;
  scene.current = deps_.party.blocks_current();
  if (const auto* pools = deps_.party.pools()) {
    for (const auto& [name, pool] : *pools) {
      const Result<conf::Selector> selector =
          conf::Selector::parse(pool.node_selector);
      if (!selector || !selector->matches(deps_.documents.node().labels)) {
        continue;
      }
      const bool give = !pool.disabled && !pool.meta.deleting;
      scene.pools.push_back({.name = pool.meta.name,
                             .cidr = pool.cidr,
                             .block_size = pool.block_size,
                             .claim = give && pool.valid(),
                             .give = give,
                             .total = pool.blocks_total,
                             .used = pool.blocks_used});
    }
  }
  if (const auto* blocks = deps_.party.blocks()) {
    for (const auto& [name, block] : *blocks) {
      scene.own.push_back({.cidr = block.cidr,
                           .pool = block.pool,
                           .uid = block.meta.uid,
                           .phase = phase_of(block.state)});
    }
  }
  return scene;
}

ipam::ClaimPlan BlockClaimer::plan(std::vector<ipam::LedgerBlock> ledger,
                                   std::size_t waiting) {
  ipam::ClaimScene now = scene();
  now.ledger = std::move(ledger);
  now.waiting = waiting;
  const Result<void> nameable =
      kube::check_node_name(deps_.documents.node_name());
  if (!nameable) now.current = false;
  ipam::ClaimPlan plan = claims_.plan(now, deps_.clock.now());
  if (!nameable) plan.trouble = nameable.error();
  for (const ClaimAction& action : plan.actions) {
    begin(action);
  }
  tell(plan);
  return plan;
}

/// A warning is told when it begins to stand.
void BlockClaimer::tell(const ipam::ClaimPlan& plan) {
  std::set<std::string> standing;
  deps_.metrics.clear("linsey_block_warning");
  const auto one = [&](const Error& why) {
    const std::string code(name(why.code));
    deps_.metrics.set("linsey_block_warning", 1, {{"code", code}});
    standing.insert(code);
    if (told_.contains(code)) return;
    log::warn("blocks: {}", to_string(why));
    deps_.events.node(true, code, to_string(why));
  };
  for (const Error& warning : plan.warnings) {
    one(warning);
  }
  if (plan.trouble) one(*plan.trouble);
  told_ = std::move(standing);
}

void BlockClaimer::begin(const ClaimAction& action) {
  // shared_ptr: filled on the worker, read on the loop when that is over.
  const auto result = std::make_shared<ClaimResult>();
  result->action = action;
  const Owner self{deps_.documents.node_name(), deps_.documents.node().uid};
  deps_.writer.submit({.key = fmt::format("block {} {}", word(action.verb),
                                          action.block.to_string()),
                       .kind = "block",
                       .urgency = Urgency::kBlock,
                       .once = true,
                       .call =
                           [result, self](kube::Client& client) {
                             return carry_out(client, self, *result);
                           },
                       .done =
                           [this, result](const Result<void>& done) {
                             if (!done) {
                               result->answer = ClaimAnswer::kFailed;
                               result->why = done.error();
                             }
                             finish(*result);
                           }});
}

void BlockClaimer::finish(const ClaimResult& result) {
  CRASH_POINT("block.answered");
  const ClaimAction& action = result.action;
  deps_.metrics.count(
      "linsey_block_claims_total",
      {{"verb", word(action.verb)}, {"answer", word(result.answer)}});
  if (action.verb != ClaimVerb::kLook && action.verb != ClaimVerb::kList) {
    log::info("block {}: {}: {}{}", action.block.to_string(), word(action.verb),
              word(result.answer),
              result.why ? ": " + to_string(*result.why) : std::string());
  }
  claims_.observe(result, deps_.clock.now());
  on_changed_();
}

}  // namespace linsey::agent
