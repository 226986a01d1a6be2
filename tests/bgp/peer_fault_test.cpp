#include "bgp/peer_fault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/bgp/make.h"

namespace linsey::bgp {
namespace {

using ::testing::HasSubstr;

constexpr Md5Evidence kSilent{};

Session session(const std::string& state, const std::string& error = "") {
  Session s;
  s.name = "peer_rr1";
  s.kind = "BGP";
  s.bgp_state = state;
  s.last_error = error;
  return s;
}

Peer with_password() {
  Peer p = tests::peer("rr1", "10.0.1.5", 64512);
  p.password = "a secret";
  return p;
}

TEST(Md5Counters, AreReadByNameFromNetstat) {
  const auto counters = parse_md5_counters(
      "TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure\n"
      "TcpExt: 9 1 2 3\nIpExt: InNoRoutes\nIpExt: 7\n");

  ASSERT_TRUE(counters.has_value());
  EXPECT_EQ(*counters, (Md5Counters{1, 2, 3}));
  EXPECT_FALSE(parse_md5_counters("IpExt: A\nIpExt: 1\n").has_value());
  EXPECT_TRUE(md5_counters().has_value());
}

TEST(PeerFault, NoneForAnEstablishedSession) {
  EXPECT_EQ(fault_of(with_password(), session("Established"), kSilent),
            std::nullopt);
}

TEST(PeerFault, DroppedDigestsMeanAWrongPassword) {
  const auto fault =
      fault_of(with_password(), session("Connect"), {.with_password = true});

  EXPECT_EQ(fault->code, Code::kPeerPasswordMismatch);
  EXPECT_THAT(fault->msg, HasSubstr("\"rr1\" (10.0.1.5 port 179)"));
  EXPECT_THAT(fault->msg, ::testing::Not(HasSubstr("a secret")));
}

TEST(PeerFault, UnexpectedDigestsConcernPeersWithoutAPassword) {
  const Peer bare = tests::peer("rr1", "10.0.1.5", 64512);

  EXPECT_EQ(fault_of(bare, session("Active"), {.without_password = true})->code,
            Code::kPeerPasswordMismatch);
  EXPECT_EQ(fault_of(bare, session("Active"), {.with_password = true})->code,
            Code::kPeerUnreachable);
}

TEST(PeerFault, SilenceNamesThePasswordToo) {
  const auto fault = fault_of(with_password(), session("Connect"), kSilent);

  EXPECT_EQ(fault->code, Code::kPeerUnreachable);
  EXPECT_THAT(fault->msg, HasSubstr("passwordFile"));
}

TEST(PeerFault, ARefusedConnectionIsUnreachableWithItsText) {
  const auto fault =
      fault_of(with_password(), session("Active", "Socket: Connection refused"),
               kSilent);

  EXPECT_EQ(fault->code, Code::kPeerUnreachable);
  EXPECT_THAT(fault->msg, HasSubstr("Connection refused"));
}

TEST(PeerFault, AWrongAsNumberIsToldFromBothEnds) {
  for (const char* error :
       {"Error: Bad peer AS: 64513", "Received: Bad peer AS"}) {
    const auto fault =
        fault_of(with_password(), session("Idle", error), kSilent);

    EXPECT_EQ(fault->code, Code::kPeerAsMismatch);
    EXPECT_THAT(fault->msg, HasSubstr(error));
  }
}

TEST(PeerFault, APrefixLimitIsToldWhetherTheSessionIsUpOrNot) {
  Peer peer = with_password();
  peer.max_prefixes = 1000;
  peer.max_prefix_action = LimitAction::kBlock;
  Session up = session("Established");
  up.limit_hit = true;

  EXPECT_EQ(fault_of(peer, up, kSilent)->code, Code::kPrefixLimit);
  EXPECT_EQ(
      fault_of(peer, session("Idle", "Route limit exceeded"), kSilent)->code,
      Code::kPrefixLimit);
  EXPECT_EQ(
      fault_of(peer, session("Established", "Route limit exceeded"), kSilent),
      std::nullopt);
}

TEST(PeerFault, OtherErrorsKeepBirdsWords) {
  const auto fault =
      fault_of(with_password(),
               session("Active", "Received: Hold timer expired"), kSilent);

  EXPECT_EQ(fault->code, Code::kPeerDown);
  EXPECT_THAT(fault->msg, HasSubstr("Hold timer expired"));
}

}  // namespace
}  // namespace linsey::bgp
