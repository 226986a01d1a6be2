// BlockSurvey: which blocks other nodes hold, a page at a time.
//
// A watch shows an agent its own blocks alone, so that the bytes over a leased
// line do not grow with the cluster. To notice that a router filters somebody
// else's prefix it needs some of the others all the same: a page of 32, the
// next one later, round and round, within a budget of bytes. What has no route
// is asked about once more before it is told: the block may have been released
// since, its node may be down or may know itself what is wrong with its
// routes; none of that is a filter.
// It asks only when it is asked (a round of BIRD with all sessions up), and
// through KubeWriter, after everything that is written. Thread: the loop.
// Rejected: a watch on all blocks (2 MB an hour at 10,000 nodes, if little
// moves), and single names (a pool has far more places than blocks).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/claim_desk.h"
#include "agent/kube_writer.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"

namespace linsey::agent {

struct BlockSurveyDeps {
  const Clock& clock;
  KubeWriter& writer;
  std::string node_name;
};

class BlockSurvey {
 public:
  static constexpr unsigned kPage = 32;
  static constexpr std::size_t kSuspectsAtOnce = 4;
  static constexpr Duration kPageEvery = std::chrono::seconds(60);
  static constexpr Duration kAskEvery = std::chrono::seconds(10);
  /// So many nodes do not begin at the same moment.
  static constexpr Duration kSpread = std::chrono::seconds(15);
  static constexpr double kBytesPerHour = 400'000;
  static constexpr double kBurstBytes = 100'000;

  explicit BlockSurvey(BlockSurveyDeps deps);

  /// The blocks to compare now; `suspects`, of the last ones, have no route.
  /// Begins to read more when it is time; never waits.
  OtherBlocks sample(const std::vector<Cidr>& suspects);

  /// All confirmed blocks of other nodes, for a check by hand. `done` is called
  /// on the loop. Errors: those of kube::Client.
  void read_all(std::function<void(const Result<std::vector<Cidr>>&)> done);

 private:
  struct Order;
  struct Answer;

  void accrue();
  void begin(bool page);
  void finish(const Order& order, const Answer& answer,
              const Result<void>& done);

  BlockSurveyDeps deps_;
  OtherBlocks now_;
  std::vector<Cidr> suspects_;
  std::set<Cidr> asked_;  // suspects, since the last page
  std::string next_;      // page
  Instant page_due_{};
  Instant ask_due_{};
  Instant accrued_{};
  double bytes_ = kBurstBytes;  // that may be used; below 0 after a big page
  bool started_ = false;
};

}  // namespace linsey::agent
