// Placement: keeps the decision what this node is up to date, and sees to the
// supplier that goes with it.
//
// It gathers evidence on a worker, decides (node_kind), tells Service, and
// makes the supplier of the decided mode by a factory, so that main.cpp is the
// only place that knows the modes. While nothing can be decided the node is in
// quarantine: no address is given, STATUS and ADD say why. That ends without a
// restart: every change of a document, and a slow timer, decide anew. A
// supplier that is replaced stays in memory, stopped, because its workers may
// still hand results back.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/documents.h"
#include "agent/loop.h"
#include "agent/metrics.h"
#include "agent/node_kind.h"
#include "agent/service.h"
#include "agent/supplier.h"
#include "agent/worker.h"
#include "base/result.h"
#include "ipam/ledger.h"

namespace linsey::agent {

struct PlacementDeps {
  Loop& loop;
  Worker& worker;
  Documents& documents;
  const ipam::Ledger& ledger;
  Service& service;
  Metrics& metrics;
  std::function<Result<std::unique_ptr<Supplier>>(conf::Mode)> make_supplier;
};

class Placement {
 public:
  explicit Placement(PlacementDeps deps);

  /// Decides for the first time; quarantine until then.
  void start();
  /// A document changed: decides anew and tells the supplier.
  void documents_changed();
  void stop();

  Supplier* supplier() { return supplier_.get(); }
  /// JSON for /v1/node.
  std::string describe() const;

 private:
  void reconsider();
  void settle(const Observed& observed);
  Result<Verdict> judge(const Observed& observed) const;
  Result<void> accept(const Verdict& verdict);
  void quarantine(const Error& why);
  Result<void> use_mode(conf::Mode mode);
  void remember(const Verdict& verdict);
  std::string cache_file() const;

  PlacementDeps deps_;
  std::unique_ptr<Supplier> supplier_;
  std::vector<std::unique_ptr<Supplier>> retired_;
  std::optional<conf::Mode> supplied_;  // mode of supplier_
  std::optional<conf::Mode> proven_;    // decided before, cached on disk
  std::optional<Verdict> verdict_;
  std::optional<Error> quarantine_;
  std::vector<Fact> facts_;
  Loop::TimerId timer_ = 0;
  bool asking_ = false;
  bool ask_again_ = false;
};

}  // namespace linsey::agent
