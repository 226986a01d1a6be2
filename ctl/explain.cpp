#include "ctl/explain.h"

#include <initializer_list>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "ctl/json_path.h"

namespace linsey::ctl {
namespace {

std::string word(const Json& json, std::initializer_list<const char*> path) {
  const Json& found = at(json, path);
  if (found.is_null()) return "";
  if (found.is_string()) return found.get<std::string>();
  return dump_json(found);
}

std::string line(std::string_view name, const std::string& value) {
  return value.empty() ? "" : fmt::format("  {:<10} {}\n", name, value);
}

std::string joined(const Json& list) {
  std::string out;
  for (const Json& one : list.is_array() ? list : Json::array()) {
    out += (out.empty() ? "" : " ") + one.get<std::string>();
  }
  return out;
}

/// Where the address is from, and how its packets go.
std::string path_of(const Json& allocation, const std::string& zone) {
  const std::string source = word(allocation, {"source"});
  const Json& eni = at(allocation, {"eni"});
  if (eni.is_null()) {
    return fmt::format(
        "block {}, which this node owns and announces as a whole", source);
  }
  return fmt::format(
      "vSwitch {}, a pod vSwitch of zone {}, on ENI {}; rules {} (to the pod) "
      "and {} (from it, by table {})",
      source.substr(0, source.find('/')), zone.empty() ? "-" : zone,
      word(eni, {"eniID"}), word(eni, {"toPodPriority"}),
      word(eni, {"fromPodPriority"}), word(eni, {"table"}));
}

std::string grounds_of(const Json& one, const Json& answer) {
  const Json& decided = at(one, {"decided"});
  if (decided.is_object()) {
    return fmt::format("{}: this node is {}: {}", word(decided, {"at"}),
                       word(decided, {"mode"}), word(decided, {"why"}));
  }
  return fmt::format(
      "before this agent's start ({}), on grounds that were not kept; those "
      "of now: this node is {}: {}",
      word(answer, {"since"}), word(answer, {"now", "mode"}),
      word(answer, {"now", "modeWhy"}));
}

std::string held_text(const Json& one, const Json& answer) {
  const Json& attachment = at(one, {"attachment"});
  const Json& allocation = at(one, {"allocation"});
  const Json& wanted = at(attachment, {"wantedIPs"});
  const bool asked = wanted.is_array() && !wanted.empty();
  std::string text = line("address", joined(at(allocation, {"addresses"})));
  text += line("sandbox", fmt::format("{}, {} of network {}",
                                      word(attachment, {"key", "containerID"}),
                                      word(attachment, {"key", "ifname"}),
                                      word(attachment, {"key", "network"})));
  text += line("decided", grounds_of(one, answer));
  text += line("chosen", asked ? "the pod asked for this very address, it was "
                                 "this node's and free"
                               : "of this node's free addresses the one that "
                                 "was longest free");
  text += line("from", path_of(allocation, word(answer, {"now", "zone"})));
  if (at(one, {"earlierBoot"}) == true) {
    text += line("note",
                 "held before the machine's last start, not yet seen "
                 "alive since");
  }
  return text;
}

std::string refusal_text(const Json& refused) {
  std::string text = line("reason", word(refused, {"code"}));
  text += line("what", word(refused, {"msg"}));
  text += line("details", word(refused, {"details"}));
  text += line("remedy", word(refused, {"remedy"}));
  if (at(refused, {"count"}).is_null()) return text;
  return text +
         line("seen",
              fmt::format("{} times, first {}, last {} (sandbox {})",
                          word(refused, {"count"}), word(refused, {"first"}),
                          word(refused, {"last"}),
                          word(refused, {"containerID"})));
}

/// What would become of an ADD that came now.
std::string now_text(const Json& answer) {
  if (at(answer, {"now", "ready"}) == true) {
    return line("now",
                fmt::format("an ADD would be served: {} free, {} cooling",
                            word(answer, {"now", "free"}),
                            word(answer, {"now", "cooling"})));
  }
  return line("now", fmt::format("an ADD would be refused: {}: {}",
                                 word(answer, {"now", "why", "code"}),
                                 word(answer, {"now", "why", "msg"}))) +
         line("remedy", word(answer, {"now", "why", "remedy"}));
}

std::string none_text(const Json& answer) {
  std::string text;
  for (const Json& one : at(answer, {"released"})) {
    text += line("had", fmt::format("{} from {} since {}; released since",
                                    word(one, {"addresses"}),
                                    word(one, {"source"}), word(one, {"at"})));
  }
  if (text.empty()) {
    text = line("what", fmt::format("no ADD of this pod has reached the agent "
                                    "since its start ({})",
                                    word(answer, {"since"})));
  }
  if (at(answer, {"knownToAPI"}) == false) {
    text += line("pod", "the API server has no such pod on this node");
  }
  return text;
}

}  // namespace

Report explain_report(const Json& answer) {
  const std::string verdict = word(answer, {"verdict"});
  const std::string who = word(answer, {"pod"});
  const std::string node = word(answer, {"node"});
  Report report;
  report.findings = verdict != "held";
  if (verdict == "held") {
    report.text = fmt::format("{}: has an address on {}\n", who, node);
    for (const Json& one : at(answer, {"held"})) {
      report.text += held_text(one, answer);
    }
    if (at(answer, {"refused"}).is_object()) {
      report.text +=
          "refused before:\n" + refusal_text(at(answer, {"refused"}));
    }
    return report;
  }
  if (verdict == "waiting") {
    report.text = fmt::format("{}: waits for an address on {}\n", who, node);
    report.text += line("sandbox", joined(at(answer, {"waiting"})));
  } else {
    report.text = fmt::format("{}: has no address on {}\n", who, node);
    report.text += verdict == "refused" ? refusal_text(at(answer, {"refused"}))
                                        : none_text(answer);
  }
  report.text += now_text(answer);
  return report;
}

}  // namespace linsey::ctl
