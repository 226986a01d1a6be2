// Leader: one of several controllers acts, by a Lease of coordination.k8s.io.
//
// The usual rules: the holder renews; another takes over when the record has
// not changed for the lease's whole life as measured by its own clock, so
// clocks of machines are never compared. The holder stops acting when its last
// renewal is older than two thirds of that life, before anybody takes over.
// Thread: one.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "kube/client.h"

namespace linsey::controller {

struct LeaseOptions {
  std::string name_space = "kube-system";
  std::string name = "linsey-controller";
  std::string identity;  // pod name, or host and pid
  std::chrono::seconds life{15};
};

class Leader {
 public:
  Leader(kube::Client& client, const Clock& clock, LeaseOptions options);

  /// Renews or tries to take the lease; call it every few seconds. Errors:
  /// those of the API; leads() stays true until the lease has run out.
  Result<void> tick();
  bool leads() const;
  /// Lets go, so that the other need not wait. A failure costs its wait.
  void resign();

 private:
  Json record(bool mine) const;
  Result<void> write(const Json& found);

  kube::Client& client_;
  const Clock& clock_;
  LeaseOptions options_;
  std::string seen_version_;  // of the record, and since when it stands
  Instant seen_at_{};
  Instant renewed_at_{};
  bool mine_ = false;
};

}  // namespace linsey::controller
