#include "kube/credentials.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace linsey::kube {
namespace {

std::string kubeconfig(const std::string& user) {
  return "apiVersion: v1\nkind: Config\ncurrent-context: here\n"
         "contexts:\n- name: here\n  context: {cluster: c, user: u, "
         "namespace: ns1}\n"
         "clusters:\n- name: c\n  cluster:\n    server: "
         "https://10.0.0.1:6443/\n"
         "    certificate-authority-data: " +
         base64_encode("CA PEM") + "\nusers:\n- name: u\n  user: " + user +
         "\n";
}

Result<Endpoint> read(const std::string& user) {
  const tests::TempDir dir;
  (void)write_file_atomic(dir / "config", kubeconfig(user));
  Result<Endpoint> e = read_kubeconfig(dir / "config");
  if (!e) {
    auto at = e.error().msg.find(dir.path());
    if (at != std::string::npos) e.error().msg.erase(at, dir.path().size());
  }
  return e;
}

TEST(Base64, RoundTripsAndRefuses) {
  for (const char* text : {"", "a", "ab", "abc", "abcd"}) {
    EXPECT_EQ(*base64_decode(base64_encode(text)), text);
  }
  EXPECT_EQ(base64_encode("Man"), "TWFu");
  for (const char* text : {"a", "a===", "T=Fu", "TWF?", "TWFu="}) {
    EXPECT_FALSE(base64_decode(text)) << text;
  }
}

TEST(Kubeconfig, ReadsServerCaAndToken) {
  const Result<Endpoint> e = read("{token: secret}");
  ASSERT_TRUE(e.has_value()) << e.error().msg;
  EXPECT_EQ(e->server, "https://10.0.0.1:6443");
  EXPECT_EQ(e->ca_data, "CA PEM");
  EXPECT_EQ(e->token, "secret");
  EXPECT_EQ(e->name_space, "ns1");
}

TEST(Kubeconfig, ClientCertificatePathsAreRelativeToTheFile) {
  const Result<Endpoint> e =
      read("{client-certificate: pki/a.crt, client-key: /abs/a.key}");
  ASSERT_TRUE(e.has_value());
  EXPECT_TRUE(e->cert_file.ends_with("/pki/a.crt"));
  EXPECT_NE(e->cert_file.front(), 'p');
  EXPECT_EQ(e->key_file, "/abs/a.key");
}

TEST(Kubeconfig, NamesWhatItDoesNotSupport) {
  const Result<Endpoint> e = read("{exec: {command: aws}}");
  ASSERT_FALSE(e);
  EXPECT_EQ(e.error().msg,
            "/config: users/u/exec: not supported; use a token or a client "
            "certificate");
}

TEST(Kubeconfig, RefusesWhatIsNone) {
  const tests::TempDir dir;
  (void)write_file_atomic(dir / "config", "a: [b");
  EXPECT_EQ(read_kubeconfig(dir / "config").error().code, Code::kInvalidConfig);
  (void)write_file_atomic(dir / "config", "{}");
  EXPECT_EQ(read_kubeconfig(dir / "config").error().code, Code::kInvalidConfig);
  EXPECT_FALSE(read_kubeconfig(dir / "absent"));
}

TEST(InCluster, ReadsThePodsServiceAccount) {
  const tests::TempDir dir;
  (void)write_file_atomic(dir / "namespace", "kube-system\n");
  unsetenv("KUBERNETES_SERVICE_HOST");
  EXPECT_FALSE(in_cluster(dir.path()));
  setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
  setenv("KUBERNETES_SERVICE_PORT", "443", 1);

  const Result<Endpoint> e = in_cluster(dir.path());

  ASSERT_TRUE(e.has_value());
  EXPECT_EQ(e->server, "https://[fd00::1]:443");
  EXPECT_EQ(e->token_file, dir / "token");
  EXPECT_EQ(e->name_space, "kube-system");
}

TEST(Credentials, ReadARotatedTokenAgain) {
  const tests::TempDir dir;
  tests::FakeClock clock;
  ASSERT_TRUE(write_file_atomic(dir / "token", "one\n").has_value());
  Credentials who({.token_file = dir / "token"}, clock);
  EXPECT_EQ(*who.token(), "one");
  ASSERT_TRUE(write_file_atomic(dir / "token", "two\n").has_value());
  EXPECT_EQ(*who.token(), "one");

  clock.advance(std::chrono::seconds(2));

  EXPECT_EQ(*who.token(), "two");
}

TEST(Credentials, ReadTheTokenAgainAtOnceAfterARefusal) {
  const tests::TempDir dir;
  const tests::FakeClock clock;
  ASSERT_TRUE(write_file_atomic(dir / "token", "one").has_value());
  Credentials who({.token_file = dir / "token"}, clock);
  EXPECT_EQ(*who.token(), "one");
  ASSERT_TRUE(write_file_atomic(dir / "token", "two").has_value());

  who.refused();

  EXPECT_EQ(*who.token(), "two");
}

}  // namespace
}  // namespace linsey::kube
