#include "rpc/server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <future>
#include <optional>

#include <gtest/gtest.h>

#include "base/file.h"
#include "rpc/client.h"
#include "tests/rpc/hand_loop.h"
#include "tests/rpc/samples.h"
#include "tests/support/temp_dir.h"

namespace linsey::rpc {
namespace {

using std::chrono_literals::operator""ms;  // NOLINT(misc-unused-using-decls)
using std::chrono_literals::operator""s;   // NOLINT(misc-unused-using-decls)

UniqueFd connect_raw(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(
      connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
      0);
  return fd;
}

std::string read_all(int fd) {
  std::string bytes(64 << 10, '\0');
  const ssize_t n = recv(fd, bytes.data(), bytes.size(), MSG_WAITALL);
  bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return bytes;
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() { make_server({}); }

  void make_server(ServerLimits limits) {
    server_.reset();
    server_.emplace(
        loop_.hooks(),
        ServerHooks{
            .request =
                [this](RequestId id, const Request& r) {
                  last_ = id;
                  request_ = r;
                  if (handler_) handler_(id, r);
                },
            .hung_up = [this](RequestId id) { hung_up_.push_back(id); }},
        limits);
    ASSERT_TRUE(server_->listen(path_));
  }

  template <typename T>
  Result<T> call(const std::function<Result<T>(Client&)>& verb) {
    auto result = std::async(std::launch::async, [&] {
      Client client({.socket = path_, .connect_wait = 5s, .timeout = 10s});
      return verb(client);
    });
    EXPECT_TRUE(loop_.run_until([&] {
      return result.wait_for(0s) == std::future_status::ready ||
             (last_ != 0 && loop_.watched() == 1);
    }));
    return result.get();
  }

  tests::TempDir directory_;
  std::string path_ = directory_ / "run/agent.sock";
  tests::HandLoop loop_;
  std::optional<Server> server_;
  std::function<void(RequestId, const Request&)> handler_;
  RequestId last_ = 0;
  Request request_;
  std::vector<RequestId> hung_up_;
};

TEST_F(ServerTest, AnswersACallAtOnce) {
  handler_ = [&](RequestId id, const Request&) {
    EXPECT_TRUE(server_->answer(
        id, ok(to_json(Lease{tests::sample_allocation(), false}))));
  };

  const Result<Lease> lease = call<Lease>([](Client& client) {
    return client.allocate(tests::sample_attachment());
  });

  ASSERT_TRUE(lease) << lease.error().msg;
  EXPECT_EQ(lease->allocation, tests::sample_allocation());
  EXPECT_FALSE(lease->is_new);
  EXPECT_EQ(request_.path, "/v1/allocate");
  EXPECT_EQ(*parse_attachment(request_.body), tests::sample_attachment());
  EXPECT_FALSE(request_.from_tcp);
}

TEST_F(ServerTest, HandsErrorsOverWithTheirCode) {
  const Error exhausted{Code::kAddressesExhausted, "none left", "62 held"};
  handler_ = [&](RequestId id, const Request&) {
    server_->answer(id, failure(exhausted));
  };

  const Result<Lease> lease = call<Lease>([](Client& client) {
    return client.allocate(tests::sample_attachment());
  });

  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error(), exhausted);
}

TEST_F(ServerTest, AnswersLater) {
  const UniqueFd peer = connect_raw(path_);
  ASSERT_TRUE(write_all(peer.get(), "GET /v1/status HTTP/1.1\r\n\r\n"));
  ASSERT_TRUE(loop_.run_until([&] { return server_->waiting() == 1; }));

  EXPECT_TRUE(server_->answer(last_, ok("{}")));

  EXPECT_EQ(read_all(peer.get()).rfind("HTTP/1.1 200 OK\r\n", 0), 0U);
  EXPECT_EQ(server_->waiting(), 0U);
  EXPECT_FALSE(server_->answer(last_, ok("{}"))) << "an id answers once";
}

TEST_F(ServerTest, TellsWhenAWaitingClientHangsUp) {
  UniqueFd peer = connect_raw(path_);
  ASSERT_TRUE(write_all(peer.get(), "GET /v1/status HTTP/1.1\r\n\r\n"));
  ASSERT_TRUE(loop_.run_until([&] { return server_->waiting() == 1; }));

  peer.reset();

  ASSERT_TRUE(loop_.run_until([&] { return !hung_up_.empty(); }));
  EXPECT_EQ(hung_up_, std::vector<RequestId>{last_});
  EXPECT_FALSE(server_->answer(last_, ok("{}")));
}

TEST_F(ServerTest, AnswerNoticesTheHangUpBeforeTheLoopDoes) {
  UniqueFd peer = connect_raw(path_);
  ASSERT_TRUE(write_all(peer.get(), "GET /v1/status HTTP/1.1\r\n\r\n"));
  ASSERT_TRUE(loop_.run_until([&] { return server_->waiting() == 1; }));

  peer.reset();

  EXPECT_FALSE(server_->answer(last_, ok("{}")));
  loop_.run_until_idle();
  EXPECT_TRUE(hung_up_.empty()) << "told once only";
}

TEST_F(ServerTest, DropsAPeerThatStalls) {
  const UniqueFd peer = connect_raw(path_);
  ASSERT_TRUE(write_all(peer.get(), "GET /v1/sta"));
  ASSERT_TRUE(loop_.run_until([&] { return loop_.watched() == 2; }));
  loop_.run_until_idle();

  loop_.fire_timers();

  EXPECT_EQ(read_all(peer.get()), "");
  EXPECT_EQ(loop_.watched(), 1U);
  EXPECT_EQ(last_, 0U);
}

TEST_F(ServerTest, RefusesWhatIsNoRequest) {
  const UniqueFd peer = connect_raw(path_);
  ASSERT_TRUE(write_all(peer.get(), "HELO\r\n\r\n"));
  loop_.run_until_idle();

  EXPECT_EQ(read_all(peer.get()).rfind("HTTP/1.1 400 ", 0), 0U);
  EXPECT_EQ(last_, 0U);
}

TEST_F(ServerTest, ServesARequestInTheTurnInWhichItConnected) {
  handler_ = [this](RequestId id, const Request&) {
    EXPECT_TRUE(server_->answer(id, ok("{}")));
  };
  const UniqueFd peer = connect_raw(path_);
  ASSERT_TRUE(write_all(peer.get(), "GET /v1/status HTTP/1.1\r\n\r\n"));
  bool turned = false;
  ASSERT_TRUE(loop_.run_until([&] { return std::exchange(turned, true); }));

  EXPECT_EQ(read_all(peer.get()).rfind("HTTP/1.1 200 ", 0), 0U);
  EXPECT_EQ(loop_.watched(), 1U);
}

TEST_F(ServerTest, RefusesAnotherProtocol) {
  const UniqueFd peer = connect_raw(path_);
  ASSERT_TRUE(write_all(
      peer.get(), "GET /v1/status HTTP/1.1\r\nLinsey-Protocol: 2\r\n\r\n"));
  loop_.run_until_idle();

  EXPECT_NE(read_all(peer.get()).find("ProtocolMismatch"), std::string::npos);
  EXPECT_EQ(last_, 0U);
}

TEST_F(ServerTest, LimitsItsConnections) {
  make_server({.connections = 2});
  std::vector<UniqueFd> peers;
  peers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    peers.push_back(connect_raw(path_));
  }
  loop_.run_until_idle();
  EXPECT_EQ(loop_.watched(), 3U);

  peers.clear();
  loop_.fire_timers();
  loop_.run_until_idle();
  EXPECT_EQ(loop_.watched(), 1U) << "all four came and went";
}

TEST_F(ServerTest, SocketAndDirectoryAreClosedToOthers) {
  struct stat st {};
  ASSERT_EQ(stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777U, 0600U);
  ASSERT_EQ(stat((directory_ / "run").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777U, 0700U);
}

TEST_F(ServerTest, RefusesALiveSocketAndReplacesAStaleOne) {
  Server second(loop_.hooks(), {});
  const Result<void> refused = second.listen(path_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTryAgainLater);

  // A stale socket: bound once, its owner killed without cleaning up.
  const std::string stale = directory_ / "run/stale.sock";
  {
    UniqueFd owner(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, stale.data(), stale.size());
    ASSERT_EQ(bind(owner.get(), reinterpret_cast<sockaddr*>(&address),
                   sizeof address),
              0);
  }
  EXPECT_TRUE(second.listen(stale));
}

TEST_F(ServerTest, RefusesADirectoryThatOthersMayWrite) {
  const std::string open_directory = directory_ / "open";
  ASSERT_TRUE(make_directories(open_directory));
  ASSERT_EQ(chmod(open_directory.c_str(), 0777), 0);
  Server second(loop_.hooks(), {});

  const Result<void> r = second.listen(open_directory + "/agent.sock");

  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kPermission);
}

TEST_F(ServerTest, LeavesNoSocketBehind) {
  server_.reset();
  EXPECT_FALSE(path_exists(path_));
  EXPECT_EQ(loop_.watched(), 0U);
  EXPECT_EQ(loop_.timers(), 0U);
}

TEST_F(ServerTest, MarksRequestsThatCameOverTcp) {
  ASSERT_TRUE(server_->listen_tcp(*IpAddr::parse("::1"), 0));
  sockaddr_in6 address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(getsockname(loop_.last_watched(),
                        reinterpret_cast<sockaddr*>(&address), &size),
            0);
  const UniqueFd peer(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(connect(peer.get(), reinterpret_cast<sockaddr*>(&address), size),
            0);

  ASSERT_TRUE(write_all(peer.get(), "GET /metrics HTTP/1.1\r\n\r\n"));

  ASSERT_TRUE(loop_.run_until([&] { return last_ != 0; }));
  EXPECT_TRUE(request_.from_tcp);
}

TEST_F(ServerTest, SendsALargeAnswerToASlowReader) {
  const std::string large(std::size_t{2} << 20, 'x');
  handler_ = [&](RequestId id, const Request&) {
    EXPECT_TRUE(server_->answer(id, text(large)));
  };

  const Result<std::string> body =
      call<std::string>([](Client& client) { return client.get("/metrics"); });

  ASSERT_TRUE(body) << body.error().msg;
  EXPECT_EQ(body->size(), large.size());
}

TEST(Client, SaysThatTheAgentIsDown) {
  const tests::TempDir directory;
  Client client({.socket = directory / "none.sock", .connect_wait = 5ms});

  const Result<Status> status = client.status();

  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kAgentDown);
  EXPECT_NE(status.error().msg.find("none.sock"), std::string::npos);
}

TEST_F(ServerTest, ClientWaitsForAnAgentThatStarts) {
  server_.reset();
  auto answered = std::async(std::launch::async, [&] {
    Client client({.socket = path_, .connect_wait = 10s});
    return client.get("/healthz");
  });
  handler_ = [&](RequestId id, const Request&) {
    server_->answer(id, text("ok"));
  };

  make_server({});
  ASSERT_TRUE(
      loop_.run_until([&] { return last_ != 0 && loop_.watched() == 1; }));

  const Result<std::string> body = answered.get();
  ASSERT_TRUE(body) << body.error().msg;
  EXPECT_EQ(*body, "ok");
}

TEST_F(ServerTest, ClientAsksAgainWhenTheAgentDiesBeforeItAnswers) {
  int asked = 0;
  handler_ = [&](RequestId id, const Request&) {
    if (++asked == 2) server_->answer(id, text("ok"));
  };
  auto answered = std::async(std::launch::async, [&] {
    Client client({.socket = path_, .connect_wait = 10s});
    return client.get("/healthz");
  });
  ASSERT_TRUE(loop_.run_until([&] { return asked == 1; }));

  make_server({});
  ASSERT_TRUE(
      loop_.run_until([&] { return asked == 2 && loop_.watched() == 1; }));

  const Result<std::string> body = answered.get();
  ASSERT_TRUE(body) << body.error().msg;
}

TEST_F(ServerTest, ClientGivesUpAtItsDeadline) {
  auto answered = std::async(std::launch::async, [&] {
    Client client({.socket = path_, .connect_wait = 10s, .timeout = 50ms});
    return client.get("/healthz");
  });
  ASSERT_TRUE(loop_.run_until([&] { return last_ != 0; }));

  const Result<std::string> body = answered.get();

  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code, Code::kTimeout);
}

}  // namespace
}  // namespace linsey::rpc
