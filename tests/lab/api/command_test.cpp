// `linsey-lab api` from outside.
#include <signal.h>

#include <cstdlib>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/process.h"
#include "kube/client.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

namespace linsey::lab::api {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "." : value;
}

TEST(ApiCommand, ServesTheShippedDefinitionsUntilItIsTold) {
  const tests::TempDir dir;
  const std::string config = dir.path() + "/kubeconfig";
  Child server = std::move(*Child::start(
      {.argv = {variable("LINSEY_BUILD") + "/lab/linsey-lab", "api",
                "--kubeconfig", config, "--apply",
                variable("LINSEY_SOURCE") + "/install/base/crds", "--apply",
                variable("LINSEY_SOURCE") + "/install/base/rbac.yaml"},
       .output_file = dir.path() + "/out"}));
  ASSERT_TRUE(tests::eventually([&] { return path_exists(config); }));
  const SteadyClock clock;
  const auto transport =
      kube::make_transport(std::make_shared<kube::Credentials>(
          *kube::read_kubeconfig(config), clock));
  kube::Client client(*transport);

  EXPECT_TRUE(client.list(kube::kIpBlocks, ""));
  server.signal(SIGUSR1);
  EXPECT_TRUE(tests::eventually(
      [&] { return !client.list(kube::kIpBlocks, "").has_value(); }));
  server.signal(SIGUSR1);
  EXPECT_TRUE(tests::eventually(
      [&] { return client.list(kube::kIpBlocks, "").has_value(); }));

  EXPECT_EQ(server.stop(), 0);
  const std::string out = *read_file(dir.path() + "/out");
  EXPECT_TRUE(out.starts_with("https://127.0.0.1:")) << out;
  EXPECT_NE(out.find("GET /apis/linsey.dev/v1/ipblocks"), std::string::npos);
}

}  // namespace
}  // namespace linsey::lab::api
