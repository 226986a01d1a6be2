// Credentials: where the API server is and who we are to it.
//
// Two sources: the pod's own service account (a token file that the kubelet
// rotates), and a kubeconfig (client certificate, token, token file). Exec
// plugins are refused by name. A token file is read again when it changed, at
// most once a second, and at once after a 401.
// Thread: any.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace linsey::kube {

/// What one connection needs. Files are paths that exist; *_data is PEM text.
struct Endpoint {
  std::string server;  // "https://10.0.0.1:6443", no trailing slash
  std::string ca_file;
  std::string ca_data;
  std::string cert_file;
  std::string cert_data;
  std::string key_file;
  std::string key_data;
  std::string token;       // static
  std::string token_file;  // wins over `token`
  std::string tls_server_name;
  bool insecure = false;  // insecure-skip-tls-verify
  std::string name_space;
};

/// Reads a kubeconfig and takes `context`, or the current one when empty.
/// Errors: kInvalidConfig naming the key ("users/admin/exec: not supported"),
/// kIo.
Result<Endpoint> read_kubeconfig(const std::string& path,
                                 const std::string& context = {});

/// $KUBERNETES_SERVICE_HOST/PORT and the files of `directory`. Errors:
/// kInvalidConfig when this is no pod.
Result<Endpoint> in_cluster(
    const std::string& directory =
        "/var/run/secrets/kubernetes.io/serviceaccount");

class Credentials {
 public:
  Credentials(Endpoint endpoint, const Clock& clock);

  const Endpoint& endpoint() const { return endpoint_; }
  /// "" when none is configured. Errors: kApiUnauthorized when the token file
  /// cannot be read.
  Result<std::string> token();
  /// The server answered 401: the next token() reads the file in any case.
  void refused();

 private:
  const Endpoint endpoint_;
  const Clock& clock_;
  std::mutex mutex_;  // watches and calls run on threads of their own
  std::string token_;
  Instant read_at_{};
  bool have_ = false;
};

}  // namespace linsey::kube
