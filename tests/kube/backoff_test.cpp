#include "kube/backoff.h"

#include <gtest/gtest.h>

namespace linsey::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Backoff, GrowsWithJitterUpToTheLongest) {
  Backoff backoff(1, {.first = milliseconds(100), .longest = seconds(2)});
  const Error away = make_error(Code::kApiUnavailable, "x");
  milliseconds ceiling(100);
  for (int i = 0; i < 10; ++i) {
    const milliseconds wait = backoff.next(away);
    EXPECT_GE(wait, ceiling / 2);
    EXPECT_LE(wait, ceiling);
    ceiling = std::min<milliseconds>(ceiling * 2, seconds(2));
  }
  backoff.reset();
  EXPECT_LE(backoff.next(away), milliseconds(100));
}

TEST(Backoff, WaitsLongForWhatOnlyAPersonMends) {
  Backoff backoff(1, {.first = milliseconds(100), .longest = seconds(2)});
  EXPECT_GE(backoff.next(make_error(Code::kApiForbidden, "x")), seconds(1));
}

TEST(Backoff, NeverComesBackBeforeTheServerAllows) {
  Backoff backoff(1);
  const Error busy{Code::kApiThrottled, "x", "HTTP 429; retry after 7 s"};
  EXPECT_GE(backoff.next(busy), seconds(7));
}

}  // namespace
}  // namespace linsey::kube
