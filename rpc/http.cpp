#include "rpc/http.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "rpc/message.h"

namespace linsey::rpc {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";

bool equal_caseless(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  };
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool is_token(std::string_view text) {
  constexpr std::string_view kExtra = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || kExtra.find(c) != std::string_view::npos;
  });
}

bool is_visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

Error refused(std::string_view what) {
  return make_error(Code::kDecode, "HTTP: {}", what);
}

Result<std::uint64_t> number(std::string_view header, std::string_view text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end) {
    return make_error(Code::kDecode, "HTTP: {} is no number", header);
  }
  return value;
}

/// What the two heads have in common.
struct Headers {
  std::optional<std::uint64_t> content_length;
  std::optional<int> protocol;
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<Instant> began;
  std::string content_type;
};

Result<void> read_header(std::string_view line, Headers& headers) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return refused("a header line is malformed");
  }
  const std::string_view name = line.substr(0, colon);
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) {
    value.remove_prefix(1);
  }
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) {
    value.remove_suffix(1);
  }
  if (value.find_first_of(std::string_view("\r\n\0", 3)) !=
      std::string_view::npos) {
    return refused("a header value has a control character");
  }

  if (equal_caseless(name, "Content-Length")) {
    if (headers.content_length) return refused("Content-Length comes twice");
    headers.content_length = TRY(number(name, value));
    if (*headers.content_length > kMaxBody) {
      return make_error(Code::kIo, "HTTP: a body of {} bytes, limit is {}",
                        value, kMaxBody);
    }
  } else if (equal_caseless(name, "Transfer-Encoding")) {
    return refused("Transfer-Encoding is not spoken here");
  } else if (equal_caseless(name, "Linsey-Protocol")) {
    headers.protocol = static_cast<int>(TRY(number(name, value)) & 0xffffU);
  } else if (equal_caseless(name, "Linsey-Timeout-Ms")) {
    constexpr std::uint64_t kOneHour = 3'600'000;
    headers.timeout =
        std::chrono::milliseconds(std::min(TRY(number(name, value)), kOneHour));
  } else if (equal_caseless(name, "Linsey-Began")) {
    constexpr std::uint64_t kLatest = std::numeric_limits<std::int64_t>::max();
    headers.began = Instant(
        static_cast<std::int64_t>(std::min(TRY(number(name, value)), kLatest)));
  } else if (equal_caseless(name, "Content-Type")) {
    headers.content_type = value;
  }
  return {};
}

struct Head {
  std::string_view first_line;
  Headers headers;
  std::size_t length = 0;  // the empty line included
};

Result<std::optional<Head>> parse_head(std::string_view bytes) {
  const std::size_t end = bytes.substr(0, kMaxHead).find(kHeadEnd);
  if (end == std::string_view::npos) {
    if (bytes.size() < kMaxHead) return std::optional<Head>();
    return make_error(Code::kIo, "HTTP: the head exceeds {} bytes", kMaxHead);
  }
  Head head;
  head.length = end + kHeadEnd.size();
  std::string_view rest = bytes.substr(0, end + kLineEnd.size());
  const auto next_line = [&rest] {
    const std::size_t stop = rest.find(kLineEnd);
    const std::string_view line = rest.substr(0, stop);
    rest.remove_prefix(stop + kLineEnd.size());
    return line;
  };
  head.first_line = next_line();
  while (!rest.empty()) {
    TRY(read_header(next_line(), head.headers));
  }
  return std::optional<Head>(std::move(head));
}

int http_status(Code code) {
  if (code == Code::kUnknownAttachment) return 404;
  if (code == Code::kProtocolMismatch || code == Code::kDecode) return 400;
  switch (info(code).cls) {
    case Class::kConfig:
      return 422;
    case Class::kExhausted:
    case Class::kTransient:
      return 503;
    case Class::kThrottled:
      return 429;
    case Class::kConflict:
      return 409;
    case Class::kAuth:
      return 403;
    case Class::kInternal:
      return 500;
  }
  return 500;
}

std::string_view reason_phrase(int status) {
  constexpr auto kPhrases = std::to_array<std::pair<int, std::string_view>>({
      {200, "OK"},
      {400, "Bad Request"},
      {403, "Forbidden"},
      {404, "Not There"},
      {405, "Method Not Allowed"},
      {409, "Conflict"},
      {422, "Unprocessable Content"},
      {429, "Too Many Requests"},
      {500, "Internal Server Error"},
      {503, "Service Unavailable"},
  });
  const auto* const it = std::ranges::find(
      kPhrases, status, &std::pair<int, std::string_view>::first);
  return it == kPhrases.end() ? "Unknown" : it->second;
}

Result<Request> read_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return refused("the request line is malformed");
  }
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return refused("only HTTP/1.1 is spoken here");
  }
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (!target.starts_with('/') || !is_visible(target)) {
    return refused("the request target is malformed");
  }
  Request request;
  request.method = line.substr(0, first);
  if (!is_token(request.method)) return refused("the method is malformed");
  const std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
  return request;
}

}  // namespace

Response ok(std::string json) {
  return {.status = 200, .body = std::move(json)};
}

Response text(std::string body) {
  return {.status = 200,
          .body = std::move(body),
          .content_type = "text/plain; version=0.0.4; charset=utf-8"};
}

Response failure(const Error& error) {
  return {.status = http_status(error.code), .body = to_json(error)};
}

Result<std::optional<Request>> parse_request(std::string_view bytes) {
  const std::optional<Head> head = TRY(parse_head(bytes));
  if (!head) return std::optional<Request>();
  Request request = TRY(read_request_line(head->first_line));
  request.protocol = head->headers.protocol;
  request.timeout = head->headers.timeout;
  request.began = head->headers.began;
  const std::string_view body = bytes.substr(head->length);
  const std::uint64_t wanted = head->headers.content_length.value_or(0);
  if (body.size() < wanted) return std::optional<Request>();
  if (body.size() > wanted) return refused("bytes after the request");
  request.body = body;
  return std::optional<Request>(std::move(request));
}

Result<std::optional<Response>> parse_response(std::string_view bytes,
                                               bool ended) {
  const std::optional<Head> head = TRY(parse_head(bytes));
  if (!head) {
    if (!ended) return std::optional<Response>();
    return make_error(Code::kIo, "HTTP: the answer ended within its head");
  }
  const std::string_view line = head->first_line;
  constexpr std::size_t kCodeAt = 9;  // behind "HTTP/1.1 "
  if (line.size() < kCodeAt + 3 || !line.starts_with("HTTP/1.")) {
    return refused("the status line is malformed");
  }
  Response response;
  response.status =
      static_cast<int>(TRY(number("the status", line.substr(kCodeAt, 3))));
  response.content_type = head->headers.content_type;
  const std::string_view body = bytes.substr(head->length);
  const std::uint64_t wanted =
      head->headers.content_length.value_or(ended ? body.size() : kMaxBody + 1);
  if (body.size() > kMaxBody) {
    return make_error(Code::kIo, "HTTP: a body above {} bytes", kMaxBody);
  }
  if (body.size() < wanted) {
    if (!ended) return std::optional<Response>();
    return make_error(Code::kIo, "HTTP: the answer ended within its body");
  }
  response.body = body.substr(0, wanted);
  return std::optional<Response>(std::move(response));
}

std::string format_request(const Request& request) {
  std::string out = fmt::format("{} {}", request.method, request.path);
  if (!request.query.empty()) out += "?" + request.query;
  out += " HTTP/1.1\r\nHost: linsey\r\n";
  if (request.protocol) {
    out += fmt::format("Linsey-Protocol: {}\r\n", *request.protocol);
  }
  if (request.timeout) {
    out += fmt::format("Linsey-Timeout-Ms: {}\r\n", request.timeout->count());
  }
  if (request.began) {
    out += fmt::format("Linsey-Began: {}\r\n", request.began->count());
  }
  out += fmt::format("Content-Length: {}\r\nConnection: close\r\n\r\n",
                     request.body.size());
  return out + request.body;
}

std::string format_response(const Response& response) {
  return fmt::format(
             "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
             "Connection: close\r\n\r\n",
             response.status, reason_phrase(response.status),
             response.content_type, response.body.size()) +
         response.body;
}

}  // namespace linsey::rpc
