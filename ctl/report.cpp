#include "ctl/report.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "ctl/json_path.h"
#include "ctl/table.h"

namespace linsey::ctl {
namespace {

std::string word(const Json& json) {
  if (json.is_null()) return "";
  if (json.is_string()) return json.get<std::string>();
  return dump_json(json);
}

std::string word(const Json& json, std::initializer_list<const char*> path) {
  return word(at(json, path));
}

std::string or_dash(const std::string& text) {
  return text.empty() ? "-" : text;
}

std::string line(std::string_view name, const std::string& value) {
  return fmt::format("{:<12} {}\n", std::string(name) + ":", or_dash(value));
}

std::string upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

using Owners = std::map<std::pair<std::string, std::string>, std::string>;

/// (container id, ifname) -> "namespace/pod".
Owners pods_of(const Json& attachments) {
  Owners owners;
  for (const Json& held : attachments) {
    const Json& attachment = at(held, {"attachment"});
    const std::string pod = word(attachment, {"pod", "name"});
    if (pod.empty()) continue;
    owners[{word(attachment, {"key", "containerID"}),
            word(attachment, {"key", "ifname"})}] =
        word(attachment, {"pod", "namespace"}) + "/" + pod;
  }
  return owners;
}

std::string released(const Json& row) {
  const std::string seconds = word(row, {"releasedSecondsAgo"});
  return seconds.empty() ? "" : seconds + "s ago";
}

void add_address(Table& table, const Json& row, const Owners& owners) {
  const std::string id = word(row, {"holder", "containerID"});
  const std::string ifname = word(row, {"holder", "ifname"});
  const auto owner = owners.find({id, ifname});
  std::string state = word(row, {"state"});
  if (at(row, {"draining"}) == true) state += ",draining";
  table.add({word(row, {"address"}), state, word(row, {"source"}),
             owner == owners.end() ? "" : owner->second, ifname,
             id.substr(0, 13), released(row), word(row, {"note"})});
}

std::string counts_line(const Json& counts) {
  std::string out;
  for (const char* key : {"free", "held", "cooling", "reserved", "draining"}) {
    const std::string number = word(counts, {key});
    if (number.empty()) continue;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", number, key);
  }
  return out;
}

std::string list_table(const Json& list) {
  std::vector<std::string> keys;
  std::set<std::string> seen;
  for (const Json& item : list) {
    for (const auto& [key, value] : item.items()) {
      if (seen.insert(key).second) keys.push_back(key);
    }
  }
  std::vector<std::string> head;
  head.reserve(keys.size());
  for (const std::string& key : keys) {
    head.push_back(upper(key));
  }
  Table table(std::move(head));
  for (const Json& item : list) {
    std::vector<std::string> row;
    row.reserve(keys.size());
    for (const std::string& key : keys) {
      row.push_back(word(item, {key.c_str()}));
    }
    table.add(std::move(row));
  }
  return table.text();
}

bool is_table(const Json& value) {
  return value.is_array() && !value.empty() && value[0].is_object();
}

std::string supply_text(const Json& supply) {
  if (!supply.is_object()) return "";
  std::string lines;
  std::string tables;
  for (const auto& [key, value] : supply.items()) {
    if (is_table(value)) {
      tables += fmt::format("\n{}\n{}", key, list_table(value));
    } else {
      lines += line(key, word(value));
    }
  }
  return lines + tables;
}

std::string evidence_table(const Json& evidence) {
  Table table({"EVIDENCE", "VOTE", "FACT"});
  for (const Json& fact : evidence) {
    table.add(
        {word(fact, {"source"}), word(fact, {"vote"}), word(fact, {"text"})});
  }
  return table.empty() ? "" : "\n" + table.text();
}

bool votes_against(const Json& evidence) {
  for (const Json& fact : evidence) {
    if (word(fact, {"vote"}) == "against") return true;
  }
  return false;
}

}  // namespace

Report status_report(const rpc::Status& status) {
  Report report;
  report.findings = !status.ready;
  report.text =
      line("node", status.node) + line("ready", status.ready ? "yes" : "no");
  if (!status.ready) report.text += line("because", to_string(status.why));
  report.text += line("mode", status.mode);
  if (!status.mode_why.empty())
    report.text += line("mode why", status.mode_why);
  if (!status.zone.empty()) report.text += line("zone", status.zone);
  report.text +=
      line("addresses", fmt::format("{} free, {} held, {} cooling", status.free,
                                    status.held, status.cooling));
  return report;
}

Report ipam_report(const Json& view, bool all) {
  const Owners owners = pods_of(at(view, {"attachments"}));
  Table table({"ADDRESS", "STATE", "SOURCE", "POD", "IFNAME", "CONTAINER",
               "RELEASED", "NOTE"});
  for (const Json& row : at(view, {"addresses"})) {
    const bool plain =
        word(row, {"state"}) == "free" && word(row, {"note"}).empty();
    if (all || !plain) add_address(table, row, owners);
  }
  Report report;
  report.text = line("addresses", counts_line(at(view, {"counts"})));
  if (!table.empty()) report.text += "\n" + table.text();
  return report;
}

Report node_report(const Json& node, const Json& supply) {
  Report report;
  report.text =
      line("node", word(node, {"node"})) + line("mode", word(node, {"mode"})) +
      line("rule", word(node, {"rule"})) + line("why", word(node, {"why"})) +
      line("providerID", word(node, {"providerID"}));
  std::string addresses;
  for (const Json& address : at(node, {"addresses"})) {
    addresses += (addresses.empty() ? "" : ", ") + word(address);
  }
  report.text += line("addresses", addresses);
  const Json& evidence = at(node, {"evidence"});
  report.findings = votes_against(evidence);
  for (const auto& [key, name] : {std::pair("quarantine", "quarantine"),
                                  std::pair("configRefused", "config"),
                                  std::pair("nodeRefused", "file")}) {
    const std::string text = word(node, {key, "msg"});
    if (text.empty()) continue;
    report.text += line(name, text);
    report.findings = true;
  }
  report.text += evidence_table(evidence);
  const std::string supplied = supply_text(supply);
  if (!supplied.empty()) report.text += "\n" + supplied;
  return report;
}

Report check_report(const Json& check) {
  const Json& missing = at(check, {"missing"});
  const auto found = check.find("lookedFor");
  const std::uint64_t all = found != check.end() && found->is_number_unsigned()
                                ? found->get<std::uint64_t>()
                                : missing.size();
  Report report;
  report.findings = !missing.empty();
  report.text =
      fmt::format("routes by BGP lead to {} of {} blocks of other nodes\n",
                  all - std::min<std::uint64_t>(missing.size(), all), all);
  for (const Json& block : missing) {
    report.text +=
        fmt::format("  {}: PrefixNotPropagated: no route\n", word(block));
  }
  if (report.findings) {
    report.text +=
        "a router filters them (often by length), bgp.import does not list "
        "them, a session is down, or their nodes are\n";
  }
  return report;
}

}  // namespace linsey::ctl
