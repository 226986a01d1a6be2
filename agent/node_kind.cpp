#include "agent/node_kind.h"

#include <algorithm>
#include <cctype>

#include <nlohmann/json.hpp>

#include "base/json.h"

namespace linsey::agent {
namespace {

using conf::Mode;

constexpr std::string_view kEcsProduct = "Alibaba Cloud ECS";
constexpr int kCacheVersion = 1;

/// The instance id in "cn-hangzhou.i-abc" or "alicloud://cn-hangzhou.i-abc";
/// empty for a provider id of another kind.
std::string_view ecs_instance(std::string_view provider_id) {
  constexpr std::string_view kScheme = "alicloud://";
  if (provider_id.starts_with(kScheme)) {
    provider_id.remove_prefix(kScheme.size());
  }
  const auto dot = provider_id.find(".i-");
  if (dot == std::string_view::npos || dot == 0) return {};
  const auto plain = [](char c, bool dash) {
    return std::islower(static_cast<unsigned char>(c)) != 0 ||
           std::isdigit(static_cast<unsigned char>(c)) != 0 ||
           (dash && c == '-');
  };
  const std::string_view region = provider_id.substr(0, dot);
  const std::string_view id = provider_id.substr(dot + 1);
  if (!std::ranges::all_of(region, [&](char c) { return plain(c, true); }) ||
      !std::ranges::all_of(id.substr(2),
                           [&](char c) { return plain(c, false); })) {
    return {};
  }
  return id;
}

Vote vote(Mode intent, Mode says) {
  return intent == says ? Vote::kFor : Vote::kAgainst;
}

Fact provider_fact(Mode mode, const conf::Node& node) {
  Fact fact{"provider ID", Vote::kSilent, "absent"};
  if (node.provider_id.empty()) return fact;
  if (ecs_instance(node.provider_id).empty()) {
    fact.text = fmt::format("{} is no ECS instance's", node.provider_id);
    fact.vote = vote(mode, Mode::kBgp);
  } else {
    fact.text = fmt::format("{} is an ECS instance's", node.provider_id);
    fact.vote = vote(mode, Mode::kEni);
  }
  return fact;
}

Fact dmi_fact(Mode mode, const Observed& observed) {
  Fact fact{"DMI product name", Vote::kSilent, "absent"};
  if (!observed.dmi_product) return fact;
  fact.text = fmt::format("\"{}\"", *observed.dmi_product);
  fact.vote = vote(
      mode, *observed.dmi_product == kEcsProduct ? Mode::kEni : Mode::kBgp);
  return fact;
}

Fact metadata_fact(Mode mode, const conf::Node& node,
                   const Observed& observed) {
  Fact fact{"metadata service", Vote::kSilent, observed.metadata_silence};
  if (!observed.metadata_instance) return fact;
  const std::string_view named = ecs_instance(node.provider_id);
  fact.vote = vote(mode, Mode::kEni);
  fact.text = fmt::format("answers for {}", *observed.metadata_instance);
  if (!named.empty() && named != *observed.metadata_instance) {
    fact.vote = Vote::kAgainst;
    fact.text += fmt::format(", but the provider ID names {}", named);
  }
  return fact;
}

const Cidr* inside(const std::vector<Cidr>& networks, const IpAddr& address) {
  const auto it = std::ranges::find_if(
      networks, [&](const Cidr& net) { return net.contains(address); });
  return it == networks.end() ? nullptr : &*it;
}

Fact address_fact(Mode mode, const conf::AgentConfig& config,
                  const conf::Node& node) {
  Fact fact{"node address", Vote::kSilent, "in neither plan"};
  if (node.addresses.empty()) fact.text = "unknown";
  for (const IpAddr& address : node.addresses) {
    const Cidr* vpc = inside(config.cidrs.vpc, address);
    const Cidr* metal = inside(config.cidrs.data_centre, address);
    if (vpc != nullptr) {
      fact.vote = vote(mode, Mode::kEni);
      fact.text = fmt::format("{} is in the VPC's {}", address.to_string(),
                              vpc->to_string());
    } else if (metal != nullptr) {
      fact.vote = vote(mode, Mode::kBgp);
      fact.text = fmt::format("{} is in the data centre's {}",
                              address.to_string(), metal->to_string());
    }
    if (fact.vote == Vote::kAgainst) break;
  }
  return fact;
}

std::string listed(const std::vector<Fact>& facts, Vote wanted) {
  std::string out;
  for (const Fact& fact : facts) {
    if (fact.vote != wanted) continue;
    out +=
        fmt::format("{}{} {}", out.empty() ? "" : ", ", fact.source, fact.text);
  }
  return out;
}

std::string summary(const std::string& rule, const std::vector<Fact>& facts) {
  std::string out = fmt::format("rule {}", rule);
  for (const auto& [vote, word] :
       {std::pair(Vote::kFor, "for"), std::pair(Vote::kAgainst, "against"),
        std::pair(Vote::kSilent, "silent")}) {
    const std::string some = listed(facts, vote);
    if (!some.empty()) out += fmt::format("; {}: {}", word, some);
  }
  return out;
}

}  // namespace

Result<conf::ModeRule> intent_of(const conf::AgentConfig& config,
                                 const conf::Node& node) {
  std::vector<const conf::ModeRule*> matching;
  for (const conf::ModeRule& rule : config.modes) {
    if (rule.selector.matches(node.labels)) matching.push_back(&rule);
  }
  if (matching.size() == 1) return *matching.front();
  if (matching.empty()) {
    std::string rules;
    for (const conf::ModeRule& rule : config.modes) {
      rules += fmt::format("{}{} ({})", rules.empty() ? "" : ", ", rule.name,
                           rule.selector.text());
    }
    return make_error(Code::kModeUnknown,
                      "no rule under modes selects node {}; rules: {}",
                      node.name, rules.empty() ? "none" : rules);
  }
  return make_error(Code::kModeUnknown,
                    "rules {} and {} under modes both select node {}",
                    matching[0]->name, matching[1]->name, node.name);
}

std::vector<Fact> weigh(Mode mode, const conf::AgentConfig& config,
                        const conf::Node& node, const Observed& observed) {
  return {provider_fact(mode, node), dmi_fact(mode, observed),
          metadata_fact(mode, node, observed),
          address_fact(mode, config, node)};
}

bool ask_metadata(std::optional<Mode> intent,
                  const std::optional<std::string>& dmi_product) {
  return intent == Mode::kEni || dmi_product == kEcsProduct;
}

Result<Verdict> decide(const conf::AgentConfig& config, const conf::Node& node,
                       const Observed& observed, std::optional<Mode> proven) {
  const conf::ModeRule rule = TRY(intent_of(config, node));
  Verdict verdict{
      rule.mode, rule.name, weigh(rule.mode, config, node, observed), {}};
  verdict.why = summary(rule.name, verdict.facts);
  if (!listed(verdict.facts, Vote::kAgainst).empty()) {
    return make_error(Code::kModeConflict, "mode {} by {}", name(rule.mode),
                      verdict.why);
  }
  if (rule.mode == Mode::kEni && proven != Mode::kEni &&
      listed(verdict.facts, Vote::kFor).empty()) {
    return make_error(Code::kModeConflict,
                      "mode eni by {}; nothing but a label says that this is "
                      "an ECS instance",
                      verdict.why);
  }
  return verdict;
}

Result<void> check_change(std::optional<Mode> before, Mode now,
                          const std::vector<std::string>& alive) {
  if (!before || *before == now || alive.empty()) return {};
  constexpr std::size_t kNamed = 10;
  std::string pods;
  for (std::size_t i = 0; i < std::min(alive.size(), kNamed); ++i) {
    pods += (pods.empty() ? "" : ", ") + alive[i];
  }
  if (alive.size() > kNamed) {
    pods += fmt::format(" and {} more", alive.size() - kNamed);
  }
  return make_error(Code::kModeChangeBlocked,
                    "this node was {} and is to become {}, but {} pods of the "
                    "old mode live: {}",
                    name(*before), name(now), alive.size(), pods);
}

std::string to_json(const Verdict& verdict) {
  return dump_json(Json{{"version", kCacheVersion},
                        {"mode", name(verdict.mode)},
                        {"rule", verdict.rule},
                        {"why", verdict.why}});
}

Result<Mode> parse_cached_mode(std::string_view text) {
  const Json json = TRY(parse_json(text));
  ObjectReader reader(&json, "", Code::kDecode);
  reader.ignore_unknown();
  int version = 0;
  std::string mode;
  reader.get_int("version", version, 1, kCacheVersion);
  reader.get("mode", mode);
  TRY(reader.finish());
  if (mode == name(Mode::kBgp)) return Mode::kBgp;
  if (mode == name(Mode::kEni)) return Mode::kEni;
  return make_error(Code::kDecode, "/mode: \"{}\" is neither bgp nor eni",
                    mode);
}

}  // namespace linsey::agent
