#include "cloud/http.h"

#include <gtest/gtest.h>

#include "tests/support/http_server.h"

namespace linsey::cloud {
namespace {

using tests::HttpServer;
using tests::ServedReply;
using tests::ServedRequest;

TEST(Http, CarriesMethodHeadersAndBodyBothWays) {
  ServedRequest seen;
  const HttpServer server([&](const ServedRequest& request) {
    seen = request;
    return ServedReply{.status = 418,
                       .body = "tea",
                       .headers = {{"X-Ratelimit-User", " Limit:1 "}}};
  });
  HttpClient client;

  const auto reply = client.send({.method = "PUT",
                                  .url = server.url() + "/a?b=c%20d",
                                  .headers = {{"x-one", "1"}, {"x-none", ""}},
                                  .body = "hello"});

  ASSERT_TRUE(reply) << reply.error().msg;
  EXPECT_EQ(reply->status, 418);
  EXPECT_EQ(reply->body, "tea");
  EXPECT_EQ(reply->header("x-ratelimit-user"), "Limit:1");
  EXPECT_EQ(reply->header("x-absent"), std::nullopt);
  EXPECT_EQ(seen.method, "PUT");
  EXPECT_EQ(seen.path, "/a");
  EXPECT_EQ(seen.query.at("b"), "c d");
  EXPECT_EQ(seen.headers.at("x-one"), "1");
  EXPECT_EQ(seen.headers.at("x-none"), "");
  EXPECT_EQ(seen.body, "hello");
  EXPECT_FALSE(seen.headers.contains("content-type"));
}

TEST(Http, ReusesTheConnection) {
  const HttpServer server([](const ServedRequest&) { return ServedReply{}; });
  HttpClient client;

  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send({.method = "POST", .url = server.url() + "/"}));
  }

  EXPECT_EQ(server.connections(), 1U);
}

TEST(Http, GivesUpAtTheDeadline) {
  const HttpServer server(
      [](const ServedRequest&) { return ServedReply{.hang = true}; });
  HttpClient client;

  const auto reply = client.send(
      {.url = server.url() + "/", .timeout = std::chrono::milliseconds(50)});

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kTimeout);
}

TEST(Http, RefusesAReplyAboveTheLimit) {
  const HttpServer server([](const ServedRequest&) {
    return ServedReply{.body = std::string(1000, 'x')};
  });
  HttpClient client;

  const auto reply = client.send({.url = server.url() + "/", .limit = 999});

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kCloudBadReply);
}

TEST(Http, CallsALostReplyUnavailable) {
  const HttpServer server(
      [](const ServedRequest&) { return ServedReply{.drop = true}; });
  HttpClient client;

  const auto reply = client.send({.url = server.url() + "/?Signature=secret"});

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kCloudUnavailable);
  EXPECT_EQ(reply.error().msg.find("secret"), std::string::npos);
}

TEST(Http, CallsACutReplyUnavailable) {
  const HttpServer server([](const ServedRequest&) {
    return ServedReply{.body = "whole", .cut_at = 2};
  });
  HttpClient client;

  const auto reply = client.send({.url = server.url() + "/"});

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kCloudUnavailable);
}

TEST(Http, CallsARefusedConnectionUnavailable) {
  std::string url;
  {
    const HttpServer gone([](const ServedRequest&) { return ServedReply{}; });
    url = gone.url();
  }
  HttpClient client;

  const auto reply = client.send({.url = url});

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kCloudUnavailable);
}

TEST(Http, FollowsNoRedirect) {
  const HttpServer server([](const ServedRequest&) {
    return ServedReply{.status = 302, .headers = {{"Location", "/other"}}};
  });
  HttpClient client;

  const auto reply = client.send({.url = server.url() + "/"});

  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 302);
}

TEST(Http, SpeaksNoOtherProtocol) {
  HttpClient client;

  const auto reply = client.send({.url = "file:///etc/hostname"});

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kCloudBadRequest);
}

TEST(UrlHost, KeepsOnlyAnUnusualPort) {
  EXPECT_EQ(*url_host("https://ecs.cn-x.aliyuncs.com/"),
            "ecs.cn-x.aliyuncs.com");
  EXPECT_EQ(*url_host("https://Ecs.Cn-X.aliyuncs.com:443"),
            "ecs.cn-x.aliyuncs.com");
  EXPECT_EQ(*url_host("http://10.0.0.1:8080/a?b"), "10.0.0.1:8080");
  EXPECT_EQ(*url_host("http://[fd00::1]:80"), "[fd00::1]");
  EXPECT_FALSE(url_host("ecs.cn-x.aliyuncs.com"));
  EXPECT_FALSE(url_host("https://"));
  EXPECT_FALSE(url_host("https://user@host/"));
}

}  // namespace
}  // namespace linsey::cloud
