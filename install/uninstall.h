// Takes everything of ours off a node, and proves it.
//
// One list of places, each of which knows how to find what is ours there and
// how to remove it: links and qdiscs, rules, routes, nftables, sysctls, files.
// --dry-run prints what was found; otherwise all is removed, all places are
// looked at a second time, and what is still found is what is left. What does
// not carry a mark of ours is never touched: names alone are no proof.
//
// The cloud's interfaces are the agent's to give back (drain the node first),
// objects in the API server are linseyctl's. The operator's own /etc/linsey
// stays. Works without a record of the installation; the record only adds what
// was there before: replaced plugins, set-aside conflists, made directories.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "install/host.h"

namespace linsey::install {

/// One thing of ours, and what undoes it.
struct Trace {
  std::string text;
  std::function<Result<void>()> remove;
};

/// A place that was looked at.
struct Place {
  std::string what;   // "rules"
  std::string where;  // "protocol 80, IPv4 and IPv6"
  std::vector<Trace> found;
  std::vector<std::string> kept;  // ours once, not to be removed, and why
  std::vector<Error> errors;      // of looking, later of removing
  std::vector<std::string> left;  // found again at the second look
};

struct UninstallOptions {
  Host host;
  bool dry_run = false;
  bool force = false;  // although linseyd runs
  bool kernel = true;  // the calling thread's network namespace
  bool files = true;   // below host.root
  bool state = true;   // the ledger and the record too
};

struct Uninstalled {
  std::vector<Place> places;
  bool dry_run = false;
  bool clean() const;  // nothing left and no error
};

/// Errors: kTryAgainLater when linseyd still runs here and `force` is not set;
/// all others stand in the places.
Result<Uninstalled> uninstall(const UninstallOptions& options);

/// `all`: places where nothing was found too.
std::string to_text(const Uninstalled& result, bool all);
std::string to_json(const Uninstalled& result);

/// The places, for uninstall(); in the order of removal.
std::vector<Place> look_at_kernel(const Host& host);
std::vector<Place> look_at_files(const UninstallOptions& options);

}  // namespace linsey::install
