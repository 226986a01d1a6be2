// A BIRD that misbehaves, played by a thread on a Unix socket.
#include "bgp/bird_control.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/bgp/make.h"
#include "tests/support/temp_dir.h"

namespace linsey::bgp {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using tests::cidr;

constexpr const char* kGreeting = "0001 BIRD 2.0.12 ready.\n";

/// Accepts one connection, says `greeting`, then one of `replies` for each
/// line it reads, and keeps the connection open until it is destroyed.
class Script {
 public:
  Script(std::string greeting, std::vector<std::string> replies) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = path();
    std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
    listener_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address),
             sizeof address) != 0 ||
        listen(listener_.get(), 1) != 0) {
      panic("listen failed");
    }
    thread_ = std::jthread(
        [this, greeting = std::move(greeting), replies = std::move(replies)] {
          const UniqueFd client(accept(listener_.get(), nullptr, nullptr));
          (void)write_all(client.get(), greeting);
          std::size_t next = 0;
          char c = 0;
          while (read(client.get(), &c, 1) == 1) {
            heard_ += c;
            if (c != '\n' || next == replies.size()) continue;
            (void)write_all(client.get(), replies[next++]);
            if (next == replies.size() && replies.back().ends_with("!close"))
              break;
          }
        });
  }

  std::string path() const { return dir_ / "bird.ctl"; }
  BirdControl connect() const {
    return BirdControl::connect(path(), milliseconds(200)).value();
  }
  /// Only after the control object is gone.
  std::string heard() {
    thread_.join();
    return heard_;
  }

 private:
  tests::TempDir dir_;
  UniqueFd listener_;
  std::string heard_;
  std::jthread thread_;
};

TEST(BirdControl, ASocketThatIsNotThereIsBirdDown) {
  const tests::TempDir dir;
  EXPECT_EQ(BirdControl::connect(dir / "bird.ctl").error().code,
            Code::kBirdDown);
}

TEST(BirdControl, ASilentBirdIsDownAtTheDeadline) {
  const Script mute("", {});
  const Script half(kGreeting, {"0002-Reading"});

  EXPECT_EQ(BirdControl::connect(mute.path(), milliseconds(50)).error().code,
            Code::kBirdDown);
  EXPECT_EQ(half.connect().configure("/x").error().code, Code::kBirdDown);
}

TEST(BirdControl, ABirdThatEndsAmidReplyIsDown) {
  const Script script(kGreeting, {"1000-BIRD 2.0.12\n!close"});
  EXPECT_EQ(script.connect().status().error().code, Code::kBirdDown);
}

TEST(BirdControl, AnotherProgramsSocketIsTold) {
  const Script other("0001 frr ready\n", {});
  const Script text("HTTP/1.1 400 Bad Request\n", {});

  EXPECT_EQ(BirdControl::connect(other.path(), milliseconds(200)).error().code,
            Code::kProtocolMismatch);
  EXPECT_EQ(BirdControl::connect(text.path(), milliseconds(200)).error().code,
            Code::kProtocolMismatch);
}

TEST(BirdControl, ARefusedConfigurationCarriesBirdsText) {
  const Script script(kGreeting, {"0002-Reading configuration from /x\n"
                                  "8002 /x:3:5 syntax error\n"});
  const auto refused = script.connect().configure("/x");

  EXPECT_EQ(refused.error().code, Code::kBirdConfigRefused);
  EXPECT_THAT(refused.error().msg, HasSubstr("/x:3:5 syntax error"));
}

TEST(BirdControl, NamesThatCouldEndTheirStringAreNeverSent) {
  Script script(kGreeting, {});
  {
    BirdControl bird = script.connect();
    for (const char* file : {"/x\"\ndown", "/x\ndown", "/x\"", "/x\x01"}) {
      EXPECT_EQ(bird.check(file).error().code, Code::kInvalidConfig);
      EXPECT_EQ(bird.configure(file).error().code, Code::kInvalidConfig);
    }
    EXPECT_EQ(bird.exported("x'\ndown").error().code, Code::kInvalidConfig);
  }
  EXPECT_EQ(script.heard(), "");
}

TEST(BirdControl, SessionsAreReadWithStateCountsAndError) {
  const Script script(
      kGreeting,
      {"1002-Name       Proto      Table      State  Since         Info\n"
       "1002-peer_rr1   BGP        ---        up     2026-01-02 10:00:01  "
       "Established   \n"
       "1006-  BGP state:          Established\n"
       "     Neighbor address: 10.0.0.5\n"
       "   Channel ipv4\n"
       "     Routes:         7 imported, 2 filtered, 3 exported, 5 preferred\n"
       " \n"
       "1002-peer_rr2   BGP        ---        start  10:00:01  Active  Socket: "
       "Connection refused\n"
       "1006-  BGP state:          Active\n"
       "     Last error:       Socket: Connection refused\n"
       " \n"
       "0000 \n"});

  const auto sessions = script.connect().sessions();

  ASSERT_TRUE(sessions.has_value());
  ASSERT_EQ(sessions->size(), 2);
  EXPECT_TRUE(sessions->at(0).established());
  EXPECT_EQ(sessions->at(0).name, "peer_rr1");
  EXPECT_EQ(sessions->at(0).since, "2026-01-02 10:00:01");
  EXPECT_EQ(sessions->at(0).imported, 7);
  EXPECT_EQ(sessions->at(0).exported, 3);
  EXPECT_EQ(sessions->at(1).state, "start");
  EXPECT_EQ(sessions->at(1).bgp_state, "Active");
  EXPECT_EQ(sessions->at(1).last_error, "Socket: Connection refused");
}

TEST(BirdControl, ExportedPrefixesAreReadAndADownSessionHasNone) {
  const Script script(kGreeting,
                      {"1007-Table master4:\n"
                       " 10.244.3.64/26       blackhole [linsey_blocks4 x] *\n"
                       " 10.244.4.0/26        unicast [p x] * (100)\n"
                       " \tvia 10.0.0.1 on eth0\n"
                       "0000 \n",
                       "9001 No valid tables\n"});
  BirdControl bird = script.connect();

  EXPECT_THAT(*bird.exported("peer_rr1"),
              ElementsAre(cidr("10.244.3.64/26"), cidr("10.244.4.0/26")));
  EXPECT_THAT(*bird.exported("peer_rr1"), IsEmpty());
}

TEST(BirdControl, ARouteThatIsNotThereIsNoError) {
  const Script script(kGreeting, {"8001 Network not found\n"});
  EXPECT_THAT(*script.connect().routes(cidr("10.0.0.0/8")), IsEmpty());
}

TEST(BirdControl, AnUnknownCommandCarriesBirdsText) {
  const Script script(kGreeting, {"9001 syntax error\n"});
  EXPECT_THAT(script.connect().command("foo").error().msg,
              HasSubstr("9001 syntax error"));
}

}  // namespace
}  // namespace linsey::bgp
