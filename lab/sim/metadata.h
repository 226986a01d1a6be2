// Metadata: the metadata service of one instance (http://100.100.100.200),
// under its plain and its token mode. What the Cloud's books say shows here
// only after the lag that the knobs name, as a guest sees it.
// Thread: one, the server's.
#pragma once

#include <map>
#include <string>

#include "lab/sim/cloud.h"
#include "lab/sim/http.h"

namespace linsey::sim {

class Metadata {
 public:
  /// `cloud` must outlive it.
  Metadata(Cloud& cloud, std::string instance)
      : cloud_(cloud), instance_(std::move(instance)) {}

  HttpResponse handle(const HttpRequest& request);

 private:
  HttpResponse item(const std::string& path);
  HttpResponse issue_token(const HttpRequest& request);
  /// Status 0: the request may go on.
  HttpResponse check_token(const HttpRequest& request) const;

  Cloud& cloud_;
  const std::string instance_;
  std::map<std::string, Instant> tokens_;  // token -> its end
  unsigned issued_ = 0;
};

}  // namespace linsey::sim
