#include "lab/cni_runner.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "netlink/netns.h"
#include "tests/support/temp_dir.h"

namespace linsey::lab {
namespace {

/// A plugin that keeps what it was called with and answers from a file.
constexpr std::string_view kRecorder = R"(#!/bin/sh
me=$(basename "$0")
{ env | grep ^CNI_; cat; } > "DIR/calls/$(date +%s%N)-$me-$CNI_COMMAND"
if [ -e "DIR/fail-$me-$CNI_COMMAND" ]; then
  echo '{"cniVersion":"1.1.0","code":200,"msg":"zone f","details":"d"}'
  exit 1
fi
[ "$CNI_COMMAND" = ADD ] || exit 0
echo '{"cniVersion":"1.1.0","ips":[{"address":"10.244.0.7/32"}],"by":"'$me'"}'
)";

class CniRunnerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for network namespaces";
    for (const char* name : {"bin", "conf", "calls"}) {
      ASSERT_TRUE(make_directories(dir_ / name).has_value());
    }
    for (const char* name : {"loopback", "first", "second"}) {
      std::string script(kRecorder);
      for (auto at = script.find("DIR/"); at != std::string::npos;
           at = script.find("DIR/", at + 1)) {
        script.replace(at, 3, dir_.path());
      }
      ASSERT_TRUE(write_file_atomic(dir_ / "bin/" + std::string(name), script,
                                    {.mode = 0755, .sync = false})
                      .has_value());
    }
    write_list(R"(["0.4.0", "1.0.0", "1.1.0"])");
    host_ = {dir_ / "conf", dir_ / "bin", dir_ / "cache", node_.fd()};
  }

  void write_list(const std::string& versions) {
    ASSERT_TRUE(write_file_atomic(dir_ / "conf/10-x.conflist",
                                  R"({"cniVersion": "1.0.0", "cniVersions": )" +
                                      versions +
                                      R"(, "name": "net", "plugins": [
                  {"type": "first", "capabilities": {"bandwidth": true}},
                  {"type": "second"}]})",
                                  {.sync = false})
                    .has_value());
  }

  /// The recorded calls in order: "first-ADD", with what stdin was.
  std::vector<std::pair<std::string, std::string>> calls() {
    Command list{.argv = {"ls", dir_ / "calls"}};
    std::vector<std::pair<std::string, std::string>> out;
    const std::string names = *run_ok(list);
    std::size_t from = 0;
    for (auto end = names.find('\n'); end != std::string::npos;
         end = names.find('\n', from)) {
      const std::string name = names.substr(from, end - from);
      out.emplace_back(name.substr(name.find('-') + 1),
                       *read_file(dir_ / "calls/" + name));
      from = end + 1;
    }
    return out;
  }

  tests::TempDir dir_;
  netlink::NetNs node_ = *netlink::NetNs::create();
  netlink::NetNs pod_ = *netlink::NetNs::create();
  CniHost host_;
  Sandbox sandbox_{"cid1",
                   pod_.path(),
                   "eth0",
                   "ns",
                   "pod",
                   "uid",
                   R"({"bandwidth": {"ingressRate": 5}, "mac": "x"})"};
};

/// The JSON that came on stdin, behind the environment.
Json stdin_of(const std::string& record) {
  return *parse_json(record.substr(record.find("\n{") + 1));
}

TEST_F(CniRunnerTest, AddsLoopbackFirstAndThenTheChain) {
  const auto attached = CniRunner(host_).add(sandbox_);

  ASSERT_TRUE(attached.has_value()) << attached.error().details;
  EXPECT_EQ(attached->addresses.front().to_string(), "10.244.0.7/32");
  const auto seen = calls();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].first, "loopback-ADD");
  EXPECT_EQ(seen[1].first, "first-ADD");
  EXPECT_EQ(seen[2].first, "second-ADD");
  EXPECT_NE(seen[1].second.find("K8S_POD_NAME=pod"), std::string::npos);
}

TEST_F(CniRunnerTest, InjectsWhatLibcniInjects) {
  ASSERT_TRUE(CniRunner(host_).add(sandbox_).has_value());

  const auto seen = calls();
  const Json first = stdin_of(seen[1].second);
  const Json second = stdin_of(seen[2].second);
  EXPECT_EQ(first["cniVersion"], "1.1.0");
  EXPECT_EQ(first["name"], "net");
  EXPECT_EQ(first["runtimeConfig"].size(), 1U);  // `mac` was not asked for
  EXPECT_EQ(first["runtimeConfig"]["bandwidth"]["ingressRate"], 5);
  EXPECT_FALSE(first.contains("prevResult"));
  EXPECT_EQ(second["prevResult"]["by"], "first");
  EXPECT_FALSE(second.contains("runtimeConfig"));
}

TEST_F(CniRunnerTest, DeletesBackwardsWithTheCachedResult) {
  const CniRunner runner(host_);
  ASSERT_TRUE(runner.add(sandbox_).has_value());

  ASSERT_TRUE(runner.del(sandbox_).has_value());

  const auto seen = calls();
  ASSERT_EQ(seen.size(), 6U);
  EXPECT_EQ(seen[3].first, "loopback-DEL");
  EXPECT_EQ(seen[4].first, "second-DEL");
  EXPECT_EQ(seen[5].first, "first-DEL");
  EXPECT_EQ(stdin_of(seen[4].second)["prevResult"]["by"], "second");
  EXPECT_FALSE(path_exists(dir_ / "cache/net-cid1-eth0"));
}

TEST_F(CniRunnerTest, FollowsAFailedAddByADelWithoutPreviousResult) {
  ASSERT_TRUE(write_file_atomic(dir_ / "fail-second-ADD", "", {.sync = false})
                  .has_value());

  const auto attached = CniRunner(host_).add(sandbox_);

  ASSERT_FALSE(attached.has_value());
  EXPECT_EQ(attached.error().code, Code::kZoneNotMapped);
  EXPECT_EQ(attached.error().msg, "plugin second: zone f");
  const auto seen = calls();
  ASSERT_EQ(seen.size(), 5U);
  EXPECT_EQ(seen[3].first, "second-DEL");
  EXPECT_FALSE(stdin_of(seen[3].second).contains("prevResult"));
}

TEST_F(CniRunnerTest, KeepsTheCacheWhenADelFails) {
  const CniRunner runner(host_);
  ASSERT_TRUE(runner.add(sandbox_).has_value());
  ASSERT_TRUE(write_file_atomic(dir_ / "fail-first-DEL", "", {.sync = false})
                  .has_value());

  EXPECT_FALSE(runner.del(sandbox_).has_value());

  EXPECT_TRUE(path_exists(dir_ / "cache/net-cid1-eth0"));
}

TEST_F(CniRunnerTest, SpeaksTheNewestVersionThatTheListOffers) {
  write_list(R"(["0.4.0"])");

  ASSERT_TRUE(CniRunner(host_).add(sandbox_).has_value());

  EXPECT_EQ(stdin_of(calls()[1].second)["cniVersion"], "1.0.0");
}

}  // namespace
}  // namespace linsey::lab
