// What all commands of linseyctl share: the words of the command line and the
// ways to ask the agent. Internal to this room.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "ctl/cli.h"
#include "ctl/preflight.h"
#include "rpc/client.h"

namespace linsey::ctl {

inline constexpr int kFine = 0;
inline constexpr int kFindings = 1;
inline constexpr int kCannot = 2;

struct Options {
  std::string socket = "/run/linsey/agent.sock";
  std::string output = "text";
  double timeout = 5;
  bool all = false;
  std::string file;
  std::string pod;  // NAMESPACE/NAME
  PreflightOptions preflight;
  bool cancel = false;
  bool no_wait = false;
  double limit = -1;  // of drain-routes, in seconds; below 0: bgp.drain's
  bool plan = false;  // of ipam check
  std::string apply;  // the plan's hash
  double settle = 2;  // seconds between its two looks
  std::string shell = "bash";
  std::string config = "/etc/linsey/agent.json";  // of diag
  std::string bundle;
  std::string bin_dir = "/opt/cni/bin";

  bool json() const { return output == "json"; }
};

rpc::Client client_of(const Options& options);
/// The agent's answer to GET `path`. Errors: those of rpc::Client, kDecode.
Result<Json> view(const Options& options, const std::string& path);
std::string pretty(const Json& json);

// Commands that have files of their own.

Result<Outcome> node_mode(const Options& options);
Result<Outcome> ipam_check(const Options& options);
Result<Outcome> diag(const Options& options);
Result<Outcome> version(const Options& options);

}  // namespace linsey::ctl
