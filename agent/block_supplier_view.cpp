// What BlockSupplier says about itself: health, /v1/ipam, metrics.
#include <iterator>

#include <nlohmann/json.hpp>

#include "agent/block_supplier.h"
#include "base/json.h"

namespace linsey::agent {
namespace {

/// All faults in one text, under the code of the first.
Error joined(const std::map<std::string, Error>& faults) {
  Error all = faults.begin()->second;
  for (auto it = std::next(faults.begin()); it != faults.end(); ++it) {
    all.msg += fmt::format("; {}: {}", name(it->second.code), it->second.msg);
  }
  return all;
}

}  // namespace

std::optional<Error> BlockSupplier::trouble() const {
  if (!kernel_) return kernel_.error();
  if (!speaker_) return speaker_.error();
  if (!report_) return std::nullopt;
  // Nobody to talk to: BIRD need not run.
  if (speaker_->speaker.peers.empty()) return std::nullopt;
  if (!report_->configured) return report_->configured.error();
  if (!report_->observed) return report_->observed.error();
  if (!violations_.empty() && deps_.clock.now() - violated_ < kViolationShown) {
    return make_error(Code::kExportViolation,
                      "BIRD exported {} on {}, which is no confirmed block of "
                      "this node; it was withdrawn",
                      violations_.front().prefix.to_string(),
                      violations_.front().protocol);
  }
  if (!report_->faults.empty()) return joined(report_->faults);
  if (drain_.active()) return drained();
  for (const auto& [block, state] : blocks_) {
    if (state.draining || state.announced || !has_session(block.family())) {
      continue;
    }
    return make_error(Code::kAdvertisementRefused,
                      "every session is up, but block {} is announced on none",
                      block.to_string());
  }
  return not_propagated();
}

Error BlockSupplier::no_block() const {
  if (!plan_.refused.empty()) return plan_.refused.front();
  if (claim_trouble_) return *claim_trouble_;
  if (deps_.config.blocks.source != "file") {
    return make_error(Code::kNoBlock,
                      "node {} has no block: blocks.source is \"{}\", and none "
                      "was claimed",
                      deps_.node.name, deps_.config.blocks.source);
  }
  return make_error(Code::kNoBlock,
                    "node {} has no block; add one under blocks.assignments",
                    deps_.node.name);
}

Error BlockSupplier::exhausted() const {
  if (claim_trouble_) return *claim_trouble_;
  std::string blocks;
  for (const Cidr& block : with(&Block::draining, false)) {
    blocks += (blocks.empty() ? "" : ", ") + block.to_string();
  }
  return make_error(
      Code::kBlockExhausted,
      "every address of node {}'s blocks ({}) is held; {}", deps_.node.name,
      blocks,
      claims() ? "another one is being claimed" : "assign it another block");
}

Health BlockSupplier::health() const {
  const auto not_ready = [](const Error& why) {
    return Health{.ready = false, .why = why, .zone = {}};
  };
  if (!mtu_) return not_ready(mtu_.error());
  if (with(&Block::draining, false).empty()) return not_ready(no_block());
  if (const auto why = drained()) return not_ready(*why);
  const std::optional<Error> wrong = trouble();
  if (with(&Block::usable, true).empty()) {
    return not_ready(
        wrong.value_or(make_error(Code::kAgentStarting,
                                  "no BGP peer has been told of the "
                                  "node's blocks yet")));
  }
  const ipam::Counts counts = deps_.ledger.counts(deps_.clock.now());
  if (counts.free + counts.cooling == 0) return not_ready(exhausted());
  return {.ready = true, .why = wrong.value_or(Error{}), .zone = {}};
}

std::string BlockSupplier::describe() const {
  Json blocks = Json::array();
  for (const auto& [block, state] : blocks_) {
    const char* word = state.draining ? "draining"
                       : state.usable ? "usable"
                                      : "waiting";
    blocks.push_back({{"cidr", block.to_string()},
                      {"state", word},
                      {"announced", state.announced},
                      {"contested", state.contested}});
  }
  Json json{{"blocks", std::move(blocks)}, {"refused", Json::array()}};
  for (const Error& refused : plan_.refused) {
    json["refused"].push_back(to_string(refused));
  }
  const std::optional<Error> wrong = trouble();
  json["trouble"] = wrong ? Json(to_string(*wrong)) : Json(nullptr);
  json["drain"] = {{"state", drain_.word()}, {"why", drain_.why()}};
  if (check_.number > 0) {
    Json missing = Json::array();
    for (const Cidr& block : check_.missing) {
      missing.push_back(block.to_string());
    }
    json["propagation"] = {
        {"number", check_.number},
        {"lookedFor", check_.looked_for},
        {"missing", std::move(missing)},
        {"failed",
         check_.failed ? Json(to_string(*check_.failed)) : Json(nullptr)}};
  }
  if (report_ && report_->observed) {
    const bgp::Observed& seen = *report_->observed;
    json["bird"] = {{"version", seen.running.version},
                    {"routerID", seen.running.router_id},
                    {"recovering", seen.running.recovering},
                    {"lastReconfiguration", seen.running.last_reconfiguration}};
    for (const bgp::Session& session : seen.peers) {
      const auto fault = report_->faults.find(session.name);
      const auto flaps = flaps_.find(session.name);
      const bool wrong_here = fault != report_->faults.end();
      json["sessions"].push_back(
          {{"name", session.name},
           {"state", session.bgp_state},
           {"since", session.since},
           {"lastError", session.last_error},
           {"bfd", session.bfd},
           {"flaps", flaps == flaps_.end() ? 0 : flaps->second},
           {"imported", session.imported},
           {"exported", session.exported},
           {"reason", wrong_here ? name(fault->second.code) : ""},
           {"why", wrong_here ? fault->second.msg : ""}});
    }
  }
  return dump_json(json);
}

void BlockSupplier::publish() const {
  Metrics& metrics = deps_.metrics;
  const bool up = report_ && report_->observed;
  metrics.set("linsey_bird_up", up ? 1 : 0);
  metrics.clear("linsey_bgp_session_up");
  for (const char* name : {"linsey_bgp_prefixes", "linsey_bgp_bfd_up",
                           "linsey_bgp_session_fault"}) {
    metrics.clear(name);
  }
  if (up) {
    for (const bgp::Session& session : report_->observed->peers) {
      metrics.set("linsey_bgp_session_up", session.established() ? 1 : 0,
                  {{"peer", session.name}});
      metrics.set("linsey_bgp_prefixes", static_cast<double>(session.imported),
                  {{"peer", session.name}, {"direction", "in"}});
      metrics.set("linsey_bgp_prefixes", static_cast<double>(session.exported),
                  {{"peer", session.name}, {"direction", "out"}});
      if (session.bfd.empty()) continue;
      metrics.set("linsey_bgp_bfd_up", session.bfd == "Up" ? 1 : 0,
                  {{"peer", session.name}});
    }
    for (const auto& [peer, fault] : report_->faults) {
      metrics.set("linsey_bgp_session_fault", 1,
                  {{"peer", peer}, {"reason", std::string(name(fault.code))}});
    }
  }
  const auto set = [&](const char* state, const std::vector<Cidr>& found) {
    metrics.set("linsey_bgp_blocks", static_cast<double>(found.size()),
                {{"state", state}});
  };
  set("announced", with(&Block::announced, true));
  set("draining", with(&Block::draining, true));
  set("usable", with(&Block::usable, true));
  metrics.set("linsey_bgp_blocks_not_propagated", not_propagated() ? 1 : 0);
}

}  // namespace linsey::agent
