#include "agent/placement.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "agent/evidence.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

namespace linsey::agent {
namespace {

using conf::Mode;

/// How soon an undecided node looks again, and a decided one.
constexpr Duration kRetry = std::chrono::seconds(5);
constexpr Duration kRecheck = std::chrono::minutes(5);

Mode mode_of(const ipam::Held& held) {
  return held.allocation.eni ? Mode::kEni : Mode::kBgp;
}

std::string pod_of(const ipam::Held& held) {
  const ipam::Pod& pod = held.attachment.pod;
  if (!pod.name.empty()) return pod.name_space + "/" + pod.name;
  return held.attachment.key.container_id;
}

std::vector<std::string> alive_in(Mode mode, const ipam::Ledger& ledger) {
  std::vector<std::string> pods;
  for (const auto& [key, held] : ledger.held()) {
    if (mode_of(held) == mode) pods.push_back(pod_of(held));
  }
  return pods;
}

Mode other(Mode mode) {
  return mode == Mode::kBgp ? Mode::kEni : Mode::kBgp;
}

std::string_view word(Vote vote) {
  switch (vote) {
    case Vote::kFor:
      return "for";
    case Vote::kAgainst:
      return "against";
    default:
      return "silent";
  }
}

Json error_json(const std::optional<Error>& error) {
  if (!error) return nullptr;
  return {{"code", name(error->code)}, {"msg", to_string(*error)}};
}

/// What the proof of a plan's networks says (conf/cidr_plan.h).
bool conflicts(const std::optional<Error>& refused) {
  if (!refused) return false;
  switch (refused->code) {
    case Code::kCidrOverlap:
    case Code::kPoolOverlap:
    case Code::kVSwitchIsHost:
    case Code::kVSwitchWrongVpc:
    case Code::kRouteInsidePool:
    case Code::kBlockOutsidePool:
      return true;
    default:
      return false;
  }
}

}  // namespace

Placement::Placement(PlacementDeps deps) : deps_(std::move(deps)) {
  deps_.metrics.describe_gauge("linsey_node_mode_info",
                               "1 for the mode that was decided, and by which "
                               "rule of the configuration.");
  deps_.metrics.describe_gauge(
      "linsey_quarantine",
      "1 while this node gives no address because it is not known what it is; "
      "the label names the reason.");
  deps_.metrics.describe_gauge(
      "linsey_config_stale",
      "1 while the newest document is not the one in force.");
  deps_.metrics.describe_gauge(
      "linsey_preflight_conflicts",
      "1 while the newest configuration is refused because its networks "
      "conflict.");
  deps_.metrics.on_collect([this] {
    Metrics& metrics = deps_.metrics;
    metrics.clear("linsey_node_mode_info");
    metrics.clear("linsey_quarantine");
    if (supplied_) {
      metrics.set("linsey_node_mode_info", 1,
                  {{"mode", std::string(name(*supplied_))},
                   {"source", verdict_ ? verdict_->rule : ""}});
    }
    if (quarantine_) {
      metrics.set("linsey_quarantine", 1,
                  {{"code", std::string(name(quarantine_->code))}});
    }
    const Documents& documents = deps_.documents;
    metrics.set("linsey_config_stale", documents.config_refused() ? 1 : 0,
                {{"document", "config"}});
    metrics.set("linsey_config_stale", documents.node_refused() ? 1 : 0,
                {{"document", "node"}});
    metrics.set("linsey_preflight_conflicts",
                conflicts(documents.config_refused()) ? 1 : 0);
  });
}

std::string Placement::cache_file() const {
  return deps_.documents.config().state_dir + "/mode.json";
}

void Placement::start() {
  const Result<std::string> text = read_file(cache_file());
  if (text) {
    const Result<Mode> cached = parse_cached_mode(*text);
    if (cached) {
      proven_ = *cached;
    } else {
      log::warn("{}: {}; what this node is must be proven anew", cache_file(),
                to_string(cached.error()));
    }
  }
  // No quarantine yet: an ADD that meets a restart waits for the decision.
  reconsider();
}

void Placement::documents_changed() {
  if (supplier_) supplier_->config_changed();
  reconsider();
}

void Placement::stop() {
  deps_.loop.cancel(timer_);
  if (supplier_) supplier_->stop();
}

void Placement::reconsider() {
  if (asking_) {
    ask_again_ = true;
    return;
  }
  asking_ = true;
  deps_.loop.cancel(timer_);
  const conf::AgentConfig& config = deps_.documents.config();
  const Result<conf::ModeRule> rule = intent_of(config, deps_.documents.node());
  const std::optional<Mode> intent =
      rule ? std::optional(rule->mode) : std::nullopt;
  deps_.worker.submit(
      [sources = config.evidence, intent] { return gather(sources, intent); },
      [this](const Observed& observed) {
        asking_ = false;
        settle(observed);
        if (std::exchange(ask_again_, false)) reconsider();
      });
}

Result<Verdict> Placement::judge(const Observed& observed) const {
  const Documents& documents = deps_.documents;
  if (documents.node_error()) return *documents.node_error();
  const Verdict verdict =
      TRY(decide(documents.config(), documents.node(), observed, proven_));
  const std::vector<std::string> alive =
      alive_in(other(verdict.mode), deps_.ledger);
  TRY(check_change(alive.empty() ? proven_ : other(verdict.mode), verdict.mode,
                   alive));
  return verdict;
}

void Placement::settle(const Observed& observed) {
  const Documents& documents = deps_.documents;
  const Result<conf::ModeRule> rule =
      intent_of(documents.config(), documents.node());
  facts_ = weigh(rule ? rule->mode : proven_.value_or(Mode::kBgp),
                 documents.config(), documents.node(), observed);
  const Result<Verdict> verdict = judge(observed);
  Result<void> done = verdict ? accept(*verdict) : verdict.error();
  if (!done && done.error().code == Code::kModeChangeBlocked && !supplier_) {
    // Pods of the old mode need its supplier until the last one is gone.
    const bool enis = !alive_in(Mode::kEni, deps_.ledger).empty();
    const Result<void> used = use_mode(enis ? Mode::kEni : Mode::kBgp);
    if (!used) done = used;
  }
  if (!done) quarantine(done.error());
  timer_ = deps_.loop.after(done ? kRecheck : kRetry, "node kind",
                            [this] { reconsider(); });
}

Result<void> Placement::accept(const Verdict& verdict) {
  TRY(use_mode(verdict.mode));
  if (quarantine_ || verdict_ != verdict) {
    log::info("this node is {}: {}", name(verdict.mode), verdict.why);
  }
  verdict_ = verdict;
  quarantine_.reset();
  if (proven_ != verdict.mode) remember(verdict);
  proven_ = verdict.mode;
  deps_.service.set_standing({.mode = std::string(name(verdict.mode)),
                              .why = verdict.why,
                              .quarantine = std::nullopt});
  return {};
}

void Placement::quarantine(const Error& why) {
  if (!quarantine_ || *quarantine_ != why) {
    log::warn("no address is given on this node: {}", to_string(why));
  }
  verdict_.reset();
  quarantine_ = why;
  deps_.service.set_standing(
      {.mode = supplied_ ? std::string(name(*supplied_)) : std::string(),
       .why = why.msg,
       .quarantine = why});
}

Result<void> Placement::use_mode(Mode mode) {
  if (supplied_ == mode) return {};
  std::unique_ptr<Supplier> next = TRY(deps_.make_supplier(mode));
  if (supplier_) {
    deps_.service.set_supplier(nullptr);
    supplier_->stop();
    retired_.push_back(std::move(supplier_));
  }
  supplier_ = std::move(next);
  supplied_ = mode;
  deps_.service.set_supplier(supplier_.get());
  supplier_->start();
  return {};
}

void Placement::remember(const Verdict& verdict) {
  const Result<void> written = write_file_atomic(cache_file(), to_json(verdict),
                                                 {.mode = 0600, .sync = true});
  if (!written) log::warn("remember the mode: {}", to_string(written.error()));
}

std::string Placement::describe() const {
  const Documents& documents = deps_.documents;
  Json evidence = Json::array();
  for (const Fact& fact : facts_) {
    evidence.push_back({{"source", fact.source},
                        {"vote", word(fact.vote)},
                        {"text", fact.text}});
  }
  Json labels = Json::object();
  for (const auto& [key, value] : documents.node().labels) {
    labels[key] = value;
  }
  Json addresses = Json::array();
  for (const IpAddr& address : documents.node().addresses) {
    addresses.push_back(address.to_string());
  }
  return dump_json(
      {{"node", documents.node_name()},
       {"version", LINSEY_VERSION},
       {"mode", supplied_ ? Json(name(*supplied_)) : Json(nullptr)},
       {"rule", verdict_ ? Json(verdict_->rule) : Json(nullptr)},
       {"why", verdict_ ? Json(verdict_->why) : Json(nullptr)},
       {"quarantine", error_json(quarantine_)},
       {"evidence", std::move(evidence)},
       {"labels", std::move(labels)},
       {"addresses", std::move(addresses)},
       {"providerID", documents.node().provider_id},
       {"configRefused", error_json(documents.config_refused())},
       {"nodeRefused", error_json(documents.node_refused())}});
}

}  // namespace linsey::agent
