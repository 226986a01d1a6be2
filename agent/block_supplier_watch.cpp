// What BlockSupplier makes of a round's report: sessions, exports that may not
// be, other nodes' blocks, and the drain of its own routes.
#include <algorithm>
#include <iterator>
#include <utility>

#include "agent/block_supplier.h"
#include "base/log.h"

namespace linsey::agent {
namespace {

// Of one round; the table is asked once for each.
constexpr std::size_t kForeignAtOnce = 32;

std::string list_of(const std::vector<Cidr>& blocks) {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(blocks.size(), kShown); ++i) {
    text += (i == 0 ? "" : ", ") + blocks[i].to_string();
  }
  if (blocks.size() > kShown) {
    text += fmt::format(" and {} more", blocks.size() - kShown);
  }
  return text;
}

}  // namespace

void BlockSupplier::note_peers(const bgp::Observed& observed) {
  for (const bgp::Session& session : observed.peers) {
    std::string& known = peer_states_[session.name];
    const std::string state = session.bgp_state + " " + session.since;
    if (known == state) continue;
    if (known.starts_with("Established")) {
      ++flaps_[session.name];
      deps_.metrics.count("linsey_bgp_session_flaps_total",
                          {{"peer", session.name}});
    }
    log::info("BGP session {}: {} {}", session.name, session.bgp_state,
              session.last_error);
    known = state;
  }
}

void BlockSupplier::note_violations(const BirdReport& report) {
  if (report.violations.empty()) return;
  violations_ = report.violations;
  violated_ = deps_.clock.now();
  for (const bgp::Violation& violation : violations_) {
    deps_.metrics.count("linsey_bgp_guard_rejections_total",
                        {{"reason", std::string(name(Code::kExportViolation))},
                         {"peer", violation.protocol}});
    log::error("ExportViolation: BIRD exported {} on {}; it was withdrawn",
               violation.prefix.to_string(), violation.protocol);
  }
}

/// Other nodes' blocks: a handful, others each time, or all to check.
std::vector<Cidr> BlockSupplier::next_foreign() {
  std::vector<Cidr> result;
  if (checks_listed_ > check_.number) {
    checks_begun_ = checks_listed_;
    std::ranges::copy_if(
        to_check_, std::back_inserter(result),
        [this](const Cidr& block) { return has_session(block.family()); });
    return result;
  }
  const bool all_up = report_ && report_->observed && report_->faults.empty() &&
                      !report_->observed->running.recovering;
  const bool looks = deps_.config.bgp.check_propagation && all_up;
  if (looks && deps_.claims.others) {
    const OtherBlocks others = deps_.claims.others(missing());
    plan_.others = others.confirmed;
    sure_ = others.sure;
  }
  if (!looks || plan_.others.empty()) {
    if (report_) unknown_.clear();
    return result;
  }
  for (std::size_t i = 0; i < std::min(plan_.others.size(), kForeignAtOnce);
       ++i) {
    const Cidr& block = plan_.others[foreign_at_++ % plan_.others.size()];
    if (has_session(block.family())) result.push_back(block);
  }
  return result;
}

void BlockSupplier::note_unknown(const BirdReport& report) {
  if (!report.observed || !report.unknown) return;
  const std::vector<Cidr>& unknown = *report.unknown;
  for (const Cidr& block : looked_for_) {
    if (std::ranges::find(unknown, block) == unknown.end()) {
      unknown_.erase(block);
    } else {
      unknown_.try_emplace(block, deps_.clock.now());
    }
  }
  // A check by hand also looks while sessions are down; that is no filter.
  if (!report.faults.empty()) unknown_.clear();
  std::erase_if(unknown_, [this](const auto& entry) {
    return std::ranges::find(plan_.others, entry.first) == plan_.others.end();
  });
}

void BlockSupplier::note_check(const BirdReport& report) {
  if (checks_begun_ <= check_.number) return;
  check_ = {.number = checks_begun_,
            .looked_for = looked_for_.size(),
            .missing = report.unknown.value_or(std::vector<Cidr>()),
            .failed = std::nullopt};
  if (!report.unknown) check_.failed = report.unknown.error();
  if (!report.observed) check_.failed = report.observed.error();
}

Result<std::uint64_t> BlockSupplier::check_propagation() {
  if (!speaker_) return speaker_.error();
  const std::uint64_t number = ++checks_wanted_;
  const auto begin = [this, number](const Result<std::vector<Cidr>>& others) {
    if (stopped_) return;
    if (!others) {
      check_ = {.number = number, .failed = others.error()};
      return;
    }
    to_check_ = *others;
    checks_listed_ = number;
    sync();
  };
  if (deps_.claims.all_others) {
    deps_.claims.all_others(begin);
  } else {
    begin(plan_.others);
  }
  return number;
}

std::vector<Cidr> BlockSupplier::missing() const {
  std::vector<Cidr> missing;
  for (const auto& [block, since] : unknown_) {
    if (deps_.clock.now() - since >= kPropagationWait) missing.push_back(block);
  }
  return missing;
}

std::optional<Error> BlockSupplier::not_propagated() const {
  std::vector<Cidr> missing = this->missing();
  if (deps_.claims.others) {
    std::erase_if(missing,
                  [this](const Cidr& one) { return !sure_.contains(one); });
  }
  if (missing.empty()) return std::nullopt;
  return make_error(
      Code::kPrefixNotPropagated,
      "every session is up, but no route leads to {} of other nodes: a router "
      "filters {} (often by length), bgp.import does not list {}, or their "
      "nodes are down; look at the router's filters first",
      list_of(missing), missing.size() == 1 ? "it" : "them",
      missing.size() == 1 ? "it" : "them");
}

std::optional<Error> BlockSupplier::drained() const {
  if (!drain_.active()) return std::nullopt;
  return make_error(
      Code::kRoutesDrained,
      "this node's routes are {}{}; {}linseyctl node drain-routes --cancel "
      "brings them back",
      drain_.word(), drain_.why().empty() ? "" : " (" + drain_.why() + ")",
      drain_.by_cordon() ? "a cordon did it: kubectl uncordon or " : "");
}

void BlockSupplier::follow_cordon() {
  const bool cordoned =
      deps_.config.bgp.drain_on_cordon && deps_.node.unschedulable;
  const Result<bool> changed =
      drain_.follow_cordon(deps_.clock.now(), deps_.config.bgp.drain, cordoned);
  if (!changed) {
    log::error("drain on cordon: {}", to_string(changed.error()));
  } else if (*changed) {
    log::info("the node is {}cordoned: drain of its routes is {}",
              cordoned ? "" : "no longer ", drain_.word());
    deps_.hooks.supply_changed();
  }
}

Result<void> BlockSupplier::drain_routes(const DrainWish& wish) {
  if (wish.cancel) {
    TRY(drain_.cancel());
  } else {
    conf::Drain settings = deps_.config.bgp.drain;
    settings.timeout = wish.timeout.value_or(settings.timeout);
    TRY(drain_.begin(deps_.clock.now(), settings));
  }
  log::info("routes of this node: drain is {}", drain_.word());
  deps_.hooks.supply_changed();
  sync();
  return {};
}

void BlockSupplier::step_drain(const BirdReport& report) {
  if (!drain_.step(deps_.clock.now(), report.pod_packets)) return;
  log::info("routes of this node are withdrawn: {}", drain_.why());
  ask_again_ = true;
}

}  // namespace linsey::agent
