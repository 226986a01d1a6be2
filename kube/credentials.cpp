#include "kube/credentials.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <utility>

#include <yaml-cpp/yaml.h>

#include "base/base64.h"
#include "base/file.h"

namespace linsey::kube {
namespace {

using std::chrono::seconds;

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
    text.pop_back();
  }
  return text;
}

std::string text_of(const YAML::Node& node, const char* key) {
  const YAML::Node child = node[key];
  return child && child.IsScalar() ? child.as<std::string>() : std::string();
}

/// The element of `list` whose name is `name`; its `kind` member.
Result<YAML::Node> named(const YAML::Node& root, const char* list,
                         const std::string& name, const char* kind) {
  for (const YAML::Node& item : root[list]) {
    if (text_of(item, "name") == name && item[kind]) return item[kind];
  }
  return make_error(Code::kInvalidConfig, "{}/{}: is not in the kubeconfig",
                    list, name);
}

Result<std::string> decoded(const YAML::Node& node, const char* key) {
  const std::string text = text_of(node, key);
  if (text.empty()) return std::string();
  return context(base64_decode(text), "{}", key);
}

/// Paths in a kubeconfig are relative to its own directory.
std::string resolved(const std::string& path, const std::string& base) {
  if (path.empty() || path.front() == '/') return path;
  return base + "/" + path;
}

Result<Endpoint> endpoint_of(const YAML::Node& root, const std::string& wanted,
                             const std::string& directory) {
  const std::string name =
      wanted.empty() ? text_of(root, "current-context") : wanted;
  const YAML::Node ctx = TRY(named(root, "contexts", name, "context"));
  const YAML::Node cluster =
      TRY(named(root, "clusters", text_of(ctx, "cluster"), "cluster"));
  const YAML::Node user =
      TRY(named(root, "users", text_of(ctx, "user"), "user"));
  for (const char* key : {"exec", "auth-provider", "username"}) {
    if (user[key]) {
      return make_error(Code::kInvalidConfig,
                        "users/{}/{}: not supported; use a token or a client "
                        "certificate",
                        text_of(ctx, "user"), key);
    }
  }
  Endpoint e;
  e.server = text_of(cluster, "server");
  while (e.server.ends_with('/')) {
    e.server.pop_back();
  }
  e.ca_file = resolved(text_of(cluster, "certificate-authority"), directory);
  e.ca_data = TRY(decoded(cluster, "certificate-authority-data"));
  e.tls_server_name = text_of(cluster, "tls-server-name");
  e.insecure = text_of(cluster, "insecure-skip-tls-verify") == "true";
  e.cert_file = resolved(text_of(user, "client-certificate"), directory);
  e.cert_data = TRY(decoded(user, "client-certificate-data"));
  e.key_file = resolved(text_of(user, "client-key"), directory);
  e.key_data = TRY(decoded(user, "client-key-data"));
  e.token = text_of(user, "token");
  e.token_file = resolved(text_of(user, "tokenFile"), directory);
  e.name_space = text_of(ctx, "namespace");
  if (e.server.empty()) {
    return make_error(Code::kInvalidConfig, "clusters/{}/server: is required",
                      text_of(ctx, "cluster"));
  }
  return e;
}

}  // namespace

Result<Endpoint> read_kubeconfig(const std::string& path,
                                 const std::string& wanted) {
  const std::string text = TRY(read_file(path));
  const auto slash = path.rfind('/');
  const std::string directory =
      slash == std::string::npos ? "." : path.substr(0, slash);
  try {
    return context(endpoint_of(YAML::Load(text), wanted, directory), "{}",
                   path);
  } catch (const std::exception& e) {
    return make_error(Code::kInvalidConfig, "{}: not a kubeconfig: {}", path,
                      e.what());
  }
}

Result<Endpoint> in_cluster(const std::string& directory) {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr) {
    return make_error(Code::kInvalidConfig,
                      "KUBERNETES_SERVICE_HOST and _PORT are not set: this is "
                      "no pod; give a kubeconfig");
  }
  Endpoint e;
  const std::string text(host);
  e.server = text.find(':') == std::string::npos
                 ? fmt::format("https://{}:{}", text, port)
                 : fmt::format("https://[{}]:{}", text, port);
  e.ca_file = directory + "/ca.crt";
  e.token_file = directory + "/token";
  if (const auto ns = read_file(directory + "/namespace")) {
    e.name_space = trimmed(*ns);
  }
  return e;
}

Credentials::Credentials(Endpoint endpoint, const Clock& clock)
    : endpoint_(std::move(endpoint)), clock_(clock) {}

Result<std::string> Credentials::token() {
  if (endpoint_.token_file.empty()) return endpoint_.token;
  const std::lock_guard lock(mutex_);
  if (have_ && clock_.now() - read_at_ < seconds(1)) return token_;
  Result<std::string> text = read_file(endpoint_.token_file, 1 << 20);
  if (!text) {
    text.error().code = Code::kApiUnauthorized;
    return context(std::move(text), "service account token");
  }
  token_ = trimmed(std::move(text).value());
  read_at_ = clock_.now();
  have_ = true;
  return token_;
}

void Credentials::refused() {
  const std::lock_guard lock(mutex_);
  have_ = false;
}

}  // namespace linsey::kube
