// Rollback: undo steps that run backwards unless the work was committed.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/result.h"

namespace linsey {

/// Collects how to undo what was done so far. The destructor runs the steps in
/// reverse order unless commit() was called; a step that fails is logged and
/// the others still run.
class Rollback {
 public:
  Rollback() = default;
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;
  ~Rollback() { run(); }

  void add(std::function<Result<void>()> step) {
    steps_.push_back(std::move(step));
  }
  void commit() { steps_.clear(); }
  /// Runs the steps now instead of at the end of the scope.
  void run() {
    while (!steps_.empty()) {
      const auto step = std::move(steps_.back());
      steps_.pop_back();
      const Result<void> done = step();
      if (!done) log::warn("undo failed: {}", to_string(done.error()));
    }
  }

 private:
  std::vector<std::function<Result<void>()>> steps_;
};

}  // namespace linsey
