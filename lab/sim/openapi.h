// OpenApi: the HTTP face of a Cloud's ECS, VPC and STS products, RPC style.
// Signatures (V1 by HMAC-SHA1 in the query, V3 by ACS3-HMAC-SHA256 in the
// headers) are checked for real, by code that shares nothing with the client's:
// one bug must not hide the other. A reply is XML unless Format=JSON or the
// Accept header asks for JSON, as the real one is.
#pragma once

#include "lab/sim/cloud.h"
#include "lab/sim/http.h"

namespace linsey::sim {

class OpenApi {
 public:
  /// `cloud` must outlive it.
  explicit OpenApi(Cloud& cloud) : cloud_(cloud) {}

  HttpResponse handle(const HttpRequest& request);

 private:
  Cloud& cloud_;
};

}  // namespace linsey::sim
