#include "kube/backoff.h"

#include <algorithm>

#include "kube/client.h"

namespace linsey::kube {

using std::chrono::milliseconds;

Backoff::Backoff(std::uint64_t seed, BackoffLimits limits)
    : limits_(limits), random_(seed) {}

milliseconds Backoff::next(const Error& error) {
  const Class cls = info(error.code).cls;
  const bool needs_person = cls == Class::kAuth || cls == Class::kConfig ||
                            error.code == Code::kApiInvalid;
  milliseconds ceiling = limits_.longest;
  if (!needs_person) {
    const unsigned doublings = std::min(tries_, 20U);
    ceiling = std::min(limits_.longest, limits_.first * (1U << doublings));
  }
  ++tries_;
  // At least half of the ceiling: a wait of nothing is no back-off.
  std::uniform_int_distribution<std::int64_t> spread(ceiling.count() / 2,
                                                     ceiling.count());
  const milliseconds wait(spread(random_));
  if (const auto asked = retry_after(error)) {
    return std::max<milliseconds>(*asked + wait / 4, wait);
  }
  return wait;
}

}  // namespace linsey::kube
