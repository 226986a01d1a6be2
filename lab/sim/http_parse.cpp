#include "lab/sim/http_parse.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string_view>

#include <fmt/core.h>

namespace linsey::sim {
namespace {

constexpr std::size_t kHeadLimit = std::size_t{64} << 10;
constexpr std::size_t kBodyLimit = std::size_t{1} << 20;
constexpr std::string_view kLineEnd = "\r\n";

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t'))
    text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t'))
    text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return out;
}

bool read_first_line(std::string_view line, HttpRequest& request) {
  const std::size_t space = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (space == std::string_view::npos || last <= space) return false;
  if (!line.substr(last + 1).starts_with("HTTP/1.")) return false;
  request.method = line.substr(0, space);
  const std::string_view target = line.substr(space + 1, last - space - 1);
  const std::size_t question = target.find('?');
  request.path = target.substr(0, question);
  request.query = question == std::string_view::npos
                      ? std::string()
                      : std::string(target.substr(question + 1));
  return true;
}

bool read_head(std::string_view head, HttpRequest& request) {
  const std::size_t end = head.find(kLineEnd);
  if (!read_first_line(head.substr(0, end), request)) return false;
  while (head.find(kLineEnd) != std::string_view::npos) {
    head.remove_prefix(head.find(kLineEnd) + kLineEnd.size());
    const std::string_view line = head.substr(0, head.find(kLineEnd));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    request.headers[lower(line.substr(0, colon))] =
        trimmed(line.substr(colon + 1));
  }
  return true;
}

bool body_length(const HttpRequest& request, std::size_t& length) {
  length = 0;
  if (request.headers.contains("transfer-encoding")) return false;
  const auto found = request.headers.find("content-length");
  if (found == request.headers.end()) return true;
  const std::string& text = found->second;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, length);
  return error == std::errc() && stop == end && length <= kBodyLimit;
}

std::string_view reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

}  // namespace

Parse take_request(std::string& buffer, HttpRequest& request) {
  const std::size_t head = buffer.find("\r\n\r\n");
  if (head == std::string::npos) {
    return buffer.size() > kHeadLimit ? Parse::kBad : Parse::kMore;
  }
  request = {};
  std::size_t length = 0;
  if (!read_head(std::string_view(buffer).substr(0, head), request) ||
      !body_length(request, length)) {
    return Parse::kBad;
  }
  if (buffer.size() < head + 4 + length) return Parse::kMore;
  request.body = buffer.substr(head + 4, length);
  buffer.erase(0, head + 4 + length);
  return Parse::kDone;
}

std::string to_text(const HttpResponse& response, bool close) {
  std::string text = fmt::format("HTTP/1.1 {} {}\r\n", response.status,
                                 reason(response.status));
  text += "Content-Type: " + response.content_type + "\r\n";
  text += fmt::format("Content-Length: {}\r\n", response.body.size());
  for (const auto& [name, value] : response.headers) {
    text += fmt::format("{}: {}\r\n", name, value);
  }
  if (close) text += "Connection: close\r\n";
  return text + "\r\n" + response.body;
}

}  // namespace linsey::sim
