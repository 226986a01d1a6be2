#include "agent/metrics.h"

#include <gtest/gtest.h>

namespace linsey::agent {
namespace {

TEST(Metrics, PrintsACounterThatWasNeverUsed) {
  Metrics metrics;
  metrics.describe_counter("linsey_saves_total", "Commits of the ledger.");

  EXPECT_EQ(metrics.text(),
            "# HELP linsey_saves_total Commits of the ledger.\n"
            "# TYPE linsey_saves_total counter\n"
            "linsey_saves_total 0\n");
}

TEST(Metrics, KeepsOneSeriesForEachSetOfLabels) {
  Metrics metrics;
  metrics.describe_counter("linsey_cni_requests_total", "Requests.");
  metrics.count("linsey_cni_requests_total", {{"verb", "add"}});
  metrics.count("linsey_cni_requests_total", {{"verb", "add"}});
  metrics.count("linsey_cni_requests_total", {{"verb", "del"}});

  EXPECT_EQ(metrics.text(),
            "# HELP linsey_cni_requests_total Requests.\n"
            "# TYPE linsey_cni_requests_total counter\n"
            "linsey_cni_requests_total{verb=\"add\"} 2\n"
            "linsey_cni_requests_total{verb=\"del\"} 1\n");
}

TEST(Metrics, EscapesLabelValues) {
  Metrics metrics;
  metrics.describe_gauge("linsey_x", "a\nb");
  metrics.set("linsey_x", 0.5, {{"why", "say \"no\" \\ \n"}});

  EXPECT_EQ(metrics.text(),
            "# HELP linsey_x a\\nb\n# TYPE linsey_x gauge\n"
            "linsey_x{why=\"say \\\"no\\\" \\\\ \\n\"} 0.5\n");
}

TEST(Metrics, PrintsCumulativeBuckets) {
  Metrics metrics;
  metrics.describe_histogram("linsey_t_seconds", "T.", {0.001, 0.01});
  metrics.observe("linsey_t_seconds", 0.001);
  metrics.observe("linsey_t_seconds", 0.005);
  metrics.observe("linsey_t_seconds", 7);

  EXPECT_EQ(metrics.text(),
            "# HELP linsey_t_seconds T.\n# TYPE linsey_t_seconds histogram\n"
            "linsey_t_seconds_bucket{le=\"0.001\"} 1\n"
            "linsey_t_seconds_bucket{le=\"0.01\"} 2\n"
            "linsey_t_seconds_bucket{le=\"+Inf\"} 3\n"
            "linsey_t_seconds_sum 7.006\n"
            "linsey_t_seconds_count 3\n");
}

TEST(Metrics, CollectorsSetGaugesBeforeEveryPrint) {
  Metrics metrics;
  metrics.describe_gauge("linsey_free", "Free.");
  int free = 3;
  metrics.on_collect([&] {
    metrics.clear("linsey_free");
    metrics.set("linsey_free", free, {{"family", "v4"}});
  });

  free = 2;

  EXPECT_NE(metrics.text().find("linsey_free{family=\"v4\"} 2\n"),
            std::string::npos);
}

}  // namespace
}  // namespace linsey::agent
