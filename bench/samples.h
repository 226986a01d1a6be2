// Figures out of many measurements of the same thing.
#pragma once

#include <vector>

#include "bench/launcher.h"

namespace linsey::bench {

class Samples {
 public:
  void add(Time sample) { values_.push_back(sample.count()); }
  std::size_t count() const { return values_.size(); }
  /// Microseconds; 0 without samples. `share` in 0..1, nearest rank.
  double quantile(double share) const;
  double median() const { return quantile(0.5); }
  double p99() const { return quantile(0.99); }

 private:
  std::vector<double> values_;
};

/// What one contender showed in one verb.
struct Figures {
  Samples alone;     // one call, run one after the other
  Samples together;  // one call, 32 at once
  Samples share;     // wall time of such a batch divided by its size
};

}  // namespace linsey::bench
