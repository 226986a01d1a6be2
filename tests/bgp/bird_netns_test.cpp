// Two real BIRDs in namespaces of their own, joined by a veth pair.
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/process.h"
#include "bgp/bird_driver.h"
#include "netlink/netns.h"
#include "tests/bgp/machine.h"
#include "tests/bgp/make.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

namespace linsey::bgp {
namespace {

using ::testing::HasSubstr;
using tests::cidr;
using tests::eventually;
using tests::ip;
using tests::Machine;
using tests::peer;

class BirdTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
    a_.emplace();
    b_.emplace();
    a_->ip_command("link set lo up");
    b_->ip_command("link set lo up");
    a_->ip_command("link add eth0 type veth peer name eth0 netns " +
                   b_->ns.path());
    join(*a_, 11);
    join(*b_, 12);
    a_->speaker.blocks = {cidr("10.244.1.0/26"), cidr("fd00:244::40/122")};
    b_->speaker.blocks = {cidr("10.244.2.0/26"), cidr("fd00:244::80/122")};
    a_->speaker.peers = {peer("b4", "10.0.1.12", 64512),
                         peer("b6", "fd00:1::12", 64512)};
    b_->speaker.peers = {peer("a4", "10.0.1.11", 64512),
                         peer("a6", "fd00:1::11", 64512)};
  }

  void join(Machine& machine, int number) {
    const std::string n = std::to_string(number);
    machine.ip_command("addr add 10.0.1." + n + "/24 dev eth0");
    machine.ip_command("addr add fd00:1::" + n + "/64 dev eth0 nodad");
    machine.ip_command("link set eth0 up");
    Speaker& speaker = machine.speaker;
    speaker.as_number = 64512;
    speaker.router_id = ip("10.0.1." + n);
    speaker.node_addresses = {ip("10.0.1." + n), ip("fd00:1::" + n)};
    speaker.imports = {import_of(cidr("10.244.0.0/16")),
                       import_of(cidr("fd00:244::/64"))};
  }

  void start() {
    for (Machine* machine : {&*a_, &*b_}) {
      const auto applied = apply(machine->speaker, machine->paths());
      ASSERT_TRUE(applied.has_value()) << to_string(applied.error());
      EXPECT_TRUE(applied->changed);
      EXPECT_EQ(applied->why_not->code, Code::kBirdDown);
      machine->start_bird(false);
    }
    for (Machine* machine : {&*a_, &*b_}) {
      ASSERT_TRUE(eventually([&] { return machine->established(); }))
          << machine->log();
    }
  }

  /// Ends BIRD of a by `end`, starts it again, and looks all the while.
  void expect_routes_to_outlive(const std::function<void()>& end) {
    const auto both = [&] {
      return a_->routes().find("10.244.2.0/26") != std::string::npos &&
             b_->routes().find("10.244.1.0/26") != std::string::npos;
    };
    start();
    ASSERT_TRUE(eventually(both));

    end();
    EXPECT_TRUE(both());
    a_->start_bird(true);

    const bool back = eventually([&] {
      EXPECT_TRUE(both());
      const auto seen = observe(a_->speaker, a_->paths());
      return a_->established() && seen && !seen->running.recovering;
    });
    EXPECT_TRUE(back) << a_->log();
    EXPECT_TRUE(both());
  }

  std::optional<Machine> a_;
  std::optional<Machine> b_;
};

TEST_F(BirdTest, BlocksOfBothFamiliesReachTheOthersKernel) {
  start();

  ASSERT_TRUE(eventually([&] { return a_->announces(a_->speaker.blocks); }));
  ASSERT_TRUE(eventually([&] {
    return b_->routes().find("10.244.1.0/26") != std::string::npos &&
           b_->routes("-6").find("fd00:244::40/122") != std::string::npos;
  })) << b_->log();
  EXPECT_THAT(b_->routes(), HasSubstr("10.244.1.0/26 via 10.0.1.11 dev eth0 "
                                      "proto bird src 10.0.1.12"));
  EXPECT_THAT(b_->routes(), ::testing::Not(HasSubstr("10.244.2.0/26")));
}

TEST_F(BirdTest, AChangeOfBlocksKeepsTheSessionAndIsAnnounced) {
  start();
  const std::string since = observe(a_->speaker, a_->paths())->peers[0].since;

  a_->speaker.blocks = {cidr("10.244.1.64/26")};
  const auto applied = apply(a_->speaker, a_->paths());

  ASSERT_TRUE(applied.has_value()) << to_string(applied.error());
  EXPECT_TRUE(applied->accepted);
  ASSERT_TRUE(eventually([&] { return a_->announces(a_->speaker.blocks); }));
  EXPECT_EQ(observe(a_->speaker, a_->paths())->peers[0].since, since);
  ASSERT_TRUE(eventually([&] {
    const std::string routes = b_->routes();
    return routes.find("10.244.1.64/26") != std::string::npos &&
           routes.find("10.244.1.0/26") == std::string::npos;
  })) << b_->routes();
}

TEST_F(BirdTest, TheSameSpeakerAgainChangesNothing) {
  start();

  const auto again = apply(a_->speaker, a_->paths());

  ASSERT_TRUE(again.has_value());
  EXPECT_FALSE(again->changed);
  EXPECT_TRUE(again->accepted);
  EXPECT_TRUE(a_->established());
}

TEST_F(BirdTest, OnlyListedPrefixesAreImportedAndOnlyOwnBlocksExported) {
  b_->ip_command("route add blackhole 10.244.77.0/26 proto static");
  b_->speaker.blocks.push_back(cidr("192.0.2.0/24"));    // not listed by a
  b_->speaker.blocks.push_back(cidr("10.244.1.16/28"));  // inside a's block
  start();
  ASSERT_TRUE(eventually(
      [&] { return a_->routes().find("10.244.2.0/26") != std::string::npos; }));

  EXPECT_THAT(a_->routes(), ::testing::Not(HasSubstr("192.0.2.0")));
  EXPECT_THAT(a_->routes(), ::testing::Not(HasSubstr("10.244.1.16")));
  EXPECT_THAT(a_->routes(), ::testing::Not(HasSubstr("10.244.77.0")));
  EXPECT_TRUE(b_->announces({cidr("10.244.1.16/28"), cidr("10.244.2.0/26"),
                             cidr("192.0.2.0/24"), cidr("fd00:244::80/122")}));
}

TEST_F(BirdTest, ABlockThatBecomesOursDropsWhatWasImportedInsideIt) {
  b_->speaker.blocks.push_back(cidr("10.244.9.16/28"));
  start();
  ASSERT_TRUE(eventually([&] {
    return a_->routes().find("10.244.9.16/28") != std::string::npos;
  }));

  a_->speaker.blocks.push_back(cidr("10.244.9.0/26"));
  ASSERT_TRUE(apply(a_->speaker, a_->paths()).has_value());

  EXPECT_TRUE(eventually([&] {
    return a_->routes().find("10.244.9.16/28") == std::string::npos &&
           b_->routes().find("10.244.9.0/26") != std::string::npos;
  })) << a_->routes()
      << b_->routes();
}

TEST_F(BirdTest, APasswordThatDiffersKeepsTheSessionDownAndTheRightOneLifts) {
  a_->speaker.peers[0].password = "one";
  b_->speaker.peers[0].password = "two";
  a_->speaker.peers.resize(1);
  b_->speaker.peers.resize(1);
  for (Machine* machine : {&*a_, &*b_}) {
    ASSERT_TRUE(apply(machine->speaker, machine->paths()).has_value());
    machine->start_bird(false);
    ASSERT_TRUE(eventually([&] {
      return observe(machine->speaker, machine->paths()).has_value();
    }));
  }
  EXPECT_FALSE(a_->established());

  b_->speaker.peers[0].password = "one";
  ASSERT_TRUE(apply(b_->speaker, b_->paths()).has_value());

  EXPECT_TRUE(eventually([&] { return a_->established(); })) << a_->log();
}

TEST_F(BirdTest, ARefusedTextLeavesFileAndSessionAsTheyWere) {
  start();
  const std::string before = *read_file(a_->dir / "bird.conf");
  ASSERT_TRUE(write_file_atomic(a_->dir / "refuse",
                                "#!/bin/sh\necho line 7 >&2; exit 1\n",
                                {.mode = 0755})
                  .has_value());
  BirdPaths paths = a_->paths();
  paths.binary = a_->dir / "refuse";
  a_->speaker.blocks.clear();

  const auto refused = apply(a_->speaker, paths);

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kBirdConfigRefused);
  EXPECT_THAT(refused.error().msg, HasSubstr("line 7"));
  EXPECT_EQ(*read_file(a_->dir / "bird.conf"), before);
  EXPECT_FALSE(path_exists(a_->dir / "bird.conf.new"));
  EXPECT_TRUE(a_->established());
}

TEST_F(BirdTest, RoutesOutliveAGracefulRestart) {
  expect_routes_to_outlive([&] {
    ASSERT_TRUE(BirdControl::connect(a_->dir / "bird.ctl")
                    ->graceful_restart()
                    .has_value());
    ASSERT_TRUE(eventually([&] { return !a_->bird.alive(); }));
  });
}

TEST_F(BirdTest, RoutesOutliveAKill) {
  expect_routes_to_outlive([&] { a_->bird.kill_now(); });
}

}  // namespace
}  // namespace linsey::bgp
