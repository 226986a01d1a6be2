#include "bgp/bird_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/process.h"
#include "tests/bgp/make.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace linsey::bgp {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using tests::cidr;
using tests::ip;
using tests::peer;
using tests::speaker;

/// Compares with the golden file and asks BIRD's own parser.
void expect_config(const std::string& name, const Speaker& speaker) {
  const Result<std::string> text = render(speaker);
  ASSERT_TRUE(text.has_value()) << to_string(text.error());
  tests::expect_golden("bird/" + name + ".conf", *text);
  const tests::TempDir dir;
  ASSERT_TRUE(
      write_file_atomic(dir / "bird.conf", *text, {.sync = false}).has_value());
  const auto parsed = run_ok({.argv = {"bird", "-p", "-c", dir / "bird.conf"}});
  EXPECT_TRUE(parsed.has_value()) << to_string(parsed.error());
}

TEST(BirdConfig, OneRouteReflector) {
  Speaker s = speaker();
  s.blocks = {cidr("10.244.3.64/26"), cidr("10.244.3.0/26")};
  s.peers = {peer("rr1", "10.0.0.5", 64512)};
  s.peers[0].multihop = 4;
  s.imports = {import_of(cidr("10.244.0.0/16"))};

  expect_config("one_rr", s);
}

TEST(BirdConfig, TwoTopOfRackSwitchesWithEcmp) {
  Speaker s = speaker();
  s.blocks = {cidr("10.244.3.64/26")};
  s.peers = {peer("tor-b", "10.0.1.2", 65002),
             peer("tor-a", "10.0.1.1", 65001)};
  s.peers[0].graceful_restart = false;
  s.peers[1].port = 1179;
  s.peers[1].hold_time = std::chrono::seconds(9);
  s.peers[1].keepalive_time = std::chrono::seconds(3);
  s.imports = {import_of(cidr("10.244.0.0/16")),
               import_of(cidr("0.0.0.0/0")),
               {cidr("172.16.0.0/12"), 16, 24}};

  expect_config("two_tors_ecmp", s);
}

TEST(BirdConfig, DualStack) {
  Speaker s = speaker();
  s.node_addresses = {ip("10.0.1.11"), ip("fd00:1::11")};
  s.blocks = {cidr("10.244.3.64/26"), cidr("fd00:244::40/122")};
  s.peers = {peer("rr1-4", "10.0.1.5", 64512),
             peer("rr1-6", "fd00:1::5", 64512)};
  s.imports = {import_of(cidr("10.244.0.0/16")),
               import_of(cidr("fd00:244::/64"))};

  expect_config("dual_stack", s);
}

TEST(BirdConfig, NoPoolsNoPeers) {
  expect_config("no_pools", speaker());
}

TEST(BirdConfig, AnIPv6OnlySession) {
  Speaker s = speaker();
  s.node_addresses = {ip("fd00:1::11")};
  s.blocks = {cidr("fd00:244::40/122")};
  s.peers = {peer("rr1", "fd00:1::5", 64513)};
  s.peers[0].source_address = ip("fd00:1::12");

  expect_config("v6_only", s);
}

TEST(BirdConfig, Md5Passwords) {
  Speaker s = speaker();
  s.listen_port = 1790;
  s.blocks = {cidr("10.244.3.64/26")};
  s.peers = {peer("rr1", "10.0.1.5", 64512), peer("rr2", "10.0.1.6", 64512)};
  s.peers[0].password = R"(p}a;s'#\ $s w/*ord)";
  s.peers[1].password = std::string(80, 'x');

  expect_config("md5", s);
}

TEST(BirdConfig, APairOfReflectorsWithBfdAndPasswords) {
  Speaker s = speaker();
  s.blocks = {cidr("10.244.3.64/26")};
  s.peers = {peer("rr1", "10.0.0.5", 64512), peer("rr2", "10.0.0.6", 64512)};
  for (Peer& p : s.peers) {
    p.multihop = 4;
    p.ttl_security = true;
    p.password = "a secret";
    p.bfd = {BfdMode::kGraceful, std::chrono::milliseconds(100), 3};
    p.long_lived = true;
    p.stale_time = std::chrono::seconds(7200);
  }
  s.peers[1].bfd.mode = BfdMode::kOn;
  s.imports = {import_of(cidr("10.244.0.0/16"))};
  s.never_announced = {cidr("10.96.0.0/16"), cidr("172.16.0.0/12")};
  s.never_imported = {cidr("10.96.0.0/16")};

  expect_config("rr_pair_bfd_md5", s);
}

TEST(BirdConfig, ARackWithAnAsNumberOfItsOwn) {
  Speaker s = speaker();
  s.as_number = 4200000011;
  s.blocks = {cidr("10.244.3.64/26")};
  s.peers = {peer("tor-a", "10.0.1.1", 65001),
             peer("tor-b", "10.0.1.2", 65002)};
  for (Peer& p : s.peers) {
    p.allow_own_as = 1;
    p.announcement.communities = {{65001, 100, {}}, {4200000011, 7, 9}};
  }
  s.peers[1].announcement.prepend = 2;
  s.peers[1].announcement.med = 50;
  s.peers[1].imports = {{{cidr("10.244.0.0/16"), 26, 26}}};
  s.imports = {import_of(cidr("10.244.0.0/16"))};

  expect_config("rack_as", s);
}

TEST(BirdConfig, MaxPrefixWithEveryAction) {
  Speaker s = speaker();
  const auto add = [&](const std::string& name, LimitAction action) {
    const std::string n = std::to_string(s.peers.size() + 5);
    s.peers.push_back(peer(name, "10.0.1." + n, 64512));
    s.peers.back().max_prefixes = 1000;
    s.peers.back().max_prefix_action = action;
  };
  add("warn", LimitAction::kWarn);
  add("block", LimitAction::kBlock);
  add("restart", LimitAction::kRestart);
  add("disable", LimitAction::kDisable);

  expect_config("max_prefix", s);
}

TEST(BirdConfig, BothFamiliesOverOneSession) {
  Speaker s = speaker();
  s.node_addresses = {ip("10.0.1.11"), ip("fd00:1::11")};
  s.blocks = {cidr("10.244.3.64/26"), cidr("fd00:244::40/122")};
  s.peers = {peer("over4", "10.0.1.5", 64512),
             peer("over6", "fd00:1::6", 64512)};
  for (Peer& p : s.peers) {
    p.families = {Family::kV6, Family::kV4};
  }

  expect_config("both_families", s);
}

TEST(BirdConfig, IPv4OverIPv6NextHops) {
  Speaker s = speaker();
  s.node_addresses = {ip("fd00:1::11")};
  s.blocks = {cidr("10.244.3.64/26")};
  s.peers = {peer("rr1", "fd00:1::5", 64512)};
  s.peers[0].families = {Family::kV4};
  s.peers[0].extended_next_hop = true;

  expect_config("extended_next_hop", s);
}

TEST(BirdConfig, ANodeThatDrainsSaysSoToEveryPeer) {
  Speaker s = speaker();
  s.blocks = {cidr("10.244.3.64/26")};
  s.peers = {peer("rr1", "10.0.1.5", 64512), peer("tor", "10.0.1.6", 65001)};
  s.peers[0].announcement.local_preference = 200;
  s.drain = Announcement{{{65535, 0, {}}}, 4000, 0, 0};

  expect_config("drain", s);
}

TEST(BirdConfig, BlocksThatMeetADeniedNetworkAreLeftOutAndDenied) {
  Speaker s = speaker();
  s.never_announced = {cidr("10.96.0.0/16"), cidr("fd00:96::/108")};
  const Cidr good = cidr("10.244.3.64/26");
  s.blocks = {good, cidr("10.96.4.0/26"), cidr("10.96.0.0/12"),
              cidr("10.0.1.0/26"), cidr("fd00:96::40/122")};
  s.peers = {peer("rr1", "10.0.1.5", 64512)};

  EXPECT_EQ(announceable(s), std::vector{good});
  EXPECT_THAT(*render(s), Not(HasSubstr("route 10.96")));
  expect_config("denied", s);
}

TEST(BirdConfig, AFamilyWithoutANextHopIsRefused) {
  Speaker s = speaker();
  s.peers = {peer("rr1", "10.0.1.5", 64512)};
  s.peers[0].families = {Family::kV6};

  EXPECT_THAT(render(s).error().msg, HasSubstr("no IPv6 address that could be "
                                               "the next hop"));
}

TEST(BirdConfig, TheOrderOfPeersAndBlocksDoesNotMatter) {
  Speaker a = speaker();
  a.blocks = {cidr("10.244.3.64/26"), cidr("10.244.3.0/26")};
  a.peers = {peer("x", "10.0.1.5", 64512), peer("y", "10.0.1.6", 64512)};
  Speaker b = a;
  std::swap(b.blocks[0], b.blocks[1]);
  std::swap(b.peers[0], b.peers[1]);

  EXPECT_EQ(*render(a), *render(b));
}

TEST(BirdConfig, NothingInsideAnOwnBlockIsImported) {
  Speaker s = speaker();
  s.blocks = {cidr("10.244.3.64/26")};
  s.imports = {import_of(cidr("10.244.0.0/16"))};

  EXPECT_THAT(*render(s), HasSubstr("if net ~ [ 10.244.3.64/26+ ] then reject"
                                    ";\n  if net ~ [ 10.244.0.0/16{16,32} ] "
                                    "then accept;\n  reject;"));
}

TEST(BirdConfig, AListedDefaultRouteMeansItAlone) {
  EXPECT_EQ(import_of(cidr("0.0.0.0/0")), (Import{cidr("0.0.0.0/0"), 0, 0}));
  EXPECT_EQ(import_of(cidr("::/0")), (Import{cidr("::/0"), 0, 0}));
  EXPECT_EQ(import_of(cidr("10.0.0.0/8")), (Import{cidr("10.0.0.0/8"), 8, 32}));
}

TEST(BirdConfig, PasswordsThatCouldEndTheirStringAreRefusedUnrepeated) {
  for (const std::string& password :
       {std::string("secret\"; filter x { accept; }"),
        std::string("secret\nprotocol static"), std::string("secret\r"),
        std::string("secret\0x", 8), std::string("secret\x7f"),
        "secret" + std::string(80, 'x')}) {
    Speaker s = speaker();
    s.peers = {peer("rr1", "10.0.1.5", 64512)};
    s.peers[0].password = password;

    const auto refused = render(s);

    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Code::kInvalidConfig);
    EXPECT_THAT(to_string(refused.error()), Not(HasSubstr("secret")));
  }
}

TEST(BirdConfig, NamesThatCouldEndTheirSymbolAreRefused) {
  for (const char* name :
       {"", "a b", "a'", "a\"", "a;", "a\n", "a{", "\xc3\xa4",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    Speaker s = speaker();
    s.peers = {peer(name, "10.0.1.5", 64512)};
    EXPECT_EQ(render(s).error().code, Code::kInvalidConfig) << name;
  }
}

TEST(BirdConfig, ContradictionsAreRefusedWithTheirPeer) {
  const auto refuses = [](const std::string& why, auto change) {
    Speaker s = speaker();
    s.peers = {peer("rr1", "10.0.1.5", 64512)};
    change(s);
    const auto refused = render(s);
    ASSERT_FALSE(refused.has_value()) << why;
    EXPECT_THAT(refused.error().msg, HasSubstr(why));
  };
  using std::chrono::seconds;
  refuses("router id", [](Speaker& s) { s.router_id = ip("0.0.0.0"); });
  refuses("router id", [](Speaker& s) { s.router_id = ip("fd00::1"); });
  refuses("AS number", [](Speaker& s) { s.as_number = 0; });
  refuses("\"rr1\": its AS", [](Speaker& s) { s.peers[0].as_number = 0; });
  refuses("hold", [](Speaker& s) { s.peers[0].hold_time = seconds(2); });
  refuses("keepalive",
          [](Speaker& s) { s.peers[0].keepalive_time = seconds(91); });
  refuses("link-local", [](Speaker& s) { s.peers[0].address = ip("fe80::1"); });
  refuses("no IPv6", [](Speaker& s) { s.peers[0].address = ip("fd00::1"); });
  refuses("restart time",
          [](Speaker& s) { s.peers[0].restart_time = seconds(5000); });
  refuses("BFD", [](Speaker& s) { s.peers[0].bfd.multiplier = 0; });
  refuses("community", [](Speaker& s) {
    s.peers[0].announcement.communities = {{65536, 1, {}}};
  });
  refuses("prepended",
          [](Speaker& s) { s.peers[0].announcement.prepend = 11; });
  refuses("\"rr1\": import", [](Speaker& s) {
    s.peers[0].imports = {{{cidr("10.0.0.0/8"), 24, 16}}};
  });
  refuses("multihop", [](Speaker& s) { s.peers[0].multihop = 256; });
  refuses("of this name", [](Speaker& s) {
    s.peers.push_back(peer("rr1", "10.0.1.6", 64512));
  });
  refuses("same address", [](Speaker& s) {
    s.peers.push_back(peer("rr2", "10.0.1.5", 64512));
  });
  refuses("announced", [](Speaker& s) { s.blocks = {cidr("0.0.0.0/0")}; });
  refuses("no sense", [](Speaker& s) {
    s.imports = {{cidr("10.0.0.0/8"), 24, 16}};
  });
}

}  // namespace
}  // namespace linsey::bgp
