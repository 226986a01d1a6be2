// `linseyctl ipam check`: two looks, the plan, and its application.
#include <algorithm>
#include <chrono>
#include <thread>

#include <nlohmann/json.hpp>

#include "ctl/ipam_check.h"
#include "ctl/options.h"
#include "ctl/table.h"

namespace linsey::ctl {
namespace {

struct Look {
  AgentView agent;
  std::vector<Difference> differences;
};

Result<Look> look(const Options& options) {
  const Json ipam = TRY(view(options, "/v1/ipam"));
  const Result<Json> pods = view(options, "/v1/pods");  // older agents: none
  Look out;
  out.agent = TRY(parse_agent_view(ipam, pods ? *pods : Json(nullptr)));
  out.differences = compare(out.agent, TRY(look_at_kernel(out.agent)));
  return out;
}

/// What both of two looks saw.
Result<Look> settled_look(const Options& options) {
  const Look first = TRY(look(options));
  if (first.differences.empty()) return first;
  std::this_thread::sleep_for(std::chrono::duration<double>(options.settle));
  Look second = TRY(look(options));
  second.differences = both(first.differences, second.differences);
  return second;
}

std::string text_of(const Look& seen, bool plan) {
  Table table({"BETWEEN", "KIND", "WHAT"});
  for (const Difference& one : seen.differences) {
    table.add({one.between, one.kind, one.what});
  }
  std::string text = seen.differences.empty() ? "" : table.text() + "\n";
  text += fmt::format("{} attachments, {} addresses, {}: {} differences\n",
                      seen.agent.held.size(), seen.agent.sources.size(),
                      seen.agent.pods ? "the API server's pods"
                                      : "the API server's pods not known",
                      seen.differences.size());
  const std::string hash = plan_hash(seen.differences);
  if (!plan || hash.empty()) return text;
  text += fmt::format("plan {}:\n", hash);
  for (const Difference& one : seen.differences) {
    if (one.mend != Mend::kNone) text += "  " + action_of(one) + "\n";
  }
  return text + fmt::format("do it: linseyctl ipam check --apply {}\n", hash);
}

Json json_of(const Look& seen) {
  Json list = Json::array();
  for (const Difference& one : seen.differences) {
    list.push_back({{"between", one.between},
                    {"kind", one.kind},
                    {"what", one.what},
                    {"action", action_of(one)}});
  }
  return {{"differences", std::move(list)},
          {"plan", plan_hash(seen.differences)},
          {"attachments", seen.agent.held.size()},
          {"addresses", seen.agent.sources.size()},
          {"podsKnown", seen.agent.pods.has_value()}};
}

Result<void> carry_out(const Difference& one, const Look& seen,
                       const Options& options) {
  if (one.mend != Mend::kRelease) return mend(one, seen.agent);
  rpc::Client client = client_of(options);
  return client.release({.key = one.key, .pod = {}, .path_down = false});
}

Result<Outcome> apply(const Look& seen, const Options& options) {
  const std::string hash = plan_hash(seen.differences);
  if (hash != options.apply) {
    return make_error(Code::kStateMismatch,
                      "the node does not show what plan {} was made for: its "
                      "plan is now {}; look at it with --plan",
                      options.apply, hash.empty() ? "empty" : hash);
  }
  Outcome result;
  Json done = Json::array();
  for (const Difference& one : seen.differences) {
    if (one.mend == Mend::kNone) continue;
    const Result<void> mended = carry_out(one, seen, options);
    if (!mended) result.exit_code = kFindings;
    const std::string how = mended ? "done" : to_string(mended.error());
    result.out += fmt::format("{}: {}\n", action_of(one), how);
    done.push_back({{"action", action_of(one)}, {"result", how}});
  }
  if (options.json()) result.out = pretty({{"plan", hash}, {"done", done}});
  return result;
}

}  // namespace

Result<Outcome> ipam_check(const Options& options) {
  const Look seen = TRY(settled_look(options));
  if (!options.apply.empty()) return apply(seen, options);
  Outcome result;
  result.exit_code = seen.differences.empty() ? kFine : kFindings;
  result.out =
      options.json() ? pretty(json_of(seen)) : text_of(seen, options.plan);
  return result;
}

}  // namespace linsey::ctl
