// Service: what a running lab answers to its commands. Each request runs on a
// thread of its own; what it needs of the world it asks at the desk, what
// takes long (plugins, agents that get ready, probes) it does by itself, for
// many pods in parallel.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "base/result.h"
#include "lab/control.h"
#include "lab/desk.h"
#include "lab/world.h"

namespace linsey::lab {

class Service {
 public:
  /// Both must outlive it. `stop` ends the lab; it returns at once.
  Service(Desk& desk, World& world, std::function<void()> stop)
      : desk_(desk), world_(world), stop_(std::move(stop)) {}

  /// Requests are {"op": NAME, …}. Errors: kUnsupportedField for an unknown
  /// op, else the operation's own. Thread: any.
  Result<Answer> handle(const Json& request, const Progress& progress);

  /// Lets waits for readiness end early.
  void cancel() { cancelled_ = true; }

 private:
  using Operation = Result<Answer> (Service::*)(const Json&, const Progress&);

  Result<Answer> down(const Json& request, const Progress& progress);
  Result<Answer> inventory(const Json& request, const Progress& progress);
  Result<Answer> netns(const Json& request, const Progress& progress);
  Result<Answer> nodes(const Json& request, const Progress& progress);
  Result<Answer> ready(const Json& request, const Progress& progress);
  Result<Answer> join(const Json& request, const Progress& progress);
  Result<Answer> leave(const Json& request, const Progress& progress);
  Result<Answer> agent(const Json& request, const Progress& progress);
  Result<Answer> pod_add(const Json& request, const Progress& progress);
  Result<Answer> pod_del(const Json& request, const Progress& progress);
  Result<Answer> pod_check(const Json& request, const Progress& progress);
  Result<Answer> pod_list(const Json& request, const Progress& progress);
  Result<Answer> matrix(const Json& request, const Progress& progress);
  Result<Answer> calls(const Json& request, const Progress& progress);
  Result<Answer> fault(const Json& request, const Progress& progress);
  Result<Answer> routes(const Json& request, const Progress& progress);
  Result<Answer> topology(const Json& request, const Progress& progress);

  Desk& desk_;
  World& world_;
  std::function<void()> stop_;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace linsey::lab
