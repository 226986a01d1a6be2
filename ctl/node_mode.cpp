// `linseyctl node mode`: what this node is, and what spoke for it and against.
#include <nlohmann/json.hpp>

#include "ctl/json_path.h"
#include "ctl/options.h"
#include "ctl/table.h"

namespace linsey::ctl {

Result<Outcome> node_mode(const Options& options) {
  const Json node = TRY(view(options, "/v1/node"));
  if (!node.is_object()) {
    return make_error(Code::kDecode, "the agent's answer is no object");
  }
  const Json quarantine = node.value("quarantine", Json(nullptr));
  Outcome result;
  result.exit_code = quarantine.is_null() ? kFine : kFindings;
  const std::string mode = text_at(node, "mode");
  result.out = fmt::format("{}: {}\n", text_at(node, "node"),
                           mode.empty() ? "not decided" : mode);
  if (const std::string why = text_at(node, "why"); !why.empty()) {
    result.out += "why: " + why + "\n";
  }
  if (!quarantine.is_null()) {
    result.out += "no address is given: " + text_at(quarantine, "msg") + "\n";
  }
  Table table({"VOTE", "SOURCE", "WHAT"});
  for (const Json& fact : node.value("evidence", Json::array())) {
    table.add({text_at(fact, "vote"), text_at(fact, "source"),
               text_at(fact, "text")});
  }
  if (!table.empty()) result.out += table.text();
  if (options.json()) {
    result.out = pretty({{"node", text_at(node, "node")},
                         {"mode", node.value("mode", Json(nullptr))},
                         {"rule", node.value("rule", Json(nullptr))},
                         {"why", node.value("why", Json(nullptr))},
                         {"quarantine", quarantine},
                         {"evidence", node.value("evidence", Json::array())}});
  }
  return result;
}

}  // namespace linsey::ctl
