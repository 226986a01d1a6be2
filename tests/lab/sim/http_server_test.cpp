#include "lab/sim/http_server.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include <curl/curl.h>
#include <gtest/gtest.h>

#include "lab/sim/http_parse.h"
#include "lab/sim/metadata.h"
#include "tests/lab/sim/support.h"

namespace linsey::sim::tests {
namespace {

struct Got {
  CURLcode result = CURLE_OK;
  long status = 0;
  std::string body;
};

std::size_t collect(char* data, std::size_t size, std::size_t count, void* to) {
  static_cast<std::string*>(to)->append(data, size * count);
  return size * count;
}

/// A keep-alive client of one server.
class Client {
 public:
  explicit Client(std::uint16_t port)
      : base_("http://127.0.0.1:" + std::to_string(port)),
        curl_(curl_easy_init(), curl_easy_cleanup) {}

  Got get(const std::string& path) {
    Got got;
    CURL* curl = curl_.get();
    const std::string url = base_ + path;
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &got.body);
    got.result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &got.status);
    return got;
  }
  long connections() const {
    long count = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_NUM_CONNECTS, &count);
    return count;
  }

 private:
  std::string base_;
  std::unique_ptr<CURL, void (*)(CURL*)> curl_;
};

struct Served {
  explicit Served(HttpHandler handler, HttpServer::Tick tick = {})
      : server(HttpServer::start(std::move(tick)).value()) {
    UniqueFd fd = listen_tcp(IpAddr::parse("127.0.0.1").value(), 0).value();
    port = port_of(fd).value();
    number = server->serve(std::move(fd), std::move(handler));
  }

  std::unique_ptr<HttpServer> server;
  std::uint16_t port = 0;
  int number = 0;
};

HttpResponse echo(const HttpRequest& request) {
  HttpResponse response;
  response.body = request.method + " " + request.path + "?" + request.query;
  return response;
}

TEST(SimHttpServer, AnswersOverOneKeptConnection) {
  Served served(echo);
  Client client(served.port);

  EXPECT_EQ(client.get("/a?b=%20c").body, "GET /a?b=%20c");
  EXPECT_EQ(client.connections(), 1);
  EXPECT_EQ(client.get("/d").body, "GET /d?");
  EXPECT_EQ(client.connections(), 0);
}

TEST(SimHttpServer, ALateReplyHoldsUpNobodyElse) {
  Served served([](const HttpRequest& request) {
    HttpResponse response = echo(request);
    if (request.path == "/late") response.delay = std::chrono::hours(1);
    return response;
  });
  std::atomic<bool> late_answered = false;
  std::thread late([&] {
    Client client(served.port);
    late_answered = client.get("/late").status == 200;
  });

  Client client(served.port);
  const Got quick = client.get("/quick");
  served.server->stop_serving(served.number);
  late.join();

  EXPECT_EQ(quick.status, 200);
  EXPECT_FALSE(late_answered);
}

TEST(SimHttpServer, DelaysAReplyAndThenSendsIt) {
  Served served([](const HttpRequest& request) {
    HttpResponse response = echo(request);
    response.delay = std::chrono::milliseconds(5);
    return response;
  });

  EXPECT_EQ(Client(served.port).get("/x").status, 200);
}

TEST(SimHttpServer, DropsTheConnectionWhenTold) {
  Served served([](const HttpRequest&) {
    HttpResponse response;
    response.drop = true;
    return response;
  });

  const Got got = Client(served.port).get("/x");

  EXPECT_EQ(got.status, 0);
  EXPECT_NE(got.result, CURLE_OK);
}

TEST(SimHttpServer, SendsALargeBodyWhole) {
  const std::string large(8 << 20, 'x');
  Served served([&](const HttpRequest&) {
    HttpResponse response;
    response.body = large;
    return response;
  });

  EXPECT_EQ(Client(served.port).get("/x").body.size(), large.size());
}

TEST(SimHttpParse, TellsMoreFromDoneFromBad) {
  HttpRequest request;
  std::string half = "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab";
  std::string whole = half + "cGET";
  std::string bad = "hello\r\n\r\n";

  EXPECT_EQ(take_request(half, request), Parse::kMore);
  EXPECT_EQ(take_request(whole, request), Parse::kDone);
  EXPECT_EQ(request.body, "abc");
  EXPECT_EQ(whole, "GET");
  EXPECT_EQ(take_request(bad, request), Parse::kBad);
}

TEST(SimHttpServer, TheTickMovesTheCloudOn) {
  SteadyClock clock;
  Cloud cloud(clock);
  std::atomic<int> ticks = 0;
  Served served(echo, [&] {
    ++ticks;
    return cloud.advance();
  });

  EXPECT_EQ(Client(served.port).get("/x").status, 200);
  EXPECT_GE(ticks, 1);
}

TEST(SimHttpServer, ServesAnInstanceItsMetadata) {
  SmallCloud small;
  Metadata metadata(small.cloud, "i-b");
  Served served(
      [&](const HttpRequest& request) { return metadata.handle(request); });

  EXPECT_EQ(Client(served.port).get("/latest/meta-data/zone-id").body,
            "cn-sim-b");
}

}  // namespace
}  // namespace linsey::sim::tests
