#include "agent/node_reporter.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/log.h"
#include "base/wall_text.h"

namespace linsey::agent {
namespace {

/// A write that the watch has not shown for so long is made again.
constexpr Duration kForget = std::chrono::seconds(60);

void log_refusal(const char* what, const Result<void>& done) {
  // Somebody else was first: the next look begins with what he left.
  if (done || done.error().code == Code::kApiConflict) return;
  log::warn("{}: {}", what, to_string(done.error()));
}

}  // namespace

void NodeReporter::start() {
  look();
}

void NodeReporter::stop() {
  deps_.loop.cancel(timer_);
}

void NodeReporter::look() {
  const rpc::Status status = deps_.status();
  tell(status);
  if (const NodeSeen* node = deps_.node()) {
    if (!no_address_) {
      no_address_.emplace(has_taint(node->taints, kNoAddressTaint));
    }
    report_conditions(*node, status);
    report_taints(*node, status);
    report_network(status);
  }
  timer_ = deps_.loop.after(kLook, "node report", [this] { look(); });
}

/// Events on the node: what it became, and why it gives no address.
void NodeReporter::tell(const rpc::Status& status) {
  if (status.ready) {
    if (!std::exchange(told_ready_, true)) {
      deps_.events.node(false, "LinseyReady", status.mode_why);
    }
    told_.reset();
    return;
  }
  if (status.why.code == Code::kAgentStarting || told_ == status.why.code) {
    return;
  }
  told_ready_ = false;
  told_ = status.why.code;
  deps_.events.node(true, std::string(name(status.why.code)),
                    to_string(status.why));
}

bool NodeReporter::again(Sent& sent, std::string text) {
  const Instant now = deps_.clock.now();
  if (sent.text == text && now - sent.at < kForget) return true;
  sent = {std::move(text), now};
  return false;
}

void NodeReporter::report_conditions(const NodeSeen& node,
                                     const rpc::Status& status) {
  const std::string now = second_time(deps_.clock.wall());
  const std::vector<kube::Condition> wanted = node_conditions(status);
  std::optional<Json> patch = conditions_patch(wanted, node.conditions, now);
  if (!patch) {
    conditions_ = {};
    return;
  }
  std::string text;
  for (const kube::Condition& one : wanted) {
    text += fmt::format("{}={} {};", one.type, one.status, one.reason);
  }
  if (again(conditions_, std::move(text))) return;
  deps_.writer.submit(
      {.key = "node conditions",
       .kind = "node",
       .urgency = Urgency::kStatus,
       .call = [patch = std::move(*patch),
                name = deps_.node_name](kube::Client& client) -> Result<void> {
         (void)TRY(
             client.patch_strategic(kube::kNodes, "", name, patch, "status"));
         return {};
       },
       .done =
           [](const Result<void>& done) {
             log_refusal("conditions of the node", done);
           }});
}

void NodeReporter::report_taints(const NodeSeen& node,
                                 const rpc::Status& status) {
  const bool no_address = no_address_->update(
      without_address(status), deps_.clock.now(), deps_.taint_waits);
  std::optional<Json> taints = wanted_taints(
      node.taints, {.ready = status.ready, .no_address = no_address});
  if (!taints) {
    taints_ = {};
    return;
  }
  const Json patch = {
      {"metadata", {{"resourceVersion", node.resource_version}}},
      {"spec", {{"taints", std::move(*taints)}}}};
  if (again(taints_, dump_json(patch))) return;
  deps_.writer.submit({.key = "node taints",
                       .kind = "node",
                       .urgency = Urgency::kStatus,
                       .call = [patch, name = deps_.node_name](
                                   kube::Client& client) -> Result<void> {
                         (void)TRY(client.patch(kube::kNodes, "", name, patch));
                         return {};
                       },
                       .done =
                           [](const Result<void>& done) {
                             log_refusal("taints of the node", done);
                           }});
}

void NodeReporter::report_network(const rpc::Status& status) {
  if (!status.ready && status.why.code == Code::kAgentStarting) return;
  kube::NodeNetwork network = node_network(deps_.facts());
  tell_troubles(network.conditions);
  if (!network_exists_) {
    create_network();
    return;
  }
  const Instant now = deps_.clock.now();
  if (network_) {
    keep_times(network_->conditions, second_time(deps_.clock.wall()),
               network.conditions);
    const bool conditions_changed =
        !same_conditions(network_->conditions, network.conditions);
    const bool is_time = now - network_at_ >= kNetworkEvery;
    if (!conditions_changed && (!is_time || *network_ == network)) return;
  } else {
    keep_times({}, second_time(deps_.clock.wall()), network.conditions);
  }
  network_ = network;
  network_at_ = now;
  write_network(std::move(network));
}

void NodeReporter::tell_troubles(
    const std::vector<kube::Condition>& conditions) {
  std::set<std::string> standing;
  for (const kube::Condition& one : conditions) {
    // Readiness has its own event; what is on its way passes by itself.
    if (one.type == "Ready" || one.reason == name(Code::kEniNotReady)) continue;
    if (!troubles_.contains(one.type)) {
      deps_.events.node(true, one.reason, one.message);
    }
    standing.insert(one.type);
  }
  troubles_ = std::move(standing);
}

void NodeReporter::write_network(kube::NodeNetwork network) {
  deps_.writer.submit(
      {.key = "node network",
       .kind = "nodenetwork",
       .urgency = Urgency::kStatus,
       .call = [network =
                    std::move(network)](kube::Client& client) -> Result<void> {
         (void)TRY(client.patch(kube::kNodeNetworks, "", network.meta.name,
                                {{"status", kube::status_json(network)}},
                                "status"));
         return {};
       },
       .done =
           [this](const Result<void>& done) {
             if (done) return;
             if (done.error().code == Code::kApiNotFound) {
               network_exists_ = false;
             }
             log_refusal("NodeNetwork", done);
             network_.reset();
           }});
}

void NodeReporter::create_network() {
  if (network_asked_) return;
  network_asked_ = true;
  kube::NodeNetwork empty;
  empty.meta.name = deps_.node_name;
  deps_.writer.submit(
      {.key = "node network create",
       .kind = "nodenetwork",
       .urgency = Urgency::kStatus,
       .call = [object = kube::to_json(empty)](
                   kube::Client& client) -> Result<void> {
         (void)TRY(client.create(kube::kNodeNetworks, "", object));
         return {};
       },
       .done =
           [this](const Result<void>& done) {
             if (done || done.error().code == Code::kApiExists) {
               network_asked_ = false;
               network_exists_ = true;
               return;
             }
             log_refusal("NodeNetwork", done);
             // No such type, or no right to it: not again in a hurry.
             (void)deps_.loop.after(kForget, "NodeNetwork",
                                    [this] { network_asked_ = false; });
           }});
}

}  // namespace linsey::agent
