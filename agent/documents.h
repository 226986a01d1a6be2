// Documents: the agent's configuration and the node object, as files that are
// watched, or as the API server shows them (agent/kube_party hands them over).
//
// A document is taken whole or not at all. When a new one is refused, the last
// valid one stays in force (also across restarts: it is kept under the state
// directory) and the refusal is visible until it is mended. Directories are
// watched and not files, since both a rename and a ConfigMap's swapped symlink
// replace what a file name stands for.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/loop.h"
#include "base/fd.h"
#include "base/result.h"
#include "conf/agent_config.h"
#include "conf/node.h"

namespace linsey::agent {

class Documents {
 public:
  /// Reads both. Errors: kInvalidConfig and the like when the configuration is
  /// refused and no earlier valid one is kept. A node object that cannot be
  /// read is no error here, see node_error().
  static Result<std::unique_ptr<Documents>> open(
      const std::string& config_file);
  ~Documents();
  Documents(const Documents&) = delete;
  Documents& operator=(const Documents&) = delete;

  /// Both stay where they are in memory; reload() replaces their content.
  const conf::AgentConfig& config() const { return config_; }
  const conf::Node& node() const { return node_; }
  /// Who this node is by configuration, environment or host name.
  const std::string& node_name() const { return node_name_; }
  /// Tells apart configurations in force: 12 hex digits.
  std::string config_digest() const;
  /// Set while no node object is known at all: kNodeUnknown.
  const std::optional<Error>& node_error() const { return node_error_; }
  /// Set while the newest configuration (or node object) is not the one in
  /// force.
  const std::optional<Error>& config_refused() const { return config_refused_; }
  const std::optional<Error>& node_refused() const { return node_refused_; }

  /// Calls `changed` from the loop after a new document came into force, or a
  /// refusal began or ended. Errors: kIo when inotify cannot be had.
  Result<void> watch(Loop& loop, std::function<void()> changed);
  /// What the API server shows: the node object, and the document of the
  /// ConfigMap. Taken, or refused, as a changed file would be. After watch().
  void take_node(std::string text);
  void take_config(std::string text);
  /// Reads both again; true when anything that is shown above changed.
  bool reload();

 private:
  struct Newest {
    std::string where;
    std::string text;
    Result<conf::AgentConfig> config;
  };

  explicit Documents(std::string config_file);
  Newest newest() const;
  Result<std::string> node_text() const;
  Result<void> load_config();
  Result<conf::AgentConfig> accept(conf::AgentConfig config,
                                   const std::string& text) const;
  Result<void> check_against_node(const conf::AgentConfig& config) const;
  conf::Node known_node(const conf::AgentConfig& config) const;
  void load_node();
  std::string kept(const char* name) const;
  void keep(const char* name, const std::string& text) const;
  Result<conf::Node> parse_own_node(const std::string& text) const;
  void add_watches();
  void on_inotify();
  void look();
  void look_now_and_then();

  std::string config_file_;
  conf::AgentConfig config_;
  conf::Node node_;
  std::string config_text_;  // of the document in force
  std::string node_name_;
  std::optional<std::string> node_text_;  // from the API server
  std::optional<std::string> map_text_;
  std::optional<Error> node_error_;
  std::optional<Error> config_refused_;
  std::optional<Error> node_refused_;

  Loop* loop_ = nullptr;
  UniqueFd inotify_;
  Loop::TimerId settle_timer_ = 0;
  Loop::TimerId slow_timer_ = 0;
  std::function<void()> changed_;
};

}  // namespace linsey::agent
