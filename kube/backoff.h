// Backoff: how long to wait before the next try, by class of error.
//
// Exponential with full jitter, so that ten thousand nodes whose line came
// back do not call in one second. Pure: the random numbers come from a seeded
// generator, the waiting is the caller's.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

#include "base/result.h"

namespace linsey::kube {

struct BackoffLimits {
  std::chrono::milliseconds first{500};
  std::chrono::milliseconds longest{60000};
};

class Backoff {
 public:
  explicit Backoff(std::uint64_t seed, BackoffLimits limits = {});

  /// The wait after `error`. A Retry-After of the server is the least; what
  /// only a person can mend (forbidden, invalid) waits the longest at once.
  std::chrono::milliseconds next(const Error& error);
  /// After a success.
  void reset() { tries_ = 0; }
  unsigned tries() const { return tries_; }

 private:
  BackoffLimits limits_;
  std::mt19937_64 random_;
  unsigned tries_ = 0;
};

}  // namespace linsey::kube
