// Conflist: publishes the CNI configuration once the node can serve an ADD,
// and sees to it that it stays. It is never taken back: while no address can
// be given STATUS says so.
#pragma once

#include <functional>
#include <optional>

#include "agent/loop.h"
#include "agent/metrics.h"
#include "agent/worker.h"
#include "base/result.h"
#include "conf/agent_config.h"
#include "install/publish_conflist.h"

namespace linsey::agent {

struct ConflistDeps {
  Loop& loop;
  Worker& worker;
  Metrics& metrics;
  const conf::AgentConfig& config;
  std::function<bool()> ready;
};

class Conflist {
 public:
  explicit Conflist(ConflistDeps deps);

  /// Publishes as soon as `ready` says so; looks again now and then.
  void start();
  bool published() const { return published_; }
  /// Why it could not be published, while it cannot.
  const std::optional<Error>& error() const { return error_; }

 private:
  void look();
  void done(const Result<install::Published>& result);

  ConflistDeps deps_;
  bool published_ = false;
  std::optional<Error> error_;
};

}  // namespace linsey::agent
