#include "agent/node_report.h"

#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "base/json.h"

namespace linsey::agent {
namespace {

using kube::Condition;

constexpr std::size_t kMessageLimit = 1024;

bool is_known(const rpc::Status& status) {
  return status.ready || status.why.code != Code::kAgentStarting;
}

Condition condition(std::string type, bool is, std::string reason,
                    const std::string& message) {
  return {.type = std::move(type),
          .status = is ? "True" : "False",
          .reason = std::move(reason),
          .message = message.substr(0, kMessageLimit),
          .since = {}};
}

std::string standing(const rpc::Status& status) {
  return status.zone.empty()
             ? fmt::format("mode {}", status.mode)
             : fmt::format("mode {}, zone {}", status.mode, status.zone);
}

Json list_of(const std::string& text) {
  const Result<Json> list = parse_json(text);
  return list && list->is_array() ? *list : Json::array();
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>()
                                                     : std::string();
}

/// Ready, and yet something is wrong that does not pass by itself.
bool is_troubled(const rpc::Status& status) {
  return status.ready && !status.why.msg.empty() &&
         status.why.code != Code::kEniNotReady;
}

/// What is wrong beside readiness: one text for each code. Sessions speak for
/// themselves, since the status joins their reasons under one code.
std::map<std::string, std::string> troubles_of(const Json& supply,
                                               const rpc::Status& status) {
  std::map<std::string, std::string> troubles;
  const Json sessions =
      supply.is_object() ? supply.value("sessions", Json::array()) : Json();
  for (const Json& session : sessions) {
    const std::optional<Code> code = code_from_name(text_of(session, "reason"));
    if (!code) continue;
    std::string& text = troubles[std::string(name(*code))];
    const std::string one =
        to_string(Error{*code, text_of(session, "why"), ""});
    text += text.empty() ? one : "; " + one;
  }
  if (status.ready && !status.why.msg.empty()) {
    troubles.try_emplace(std::string(name(status.why.code)),
                         to_string(status.why));
  }
  // What is wrong with BGP while the node is not ready for another reason.
  const std::string other =
      supply.is_object() ? text_of(supply, "trouble") : std::string();
  const std::string code = other.substr(0, other.find(':'));
  if (code_from_name(code) && (status.ready || code != name(status.why.code))) {
    troubles.try_emplace(code, other);
  }
  return troubles;
}

void read_blocks(const Json& supply, kube::NodeNetwork& network) {
  for (const Json& block : supply.value("blocks", Json::array())) {
    const Result<Cidr> cidr = Cidr::parse_network(text_of(block, "cidr"));
    if (cidr) network.blocks.push_back(*cidr);
  }
  for (const Json& session : supply.value("sessions", Json::array())) {
    ++network.sessions_total;
    if (text_of(session, "state") == "Established") ++network.sessions_up;
  }
}

void read_enis(const Json& supply, kube::NodeNetwork& network) {
  for (const Json& eni : supply.value("enis", Json::array())) {
    const std::size_t addresses = eni.value("ipv4", Json::array()).size() +
                                  eni.value("ipv6", Json::array()).size();
    network.enis.push_back({.id = text_of(eni, "id"),
                            .vswitch = text_of(eni, "vSwitch"),
                            .addresses = static_cast<std::uint32_t>(addresses),
                            .draining = eni.value("retiring", false)});
  }
}

}  // namespace

bool Hysteresis::update(std::optional<bool> seen, Instant now,
                        const Waits& waits) {
  if (!seen || *seen == on_) {
    since_.reset();
    return on_;
  }
  if (!since_) since_ = now;
  if (now - *since_ >= (on_ ? waits.off : waits.on)) {
    on_ = !on_;
    since_.reset();
  }
  return on_;
}

std::optional<bool> without_address(const rpc::Status& status) {
  if (!is_known(status)) return std::nullopt;
  return !status.ready && info(status.why.code).cls == Class::kExhausted;
}

std::vector<Condition> node_conditions(const rpc::Status& status) {
  if (!is_known(status)) return {};
  const std::string code(name(status.why.code));
  const bool network = status.ready || *without_address(status);
  const std::string why = to_string(status.why);
  return {network ? condition("NetworkUnavailable", false, "LinseyIsUp",
                              standing(status))
                  : condition("NetworkUnavailable", true, code, why),
          status.ready && !is_troubled(status)
              ? condition("LinseyReady", true, "LinseyIsUp", standing(status))
              : condition("LinseyReady", status.ready, code, why)};
}

std::optional<Json> conditions_patch(const std::vector<Condition>& wanted,
                                     const std::string& current,
                                     const std::string& now) {
  const Json shown = list_of(current);
  Json changed = Json::array();
  for (const Condition& one : wanted) {
    const auto known = std::ranges::find_if(
        shown, [&](const Json& c) { return text_of(c, "type") == one.type; });
    const bool same_status =
        known != shown.end() && text_of(*known, "status") == one.status;
    if (same_status && text_of(*known, "reason") == one.reason) continue;
    const std::string since =
        same_status ? text_of(*known, "lastTransitionTime") : now;
    changed.push_back({{"type", one.type},
                       {"status", one.status},
                       {"reason", one.reason},
                       {"message", one.message},
                       {"lastHeartbeatTime", now},
                       {"lastTransitionTime", since.empty() ? now : since}});
  }
  if (changed.empty()) return std::nullopt;
  return Json{{"status", {{"conditions", std::move(changed)}}}};
}

bool has_taint(const std::string& taints, const std::string& key) {
  return std::ranges::any_of(list_of(taints), [&](const Json& taint) {
    return text_of(taint, "key") == key;
  });
}

std::optional<Json> wanted_taints(const std::string& current,
                                  const TaintWishes& wishes) {
  const Json shown = list_of(current);
  Json wanted = Json::array();
  bool has_no_address = false;
  for (const Json& taint : shown) {
    const std::string key = text_of(taint, "key");
    if (key == kNotReadyTaint && wishes.ready) continue;
    if (key == kNoAddressTaint) {
      if (!wishes.no_address || has_no_address) continue;
      has_no_address = true;
    }
    wanted.push_back(taint);
  }
  if (wishes.no_address && !has_no_address) {
    wanted.push_back({{"key", kNoAddressTaint}, {"effect", "NoSchedule"}});
  }
  if (wanted == shown) return std::nullopt;
  return wanted;
}

kube::NodeNetwork node_network(const NodeFacts& facts) {
  const rpc::Status& status = facts.status;
  kube::NodeNetwork network;
  network.meta.name = facts.node;
  network.mode = status.mode;
  network.why = status.mode_why;
  network.zone = status.zone;
  network.free = status.free;
  network.held = status.held;
  network.cooling = status.cooling;
  network.observed_config = facts.observed_config;
  network.agent_version = facts.agent_version;
  const Result<Json> supply = parse_json(facts.supply);
  if (supply && supply->is_object()) {
    read_blocks(*supply, network);
    read_enis(*supply, network);
  }
  const std::string code(name(status.why.code));
  network.conditions.push_back(
      status.ready ? condition("Ready", true, "LinseyIsUp", standing(status))
                   : condition("Ready", false, code, to_string(status.why)));
  for (const auto& [reason, text] :
       troubles_of(supply ? *supply : Json(), status)) {
    network.conditions.push_back(condition(reason, true, reason, text));
  }
  if (facts.config_refused) {
    network.conditions.push_back(
        condition("ConfigurationRefused", true,
                  std::string(name(facts.config_refused->code)),
                  to_string(*facts.config_refused)));
  }
  return network;
}

void keep_times(const std::vector<Condition>& before, const std::string& now,
                std::vector<Condition>& after) {
  for (Condition& one : after) {
    const Condition* known = kube::find_condition(before, one.type);
    one.since =
        known != nullptr && known->status == one.status ? known->since : now;
  }
}

bool same_conditions(const std::vector<Condition>& a,
                     const std::vector<Condition>& b) {
  return std::ranges::equal(a, b, [](const Condition& x, const Condition& y) {
    return x.type == y.type && x.status == y.status && x.reason == y.reason;
  });
}

}  // namespace linsey::agent
