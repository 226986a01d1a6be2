// Commands: what linsey-lab does for the person who types. Each one is a
// request to the running lab and a way to print the answer; none knows more of
// the lab than its JSON.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "lab/control.h"

namespace linsey::lab {

/// Which lab, and how to print.
struct Target {
  std::string dir = "/run/linsey-lab";
  std::string name = "hybrid";
  bool json = false;

  std::string directory() const { return dir + "/" + name; }
};

struct UpOptions {
  std::string topology_file;  // empty: the shipped one
  bool detach = false;
  bool keep = false;     // demo only: end by a signal instead of at its end
  std::string programs;  // where linseyd and linsey are; empty: beside us
};

/// Of `api`: a simulated API server without a lab around it.
struct ApiOptions {
  std::string listen = "127.0.0.1:0";
  std::string kubeconfig;              // written for the administrator
  std::string tokens_file;             // who else there is
  std::vector<std::string> manifests;  // applied first: files, directories
  bool plain = false;                  // HTTP
};

/// All return the process's exit code.
int command_api(const ApiOptions& options);
int command_up(const Target& target, const UpOptions& options);
int command_down(const Target& target);
/// `where`: NODE or NODE/[NAMESPACE/]POD.
int command_exec(const Target& target, const std::string& where,
                 const std::vector<std::string>& argv);
int command_nodes(const Target& target, bool wait);
int command_join(const Target& target, const std::string& node);
int command_leave(const Target& target, const std::string& node);
int command_agent(const Target& target, const std::string& node,
                  const std::string& verb);
/// `request`: pod.add, pod.del or pod.check.
int command_pods(const Target& target, const Json& request);
int command_pod_list(const Target& target);
int command_matrix(const Target& target);
int command_routes(const Target& target, const std::string& command);
int command_topology(const Target& target);
int command_calls(const Target& target, bool reset);
int command_fault(const Target& target,
                  const std::vector<std::string>& settings);
/// The whole show: a lab of its own, from nothing to nothing.
int command_demo(const Target& target, const UpOptions& options);

/// One request on a connection of its own.
Result<Answer> ask_lab(const Target& target, const Json& request,
                       const Progress& progress = {});

/// Starts a lab that ends with this process; returns when it is up, having
/// printed its progress. False when it did not come up.
bool start_lab(const Target& target, const UpOptions& options);

/// "10.244.0.7 fd00::7"
std::string addresses_of(const Json& pod);

/// Columns, padded; the first row is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// The lab is told to end (it may be gone already), waited for, and proved to
/// be gone; what was looked at is printed. False when anything is left.
bool end_and_prove(const Target& target);

/// Prints an error as people read it; returns 1.
int complain(const Error& error);

}  // namespace linsey::lab
