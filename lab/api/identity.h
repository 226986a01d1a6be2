// Identity: a certificate authority made for one run, and the API server's
// certificate signed by it. Keys are P-256 and live in memory only.
#pragma once

#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace linsey::lab::api {

struct Identity {
  std::string ca_pem;
  std::string cert_pem;
  std::string key_pem;
};

/// Valid for a day, for those addresses, "localhost" and "kubernetes".
/// Errors: kInternal with OpenSSL's words.
Result<Identity> make_identity(const std::vector<IpAddr>& addresses);

/// A kubeconfig for `server` ("https://10.0.0.9:6443") and a bearer token;
/// `ca_pem` empty: none.
std::string kubeconfig(const std::string& server, const std::string& ca_pem,
                       const std::string& token);

}  // namespace linsey::lab::api
