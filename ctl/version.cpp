// `linseyctl version`: this program, the agent and the plugin, and whether
// they are of one version. Without an agent that is no finding: the program
// also runs where no agent is.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "ctl/json_path.h"
#include "ctl/options.h"
#include "install/probe.h"
#include "rpc/message.h"

namespace linsey::ctl {
namespace {

std::string plugin_version(const std::string& bin_dir) {
  const std::string path = bin_dir + "/linsey";
  if (!path_exists(path)) return "";
  return install::probe_plugin(path).version;
}

}  // namespace

Result<Outcome> version(const Options& options) {
  const std::string own = LINSEY_VERSION;
  Options quick = options;
  quick.timeout = std::min(options.timeout, 1.0);
  const Result<Json> node = path_exists(options.socket)
                                ? view(quick, "/v1/node")
                                : make_error(Code::kAgentDown, "no socket");
  const std::string agent = node ? text_at(*node, "version") : "";
  const std::string plugin = plugin_version(options.bin_dir);
  const bool skew = (!agent.empty() && agent != own) ||
                    (!plugin.empty() && !agent.empty() && plugin != agent);
  Outcome result;
  result.exit_code = skew ? kFindings : kFine;
  result.out = fmt::format("linseyctl {} (protocol {})\n", own, rpc::kProtocol);
  if (!agent.empty()) result.out += fmt::format("linseyd   {}\n", agent);
  if (!plugin.empty()) {
    result.out += fmt::format("linsey    {} ({})\n", plugin, options.bin_dir);
  }
  if (skew) {
    result.out +=
        "versions differ: an upgrade is under way, or its init container did "
        "not run on this node\n";
  }
  if (options.json()) {
    result.out = pretty({{"version", own},
                         {"protocol", rpc::kProtocol},
                         {"agent", agent},
                         {"plugin", plugin},
                         {"skew", skew}});
  }
  return result;
}

}  // namespace linsey::ctl
