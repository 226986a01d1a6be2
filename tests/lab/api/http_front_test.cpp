#include "lab/api/http_front.h"

#include <gtest/gtest.h>

#include "base/thread_queue.h"
#include "kube/client.h"
#include "kube/watch.h"
#include "lab/sim/http_server.h"

namespace linsey::lab::api {
namespace {

const kube::Resource kMaps = kube::kConfigMaps;

Json map_named(const std::string& name, const std::string& value) {
  return {{"metadata", {{"name", name}}}, {"data", {{"key", value}}}};
}

/// The server behind TLS on loopback, and a client that trusts its authority.
class HttpFrontTest : public testing::Test {
 protected:
  HttpFrontTest() {
    const IpAddr loopback = *IpAddr::parse("127.0.0.1");
    UniqueFd listener = std::move(*sim::listen_tcp(loopback, 0));
    const std::uint16_t port = *sim::port_of(listener);
    identity_ = *make_identity({loopback});
    server_.add_token("right", {"system:admin", {"system:masters"}, {}});
    front_ =
        std::move(*HttpFront::start(server_, std::move(listener), &identity_));
    endpoint_.server = fmt::format("https://127.0.0.1:{}", port);
    endpoint_.ca_data = identity_.ca_pem;
    endpoint_.token = "right";
  }

  std::unique_ptr<kube::Transport> connect(const std::string& token) {
    kube::Endpoint endpoint = endpoint_;
    endpoint.token = token;
    return kube::make_transport(
        std::make_shared<kube::Credentials>(endpoint, clock_));
  }

  SteadyClock clock_;
  Server server_;
  Identity identity_;
  kube::Endpoint endpoint_;
  std::unique_ptr<HttpFront> front_;
};

TEST_F(HttpFrontTest, ServesTheRealClientOverTls) {
  const auto transport = connect("right");
  kube::Client client(*transport);

  ASSERT_TRUE(client.create(kMaps, "default", map_named("a", "1")));
  const Result<Json> read = client.get(kMaps, "default", "a");

  ASSERT_TRUE(read) << to_string(read.error());
  EXPECT_EQ((*read)["data"]["key"], "1");
  EXPECT_EQ(client.create(kMaps, "default", map_named("a", "2")).error().code,
            Code::kApiExists);
  EXPECT_EQ(client.create(kMaps, "gone", map_named("a", "2")).error().code,
            Code::kApiNotFound);
}

TEST_F(HttpFrontTest, RefusesAnUnknownToken) {
  const auto transport = connect("wrong");
  kube::Client client(*transport);

  EXPECT_EQ(client.get(kMaps, "default", "a").error().code,
            Code::kApiUnauthorized);
}

TEST_F(HttpFrontTest, RefusesAStrangeAuthority) {
  endpoint_.ca_data = make_identity({})->ca_pem;
  const auto transport = connect("right");
  kube::Client client(*transport);

  EXPECT_EQ(client.get(kMaps, "default", "a").error().code,
            Code::kApiUnavailable);
}

TEST_F(HttpFrontTest, StreamsAWatchAndBreaksItWhenDown) {
  const auto transport = connect("right");
  ThreadQueue<std::string> words;
  kube::Watch watch(*transport,
                    {.type = kMaps,
                     .name_space = "default",
                     .backoff = {.first = std::chrono::milliseconds(1),
                                 .longest = std::chrono::milliseconds(5)}},
                    {.changed =
                         [&](const std::vector<kube::Event>& events) {
                           for (const kube::Event& event : events) {
                             words.push(metadata_text(event.object, "name"));
                           }
                         },
                     .synced = [&] { words.push("synced"); },
                     .stale = [&](const Error&) { words.push("stale"); }});
  std::jthread thread([&] { watch.run(); });

  EXPECT_EQ(words.pop(), "synced");
  const std::string path = "/api/v1/namespaces/default/configmaps/";
  (void)server_.put(path + "a", map_named("a", "1"));
  EXPECT_EQ(words.pop(), "a");
  server_.set_down(true);
  EXPECT_EQ(words.pop(), "stale");
  (void)server_.put(path + "b", map_named("b", "1"));
  server_.set_down(false);
  EXPECT_EQ(words.pop(), "synced");
  EXPECT_EQ(words.pop(), "b");
  EXPECT_EQ(watch.lists(), 1U);
  watch.stop();
}

TEST_F(HttpFrontTest, AHangingRequestRunsIntoTheClientsTimeLimit) {
  const auto transport = connect("right");
  server_.push_fault({.hang = true});

  const Result<kube::Response> reply = transport->send(
      {.path = "/version", .timeout = std::chrono::milliseconds(100)});

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kTimeout);
}

TEST_F(HttpFrontTest, ALostReplyHasDoneItsWork) {
  const auto transport = connect("right");
  kube::Client client(*transport);
  server_.push_fault({.reply_lost = true, .method = "POST"});

  const Result<Json> made =
      client.create(kMaps, "default", map_named("a", "1"));

  EXPECT_FALSE(made);
  EXPECT_EQ(client.create(kMaps, "default", map_named("a", "1")).error().code,
            Code::kApiExists);
}

TEST_F(HttpFrontTest, CountsCallsAndBytes) {
  const auto transport = connect("right");
  kube::Client client(*transport);
  (void)client.get(kMaps, "default", "a");
  (void)client.get(kMaps, "default", "b");

  const Json counters = server_.counters();

  EXPECT_EQ(counters["calls"]["GET /api/v1/configmaps"], 2);
  EXPECT_EQ(counters["statuses"]["404"], 2);
  EXPECT_GT(counters["sent"].get<int>(), 200);
}

}  // namespace
}  // namespace linsey::lab::api
