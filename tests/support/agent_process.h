// The real linseyd in a host namespace of the test, with directories of its
// own. Killed and gone when the object is, also on failure.
//
//   AgentProcess agent(*host, {.blocks = {"10.64.0.0/26"}});
//   agent.start();                        // returns when it is ready
//   agent.client().allocate(attachment);
//   agent.kill_now(); agent.start();      // the same state again
//
// Link with DEPS agent_process.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/process.h"
#include "netlink/netns.h"
#include "rpc/client.h"
#include "tests/support/temp_dir.h"

namespace linsey::tests {

struct AgentOptions {
  std::string node = "m1";
  std::map<std::string, std::string> labels = {{"place", "dc"}};
  std::string provider_id;
  /// Of the node; put on a link "up0" made for it in the host namespace.
  std::vector<std::string> addresses = {"10.0.1.11/24", "fd00:1::11/64"};
  std::vector<std::string> blocks = {"10.64.0.0/26"};
  /// JSON merge patch (RFC 7396) on the configuration.
  std::string config_patch = "{}";
};

class AgentProcess {
 public:
  AgentProcess(const netlink::NetNs& host, AgentOptions options);
  ~AgentProcess();
  AgentProcess(const AgentProcess&) = delete;
  AgentProcess& operator=(const AgentProcess&) = delete;

  /// Starts it and waits until it says that it is ready; panics after 20 s
  /// with its log. `env` is added to the test's own (LINSEY_CRASH_AT).
  void start(const std::map<std::string, std::string>& env = {});
  /// As start, but waits only until its socket answers.
  void start_unready(const std::map<std::string, std::string>& env = {});
  /// Starts it and waits until it has ended by itself, at a crash point; false
  /// after 20 s.
  bool start_to_crash(const std::map<std::string, std::string>& env);
  /// SIGTERM; returns the exit code.
  int stop();
  void kill_now();
  bool alive();
  /// Waits until it has ended by itself, at a crash point; false after 20 s.
  bool wait_end();
  pid_t pid() const { return child_.pid(); }

  rpc::Client client() const;
  /// Waits until `GET path` answers with a body that has `text` in it; the
  /// last body is returned either way.
  std::string wait_for(const std::string& path, const std::string& text);
  /// What it has printed so far.
  std::string log() const;

  std::string socket() const { return dir_ / "run/agent.sock"; }
  std::string state_dir() const { return dir_ / "state"; }
  std::string notes_dir() const { return dir_ / "state/notes"; }
  std::string cni_conf_dir() const { return dir_ / "net.d"; }
  std::string config_file() const { return dir_ / "etc/agent.json"; }
  std::string node_file() const { return dir_ / "node/node.json"; }
  const AgentOptions& options() const { return options_; }
  /// Writes both documents anew from changed options.
  void write_documents(const AgentOptions& options);

 private:
  void make_uplink() const;
  void launch(const std::map<std::string, std::string>& env);

  const netlink::NetNs& host_;
  AgentOptions options_;
  TempDir dir_;
  Child child_;
};

}  // namespace linsey::tests
