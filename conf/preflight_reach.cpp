#include "conf/preflight_reach.h"

#include <algorithm>
#include <iterator>
#include <optional>

namespace linsey::conf {
namespace {

/// A rule number that no rule has: that of the group's default.
constexpr unsigned kDefaultRule = 1000;

class Reach {
 public:
  explicit Reach(const Plan& plan) : plan_(plan) {}

  std::vector<Check> run() {
    vpc_routes();
    dc_routes();
    groups();
    return std::move(checks_);
  }

 private:
  void holds(std::string topic, std::string text) {
    checks_.push_back({std::move(topic), Finding::kHolds, std::move(text)});
  }
  void unknown(std::string topic, std::string text) {
    checks_.push_back({std::move(topic), Finding::kUnknown, std::move(text)});
  }
  void against(std::string topic, Error why) {
    checks_.push_back(
        {std::move(topic), Finding::kAgainst, "", std::move(why)});
  }
  bool cloud() const {
    return !plan_.v_switches.empty() || !plan_.zones.empty();
  }

  /// Everything in the data centre that cloud pods talk to.
  std::vector<PlanRange> dc_side() const {
    std::vector<PlanRange> out = plan_.data_centre;
    for (const Pool& pool : plan_.pools) {
      if (!pool.disabled) out.push_back({"pool " + pool.name, pool.cidr});
    }
    return out;
  }

  static std::vector<Cidr> destinations(const std::vector<PlanRoute>& routes) {
    std::vector<Cidr> out;
    std::ranges::transform(routes, std::back_inserter(out),
                           &PlanRoute::destination);
    return out;
  }

  void vpc_routes() {
    if (!cloud() || dc_side().empty()) return;
    if (!plan_.vpc_routes) {
      unknown("routes", "the VPC's route entries were not told");
      return;
    }
    const std::vector<Cidr> known = destinations(*plan_.vpc_routes);
    for (const PlanRange& range : dc_side()) {
      if (const auto gap = uncovered(range.cidr, known)) {
        against(
            "routes",
            with_remedy(Code::kVpcRouteMissing,
                        "no route entry of the VPC covers {} of {} {}",
                        gap->to_string(), range.name, range.cidr.to_string()));
      } else {
        holds("routes", fmt::format("the VPC routes {} {}", range.name,
                                    range.cidr.to_string()));
      }
    }
  }

  void dc_routes() {
    if (plan_.data_centre.empty() && plan_.pools.empty()) return;
    std::vector<Cidr> known;
    for (const auto* routes : {&plan_.learned, &plan_.dc_routes}) {
      if (!*routes) continue;
      std::ranges::copy(destinations(**routes), std::back_inserter(known));
    }
    for (const PlanVSwitch& one : plan_.v_switches) {
      if (one.pods) dc_route(one, known);
    }
  }

  void dc_route(const PlanVSwitch& v_switch, const std::vector<Cidr>& known) {
    if (!plan_.learned && !plan_.dc_routes) {
      unknown("routes", fmt::format("no route of the data centre was told that "
                                    "could lead to pod vSwitch {}",
                                    v_switch.id));
      return;
    }
    for (const Cidr& cidr : v_switch.cidrs) {
      if (const auto gap = uncovered(cidr, known)) {
        against("routes",
                with_remedy(Code::kDcRouteMissing,
                            "no learned route and no route of the data centre "
                            "covers {} of pod vSwitch {} {}",
                            gap->to_string(), v_switch.id, cidr.to_string()));
      } else {
        holds("routes", fmt::format("the data centre routes pod vSwitch {} {}",
                                    v_switch.id, cidr.to_string()));
      }
    }
  }

  static bool is_whole(const PlanGroupRule& rule) {
    return rule.protocol == "all" || rule.protocol == "ALL";
  }

  /// Lower numbers go first; of equal ones drop wins.
  static bool admits(const PlanGroup& group, const Cidr& range, bool ingress) {
    std::vector<Cidr> accepted;
    std::optional<unsigned> accepts_at;
    for (const PlanGroupRule& rule : group.rules) {
      if (rule.ingress != ingress || !rule.accept || !is_whole(rule)) continue;
      if (!rule.cidr.overlaps(range)) continue;
      accepted.push_back(rule.cidr);
      accepts_at = std::max(accepts_at.value_or(rule.priority), rule.priority);
    }
    const bool by_rule = !uncovered(range, accepted).has_value();
    const bool by_default = !ingress && !group.enterprise;
    const unsigned at = by_rule ? *accepts_at : kDefaultRule;
    const bool dropped =
        std::ranges::any_of(group.rules, [&](const PlanGroupRule& rule) {
          return rule.ingress == ingress && !rule.accept && is_whole(rule) &&
                 rule.cidr.overlaps(range) && rule.priority <= at;
        });
    return (by_rule || by_default) && !dropped;
  }

  void groups() {
    if (!cloud() || dc_side().empty()) return;
    if (!plan_.security_groups) {
      unknown("groups", "the rules of the security groups were not told");
      return;
    }
    const auto& used = plan_.security_groups_used;
    for (const PlanGroup& group : *plan_.security_groups) {
      const bool ours =
          used.empty() || std::ranges::find(used, group.id) != used.end();
      if (ours) judge_group(group);
    }
    for (const std::string& id : used) {
      if (std::ranges::find(*plan_.security_groups, id, &PlanGroup::id) ==
          plan_.security_groups->end()) {
        unknown("groups", fmt::format("nothing is told of group {}", id));
      }
    }
  }

  void judge_group(const PlanGroup& group) {
    bool fine = true;
    for (const PlanRange& range : dc_side()) {
      for (const bool ingress : {true, false}) {
        if (admits(group, range.cidr, ingress)) continue;
        fine = false;
        against(
            "groups",
            with_remedy(Code::kSecurityGroupBlocks,
                        "security group {} does not admit all traffic {} {} {}",
                        group.id, ingress ? "from" : "to", range.name,
                        range.cidr.to_string()));
      }
    }
    if (fine) {
      holds("groups", fmt::format("security group {} admits the data centre "
                                  "both ways",
                                  group.id));
    }
  }

  const Plan& plan_;
  std::vector<Check> checks_;
};

}  // namespace

std::vector<Check> examine_reach(const Plan& plan) {
  return Reach(plan).run();
}

}  // namespace linsey::conf
