#include "rpc/http.h"

#include <gtest/gtest.h>

namespace linsey::rpc {
namespace {

using std::chrono_literals::operator""ms;  // NOLINT(misc-unused-using-decls)

TEST(Http, RequestRoundTrips) {
  const Request request{.method = "POST",
                        .path = "/v1/allocate",
                        .query = "a=b",
                        .body = "{\"x\": 1}",
                        .protocol = 1,
                        .timeout = 1500ms,
                        .began = Instant(123456789)};
  const auto parsed = parse_request(format_request(request));
  ASSERT_TRUE(parsed && *parsed);
  const Request& got = **parsed;
  EXPECT_EQ(got.method, "POST");
  EXPECT_EQ(got.path, "/v1/allocate");
  EXPECT_EQ(got.query, "a=b");
  EXPECT_EQ(got.body, request.body);
  EXPECT_EQ(got.protocol, 1);
  EXPECT_EQ(got.timeout, 1500ms);
  EXPECT_EQ(got.began, Instant(123456789));
}

TEST(Http, EveryPrefixOfARequestAsksForMore) {
  const std::string whole =
      format_request({.method = "POST", .path = "/x", .body = "body"});
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const auto parsed = parse_request(std::string_view(whole).substr(0, n));
    ASSERT_TRUE(parsed) << n;
    EXPECT_FALSE(*parsed) << n;
  }
}

TEST(Http, WhatIsNoRequestOfOursIsRefused) {
  const std::vector<std::string> bad = {
      "\r\n\r\n",
      "GET\r\n\r\n",
      "GET /x HTTP/2\r\n\r\n",
      "GET x HTTP/1.1\r\n\r\n",
      "GET  HTTP/1.1\r\n\r\n",
      "GE T /x HTTP/1.1\r\n\r\n",
      "GET /x HTTP/1.1\r\nno colon\r\n\r\n",
      "GET /x HTTP/1.1\r\n folded: x\r\n\r\n",
      "GET /x HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
      "GET /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
      "GET /x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
      "GET /x HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "GET /x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
      "GET /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "GET /x HTTP/1.1\r\n\r\nbytes behind it",
      "GET /" + std::string(kMaxHead, 'a'),
  };
  for (const std::string& text : bad) {
    EXPECT_FALSE(parse_request(text)) << text.substr(0, 80);
  }
}

TEST(Http, ResponseRoundTrips) {
  const auto parsed =
      parse_response(format_response({.status = 409, .body = "no"}), false);
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->status, 409);
  EXPECT_EQ((*parsed)->body, "no");
}

TEST(Http, ResponseThatEndsEarlyIsAnError) {
  const std::string whole = format_response(ok("{}"));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const auto head = std::string_view(whole).substr(0, n);
    EXPECT_FALSE(parse_response(head, true)) << n;
    ASSERT_TRUE(parse_response(head, false)) << n;
    EXPECT_FALSE(*parse_response(head, false)) << n;
  }
}

TEST(Http, FailureCarriesAStatusForItsClass) {
  EXPECT_EQ(failure({Code::kUnknownAttachment, "", ""}).status, 404);
  EXPECT_EQ(failure({Code::kAddressesExhausted, "", ""}).status, 503);
  EXPECT_EQ(failure({Code::kOvertaken, "", ""}).status, 409);
  EXPECT_EQ(failure({Code::kInternal, "", ""}).status, 500);
}

}  // namespace
}  // namespace linsey::rpc
