// What leaves, by BIRD's own word, whatever ledgers and configurations say:
// random blocks, denied networks that meet them, hostile routes in the kernel
// and from the peer, and configurations that others gave to BIRD.
#include <unistd.h>

#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/bgp/machine.h"
#include "tests/bgp/make.h"
#include "tests/support/eventually.h"

namespace linsey::bgp {
namespace {

using tests::cidr;
using tests::eventually;
using tests::ip;
using tests::Machine;
using tests::peer;

/// LINSEY_GUARD_ROUNDS sets how many ledgers are tried.
int rounds() {
  const char* text = std::getenv("LINSEY_GUARD_ROUNDS");
  return text == nullptr ? 25 : std::atoi(text);
}

class GuardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
    node_.emplace();
    router_.emplace();
    node_->ip_command("link set lo up");
    router_->ip_command("link set lo up");
    node_->ip_command("link add eth0 type veth peer name eth0 netns " +
                      router_->ns.path());
    join(*node_, 11);
    join(*router_, 12);
    node_->speaker.peers = {peer("r", "10.0.1.12", 64512)};
    node_->speaker.peers[0].families = {Family::kV4, Family::kV6};
    router_->speaker.peers = {peer("n", "10.0.1.11", 64512)};
    router_->speaker.peers[0].families = {Family::kV4, Family::kV6};
    node_->speaker.never_announced = {
        cidr("10.96.0.0/12"), cidr("172.16.0.0/12"), cidr("fd00:96::/108")};
    // The router sends what no one asked for.
    router_->speaker.blocks = {cidr("10.96.7.0/24"), cidr("192.0.2.0/24"),
                               cidr("10.244.200.0/26"), cidr("fd00:99::/64")};
    // And the node's kernel holds what others put there.
    for (const char* route :
         {"10.244.77.0/26", "172.16.9.0/24", "0.0.0.0/0", "10.244.0.0/16"}) {
      node_->ip_command(std::string("route add ") + route +
                        " via 10.0.1.12 proto static");
    }
  }

  static void join(Machine& machine, int number) {
    const std::string n = std::to_string(number);
    machine.ip_command("addr add 10.0.1." + n + "/24 dev eth0");
    machine.ip_command("addr add fd00:1::" + n + "/64 dev eth0 nodad");
    machine.ip_command("link set eth0 up");
    machine.speaker.as_number = 64512;
    machine.speaker.router_id = ip("10.0.1." + n);
    machine.speaker.node_addresses = {ip("10.0.1." + n), ip("fd00:1::" + n)};
  }

  void start() {
    for (Machine* machine : {&*node_, &*router_}) {
      ASSERT_TRUE(apply(machine->speaker, machine->paths()).has_value());
      machine->start_bird(false);
    }
    ASSERT_TRUE(eventually([&] { return node_->established(); }))
        << node_->log();
  }

  /// What BIRD says it exports, not filtered by anything of ours.
  std::vector<Cidr> exported() const {
    auto bird = BirdControl::connect(node_->dir / "bird.ctl");
    if (!bird) return {};
    return bird->exported("peer_r").value_or(std::vector<Cidr>());
  }

  Cidr random_block() {
    const auto n = static_cast<std::uint32_t>(random_());
    switch (n % 6) {
      case 0:
        return Cidr(IpAddr::v4(0x0a600000 + n % 0x100000), 26).network();
      case 1:
        return Cidr(IpAddr::v4(0x0a000000), 8 + n % 8).network();
      case 2:
        return Cidr(IpAddr::v4(0x0a000100 + n % 256), 26 + n % 7).network();
      case 3:
        return cidr(fmt::format("fd00:244::{:x}/122", n / 64 % 1000 * 64));
      case 4:
        return Cidr(IpAddr::v4(0xac100000 + n % 0x10000), 24 + n % 9).network();
      default:
        return Cidr(IpAddr::v4(0x0af40000 + n % 0x10000), 26).network();
    }
  }

  /// Independent of announceable(): by the numbers.
  bool denied(const Cidr& prefix) const {
    const auto meets = [&](const char* text) {
      return cidr(text).overlaps(prefix);
    };
    return prefix.prefix_len() == 0 || meets("10.96.0.0/12") ||
           meets("172.16.0.0/12") || meets("fd00:96::/108") ||
           meets("10.0.1.11/32") || meets("fd00:1::11/128");
  }

  std::mt19937 random_{20260511};
  std::optional<Machine> node_;
  std::optional<Machine> router_;
};

TEST_F(GuardTest, NothingButOwnBlocksIsInTheExportThatBirdReports) {
  start();
  for (int round = 0; round < rounds(); ++round) {
    std::set<Cidr> blocks;
    for (auto i = random_() % 8; i > 0; --i) {
      blocks.insert(random_block());
    }
    Speaker& speaker = node_->speaker;
    speaker.blocks.assign(blocks.begin(), blocks.end());
    speaker.peers[0].announcement = {};
    if (random_() % 3 == 0) {
      speaker.peers[0].announcement.communities = {{64512, 7, {}}};
    }
    speaker.drain.reset();
    if (random_() % 4 == 0) speaker.drain = Announcement{{}, 77, 0, 0};
    ASSERT_TRUE(apply(speaker, node_->paths()).has_value());

    std::vector<Cidr> wanted;
    for (const Cidr& block : blocks) {
      if (!denied(block)) wanted.push_back(block);
    }
    std::vector<Cidr> now;
    ASSERT_TRUE(eventually([&] {
      now = exported();
      for (const Cidr& prefix : now) {
        EXPECT_TRUE(!denied(prefix)) << prefix.to_string();
      }
      std::sort(now.begin(), now.end());
      return now == wanted;
    })) << "round "
        << round << ": " << now.size() << " exported, " << wanted.size()
        << " wanted";
    EXPECT_EQ(observe(speaker, node_->paths())->violations.size(), 0U);
  }
}

TEST_F(GuardTest, WhatTheRouterHearsIsTheSame) {
  node_->speaker.blocks = {cidr("10.244.1.0/26"), cidr("fd00:244::40/122")};
  router_->speaker.imports = {{cidr("0.0.0.0/0"), 0, 32},
                              {cidr("::/0"), 0, 128}};
  start();
  ASSERT_TRUE(eventually([&] {
    return router_->routes().find("10.244.1.0/26") != std::string::npos;
  }));

  auto bird = BirdControl::connect(router_->dir / "bird.ctl");
  std::vector<std::string> heard;
  const std::vector<ReplyLine> lines =
      bird->command("show route protocol peer_n table master4").value();
  for (const ReplyLine& line : lines) {
    const std::string word = line.text.substr(0, line.text.find(' '));
    if (line.code == 1007 && Cidr::parse(word)) heard.push_back(line.text);
  }
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_THAT(heard[0], ::testing::HasSubstr("10.244.1.0/26"));
}

TEST_F(GuardTest, AForeignConfigurationIsSeenAndWithdrawn) {
  node_->speaker.blocks = {cidr("10.244.1.0/26")};
  start();
  std::string text = *read_file(node_->dir / "bird.conf");
  const std::string check = "  return proto = \"linsey_blocks4\";";
  const std::size_t at = text.find(check);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, check.size(), "  return true;");
  ASSERT_TRUE(
      write_file_atomic(node_->dir / "other.conf", text, {.sync = false})
          .has_value());
  auto bird = BirdControl::connect(node_->dir / "bird.ctl");
  ASSERT_TRUE(bird->configure(node_->dir / "other.conf").has_value());
  ASSERT_TRUE(bird->confirm().has_value());
  ASSERT_TRUE(eventually([&] {
    return !observe(node_->speaker, node_->paths())->violations.empty();
  }));

  const Observed seen = *observe(node_->speaker, node_->paths());
  const auto withdrawn = withdraw(node_->speaker, node_->paths(), seen);

  EXPECT_TRUE(withdrawn.has_value()) << to_string(withdrawn.error());
  const Observed after = *observe(node_->speaker, node_->paths());
  EXPECT_TRUE(after.violations.empty());
  EXPECT_EQ(exported(), std::vector{cidr("10.244.1.0/26")});
}

TEST_F(GuardTest, TheImportGuardKeepsEverythingUnlistedOutAndCountsIt) {
  router_->speaker.blocks = {cidr("10.244.2.0/26"), cidr("10.96.7.0/24")};
  for (std::uint32_t i = 0; i < 2000; ++i) {
    router_->speaker.blocks.push_back(
        Cidr(IpAddr::v4(0x64400000 + i * 256), 24));
  }
  node_->speaker.imports = {import_of(cidr("10.0.0.0/8"))};
  node_->speaker.never_imported = {cidr("10.96.0.0/12")};
  node_->speaker.peers[0].max_prefixes = 1000;
  node_->speaker.peers[0].max_prefix_action = LimitAction::kBlock;
  for (Machine* machine : {&*node_, &*router_}) {
    ASSERT_TRUE(apply(machine->speaker, machine->paths()).has_value());
    machine->start_bird(false);
  }

  ASSERT_TRUE(eventually([&] {
    const auto seen = observe(node_->speaker, node_->paths());
    return seen && seen->peers[0].limit_hit;
  })) << node_->log();

  EXPECT_EQ(node_->routes().find("100.64."), std::string::npos);
  EXPECT_EQ(node_->routes().find("10.96.7.0"), std::string::npos);
}

}  // namespace
}  // namespace linsey::bgp
