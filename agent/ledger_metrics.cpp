#include "agent/ledger_metrics.h"

#include <map>
#include <utility>

namespace linsey::agent {
namespace {

void set_addresses(Metrics& metrics, const MetricLabels& place,
                   const ipam::Counts& counts) {
  for (const auto& [state, count] :
       {std::pair("free", counts.free), std::pair("assigned", counts.held),
        std::pair("cooldown", counts.cooling),
        std::pair("reserved", counts.reserved),
        std::pair("draining", counts.draining)}) {
    MetricLabels labels = place;
    labels.emplace_back("state", state);
    metrics.set("linsey_ipam_addresses", count, labels);
  }
}

void publish(const LedgerMetricsDeps& deps) {
  std::map<std::pair<std::string, Family>, ipam::Counts> pools;
  for (const auto& [place, counts] :
       deps.ledger.counts_by_source(deps.clock.now())) {
    ipam::Counts& sum = pools[{pool_of(place.first), place.second}];
    sum.free += counts.free;
    sum.held += counts.held;
    sum.cooling += counts.cooling;
    sum.reserved += counts.reserved;
    sum.draining += counts.draining;
  }
  deps.metrics.clear("linsey_ipam_addresses");
  for (const auto& [place, counts] : pools) {
    set_addresses(deps.metrics,
                  {{"mode", deps.mode()},
                   {"pool", place.first},
                   {"family", place.second == Family::kV4 ? "v4" : "v6"}},
                  counts);
  }
  deps.metrics.set("linsey_attachments",
                   static_cast<double>(deps.ledger.held().size()));
  deps.metrics.set("linsey_slow_steps",
                   static_cast<double>(deps.loop.slow_steps()));
  deps.metrics.set("linsey_shortened_cool_downs",
                   static_cast<double>(deps.ledger.shortened_cool_downs()));
}

}  // namespace

std::string pool_of(const std::string& source) {
  return source.starts_with("vsw-") ? source.substr(0, source.find('/'))
                                    : source;
}

void describe_ledger(const LedgerMetricsDeps& deps) {
  Metrics& metrics = deps.metrics;
  metrics.describe_gauge("linsey_build_info", "1; the version is a label.");
  metrics.set("linsey_build_info", 1, {{"version", LINSEY_VERSION}});
  metrics.describe_gauge("linsey_ipam_addresses",
                         "Addresses of this node by block or vSwitch.");
  metrics.describe_gauge("linsey_attachments", "Attachments that hold some.");
  metrics.describe_gauge("linsey_slow_steps",
                         "Steps of the loop over 50 ms since the start.");
  metrics.describe_gauge("linsey_shortened_cool_downs",
                         "Addresses given before their whole cool-down.");
  metrics.on_collect([deps] { publish(deps); });
}

}  // namespace linsey::agent
