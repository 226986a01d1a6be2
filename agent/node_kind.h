// Node kind: bgp or eni, decided from intent and evidence; pure.
//
// Intent is the one rule under `modes` whose selector matches the node's
// labels. Evidence is what the machine and the cloud say without labels; each
// piece speaks for the intent, against it, or is silent (absent, time-out).
//   no rule, two rules          kModeUnknown, naming both
//   anything against            kModeConflict, naming every piece
//   eni and nothing for it      kModeConflict, unless it was proven before
//   another mode, pods alive    kModeChangeBlocked, listing them
// Whoever cannot be placed gets no address: a bare-metal pod with a VPC
// address (or the reverse) is worse than none. Rejected: guessing from the
// first evidence at hand; that is how two clusters came to share addresses.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "conf/agent_config.h"
#include "conf/node.h"

namespace linsey::agent {

/// What was seen of the machine. nullopt: absent, not asked, or no answer.
struct Observed {
  std::optional<std::string> dmi_product;
  /// The instance id the metadata service answered with.
  std::optional<std::string> metadata_instance;
  /// Why there is none: "not asked", "no answer within 1s".
  std::string metadata_silence = "not asked";
};

enum class Vote { kFor, kAgainst, kSilent };

/// One piece of evidence, seen from the intent.
struct Fact {
  std::string source;  // "provider ID", "DMI product name", …
  Vote vote = Vote::kSilent;
  std::string text;

  bool operator==(const Fact&) const = default;
};

struct Verdict {
  conf::Mode mode = conf::Mode::kBgp;
  std::string rule;
  std::vector<Fact> facts;
  /// "rule metal; for: …; silent: …"
  std::string why;

  bool operator==(const Verdict&) const = default;
};

/// Which rule selects the node. Errors: kModeUnknown.
Result<conf::ModeRule> intent_of(const conf::AgentConfig& config,
                                 const conf::Node& node);

/// All evidence about `mode`, in a fixed order.
std::vector<Fact> weigh(conf::Mode mode, const conf::AgentConfig& config,
                        const conf::Node& node, const Observed& observed);

/// Is the metadata service to be asked? Not on a node meant for bgp whose
/// hardware does not say it is an ECS instance.
bool ask_metadata(std::optional<conf::Mode> intent,
                  const std::optional<std::string>& dmi_product);

/// `proven` is the mode that was decided before (cached on disk). Errors:
/// kModeUnknown, kModeConflict.
Result<Verdict> decide(const conf::AgentConfig& config, const conf::Node& node,
                       const Observed& observed,
                       std::optional<conf::Mode> proven);

/// Refuses a mode while pods of the other one live. `alive` names them, as
/// "namespace/name". Errors: kModeChangeBlocked.
Result<void> check_change(std::optional<conf::Mode> before, conf::Mode now,
                          const std::vector<std::string>& alive);

/// The cached verdict: JSON text with a version.
std::string to_json(const Verdict& verdict);
Result<conf::Mode> parse_cached_mode(std::string_view text);

}  // namespace linsey::agent
