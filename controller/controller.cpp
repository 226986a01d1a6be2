#include "controller/controller.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/wall_text.h"

namespace linsey::controller {
namespace {

std::string name_of(const Json& object) {
  const Json* metadata = find_member(object, "metadata");
  const Json* name =
      metadata != nullptr ? find_member(*metadata, "name") : nullptr;
  return name != nullptr && name->is_string() ? name->get<std::string>()
                                              : std::string();
}

}  // namespace

Controller::Controller(const Connect& connect, const Clock& clock,
                       Options options)
    : clock_(clock),
      transport_(connect()),
      client_(*transport_),
      planner_(options) {
  const auto follow = [&](const kube::Resource& type, Copy::Put put) {
    copies_.push_back(std::make_unique<Copy>(
        connect(), kube::WatchOptions{.type = type}, std::move(put)));
  };
  follow(kube::kNodes, [this](const Json& o, bool d) { put_node(o, d); });
  follow(kube::kIpPools, [this](const Json& o, bool d) { put_pool(o, d); });
  follow(kube::kIpBlocks, [this](const Json& o, bool d) { put_block(o, d); });
}

void Controller::put_node(const Json& object, bool deleted) {
  const std::lock_guard lock(mutex_);
  if (deleted) {
    known_.nodes.erase(name_of(object));
  } else {
    known_.nodes.insert(name_of(object));
  }
}

void Controller::put_pool(const Json& object, bool deleted) {
  const std::string name = name_of(object);
  Result<kube::IpPool> pool = kube::read_pool(object);
  if (!pool) log::error("{}", to_string(pool.error()));
  const std::lock_guard lock(mutex_);
  known_.pools.erase(name);
  if (pool && !deleted) known_.pools.emplace(name, std::move(*pool));
}

void Controller::put_block(const Json& object, bool deleted) {
  const std::string name = name_of(object);
  Result<kube::IpBlock> block = kube::read_block(object);
  if (!block) log::error("{}", to_string(block.error()));
  const std::lock_guard lock(mutex_);
  known_.blocks.erase(name);
  if (block && !deleted) known_.blocks.emplace(name, std::move(*block));
}

bool Controller::current() const {
  return std::ranges::all_of(copies_,
                             [](const auto& copy) { return copy->current(); });
}

Scene Controller::scene() {
  const std::lock_guard lock(mutex_);
  Scene scene = known_;
  scene.current = current();
  scene.wall = second_time(clock_.wall());
  return scene;
}

std::size_t Controller::tick(bool leads) {
  Scene now = scene();
  // Who does not lead has seen nothing twice: the next leader begins anew.
  now.current = now.current && leads;
  std::size_t done = 0;
  for (const Action& action : planner_.plan(now, clock_.now())) {
    const Result<void> result = carry_out(action);
    if (result) {
      ++done;
      tell(action);
      continue;
    }
    ++failures_;
    log::warn("{}", to_string(result.error()));
    const Class cls = info(result.error().code).cls;
    if (cls == Class::kThrottled || cls == Class::kTransient) break;
  }
  return done;
}

Result<void> Controller::carry_out(const Action& action) {
  switch (action.verb) {
    case Verb::kSetFinalizers:
      return set_finalizers(action.pool);
    case Verb::kPoolStatus: {
      const Json change = {{"status", kube::status_json(action.pool)}};
      TRY(context(client_.patch(kube::kIpPools, "", action.pool.meta.name,
                                change, "status"),
                  "status of IPPool {}", action.pool.meta.name));
      return {};
    }
    case Verb::kFreeBlock:
      return free_block(action);
    case Verb::kForgetNode: {
      if (!TRY(node_is_gone(action.node))) return {};
      Result<void> gone = client_.remove(kube::kNodeNetworks, "", action.node);
      if (!gone && gone.error().code != Code::kApiNotFound) return gone;
      return {};
    }
  }
  return {};
}

Result<void> Controller::set_finalizers(const kube::IpPool& pool) {
  Json change = {{"metadata", {{"finalizers", pool.meta.finalizers}}}};
  if (!pool.meta.resource_version.empty()) {
    change["metadata"]["resourceVersion"] = pool.meta.resource_version;
  }
  const Result<Json> done =
      client_.patch(kube::kIpPools, "", pool.meta.name, change);
  if (!done && done.error().code == Code::kApiNotFound) return {};
  TRY(context(done, "finalizer of IPPool {}", pool.meta.name));
  return {};
}

Result<bool> Controller::node_is_gone(const std::string& node) {
  const Result<Json> found = client_.get(kube::kNodes, "", node);
  if (found) return false;
  if (found.error().code == Code::kApiNotFound) return true;
  return found.error();
}

Result<void> Controller::free_block(const Action& action) {
  const std::string& name = action.block.meta.name;
  const bool gone = TRY(context(node_is_gone(action.node),
                                "node {} of IPBlock {}", action.node, name));
  if (!gone) return {};
  const Result<void> done =
      client_.remove(kube::kIpBlocks, "", name, {.uid = action.block.meta.uid});
  if (!done && done.error().code == Code::kApiNotFound) return {};
  return context(done, "IPBlock {} of the gone node {}", name, action.node);
}

/// An event, at most one for each thing done; a lost one is only a lost text.
void Controller::tell(const Action& action) {
  const bool freed = action.verb == Verb::kFreeBlock;
  if (!freed && !action.changed_validity) return;
  const kube::Meta& about = freed ? action.block.meta : action.pool.meta;
  const kube::Condition* valid =
      kube::find_condition(action.pool.conditions, kube::kValid);
  const bool warning = freed || (valid != nullptr && valid->status != "True");
  const std::string reason =
      freed || valid == nullptr ? "NodeGone" : valid->reason;
  const std::string note =
      freed ? fmt::format("node {} is gone: its block {} was freed",
                          action.node, action.block.cidr.to_string())
            : (valid != nullptr ? valid->message : std::string());
  log::info("{}: {}", about.name, note);
  const std::string time = micro_time(clock_.wall());
  (void)client_.create(
      kube::kEvents, "default",
      {{"apiVersion", "events.k8s.io/v1"},
       {"kind", "Event"},
       {"metadata",
        {{"name", fmt::format("{}.{:x}{:x}", about.name, clock_.now().count(),
                              events_++)},
         {"namespace", "default"}}},
       {"eventTime", time},
       {"type", warning ? "Warning" : "Normal"},
       {"reason", reason},
       {"note", note},
       {"action", freed ? "FreeBlock" : "JudgePool"},
       {"reportingController", "linsey.dev/controller"},
       {"reportingInstance", "linsey-controller"},
       {"regarding",
        {{"apiVersion", "linsey.dev/v1"},
         {"kind", freed ? "IPBlock" : "IPPool"},
         {"name", about.name},
         {"uid", about.uid}}}});
}

}  // namespace linsey::controller
