#include "install/uninstall.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"

namespace linsey::install {
namespace {

/// The agent would make anew what is removed here.
Result<void> refuse_beside_agent(const Host& host) {
  const std::string lock = host.at(host.state_dir) + "/agent.lock";
  if (!path_exists(lock)) return {};
  const Result<FileLock> taken = FileLock::acquire(lock);
  if (taken || taken.error().code != Code::kTryAgainLater) return {};
  return make_error(Code::kTryAgainLater,
                    "linseyd still runs on this node ({} is held) and would "
                    "make again what is removed; delete its DaemonSet first, "
                    "or use --force",
                    lock);
}

std::vector<Place> look(const UninstallOptions& options) {
  std::vector<Place> places;
  const auto take = [&places](std::vector<Place> more) {
    std::ranges::move(more, std::back_inserter(places));
  };
  if (options.kernel) take(look_at_kernel(options.host));
  if (options.files) take(look_at_files(options));
  return places;
}

void remove_all(std::vector<Place>& places) {
  for (Place& place : places) {
    for (const Trace& trace : place.found) {
      const Result<void> removed = trace.remove();
      if (!removed) {
        place.errors.push_back(
            context(removed, "remove {}", trace.text).error());
      }
    }
  }
}

void look_again(const UninstallOptions& options, std::vector<Place>& places) {
  for (const Place& now : look(options)) {
    const auto place = std::ranges::find_if(places, [&](const Place& one) {
      return one.what == now.what && one.where == now.where;
    });
    if (place == places.end()) continue;
    for (const Trace& trace : now.found) {
      place->left.push_back(trace.text);
    }
    std::ranges::copy(now.errors, std::back_inserter(place->errors));
  }
}

std::string summary(const Uninstalled& result) {
  std::size_t found = 0;
  std::size_t left = 0;
  for (const Place& place : result.places) {
    found += place.found.size();
    left += place.left.size();
  }
  const std::string places =
      fmt::format("looked at {} places: {} found", result.places.size(), found);
  if (result.dry_run) return places + ", nothing removed (--dry-run)\n";
  if (result.clean()) return places + ", nothing left\n";
  return fmt::format("{}, {} LEFT or not to be told\n", places, left);
}

void describe(const Place& place, bool dry_run, std::string& out) {
  out += fmt::format(
      "{:<12} {:<58} {}\n", place.what, place.where,
      place.found.empty() ? "none"
      : dry_run           ? fmt::format("{} found", place.found.size())
                          : fmt::format("{} removed", place.found.size() -
                                                          std::min(place.found.size(),
                                                                   place.left.size())));
  for (const Trace& trace : place.found) {
    out += fmt::format("    {}\n", trace.text);
  }
  for (const std::string& kept : place.kept) {
    out += fmt::format("    kept: {}\n", kept);
  }
  for (const std::string& left : place.left) {
    out += fmt::format("    LEFT: {}\n", left);
  }
  for (const Error& error : place.errors) {
    out += fmt::format("    ERROR: {}\n", to_string(error));
  }
}

}  // namespace

bool Uninstalled::clean() const {
  return std::ranges::all_of(places, [](const Place& place) {
    return place.left.empty() && place.errors.empty();
  });
}

Result<Uninstalled> uninstall(const UninstallOptions& options) {
  if (!options.force && !options.dry_run) {
    TRY(refuse_beside_agent(options.host));
  }
  Uninstalled result{.places = look(options), .dry_run = options.dry_run};
  if (options.dry_run) return result;
  remove_all(result.places);
  look_again(options, result.places);
  return result;
}

std::string to_text(const Uninstalled& result, bool all) {
  std::string out;
  for (const Place& place : result.places) {
    const bool quiet = place.found.empty() && place.left.empty() &&
                       place.errors.empty() && place.kept.empty();
    if (all || !quiet) describe(place, result.dry_run, out);
  }
  return out + summary(result);
}

std::string to_json(const Uninstalled& result) {
  Json places = Json::array();
  for (const Place& place : result.places) {
    Json found = Json::array();
    for (const Trace& trace : place.found) {
      found.push_back(trace.text);
    }
    Json errors = Json::array();
    for (const Error& error : place.errors) {
      errors.push_back(to_string(error));
    }
    places.push_back({{"what", place.what},
                      {"where", place.where},
                      {"found", std::move(found)},
                      {"kept", place.kept},
                      {"left", place.left},
                      {"errors", std::move(errors)}});
  }
  return dump_json({{"dryRun", result.dry_run},
                    {"clean", result.clean()},
                    {"lookedAt", std::move(places)}},
                   2) +
         "\n";
}

}  // namespace linsey::install
