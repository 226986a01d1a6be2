#include "lab/api/types.h"

#include <array>
#include <atomic>
#include <charconv>
#include <ctime>
#include <random>

namespace linsey::lab::api {
namespace {

struct HttpStatus {
  int number = 500;
  std::string reason;
};

HttpStatus http_status(const Error& error) {
  switch (error.code) {
    case Code::kApiNotFound:
      return {404, "NotFound"};
    case Code::kApiExists:
      return {409, "AlreadyExists"};
    case Code::kApiConflict:
      return {409, "Conflict"};
    case Code::kApiForbidden:
      return {403, "Forbidden"};
    case Code::kApiUnauthorized:
      return {401, "Unauthorized"};
    case Code::kApiThrottled:
      return {429, "TooManyRequests"};
    case Code::kApiExpired:
      return {410, "Expired"};
    case Code::kApiInvalid:
      return {422, "Invalid"};
    default:
      return {500, "InternalError"};
  }
}

std::string decode(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(&text[i + 1], &text[i + 3], value, 16).ec ==
            std::errc()) {
      plain += static_cast<char>(value);
      i += 2;
    } else {
      plain += text[i] == '+' ? ' ' : text[i];
    }
  }
  return plain;
}

}  // namespace

std::string Call::option(const std::string& key) const {
  const auto found = query.find(key);
  return found == query.end() ? std::string() : found->second;
}

void read_target(std::string_view target, Call& call) {
  const auto mark = target.find('?');
  // A path segment may hold an encoded slash; none of our names does.
  call.path = decode(target.substr(0, mark));
  if (mark == std::string_view::npos) return;
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    const auto equals = std::min(part.find('='), part.size());
    call.query[decode(part.substr(0, equals))] =
        decode(part.substr(std::min(part.size(), equals + 1)));
  }
}

Error not_found(const std::string& plural, const std::string& name) {
  return make_error(Code::kApiNotFound, "{} \"{}\" not found", plural, name);
}

Error conflict(const std::string& name, const std::string& why) {
  return make_error(Code::kApiConflict,
                    "Operation cannot be fulfilled on \"{}\": {}", name, why);
}

Error invalid(const std::string& kind, const std::string& name,
              const std::string& why) {
  return make_error(Code::kApiInvalid, "{} \"{}\" is invalid: {}", kind, name,
                    why);
}

Error refused(int status, const std::string& reason, const std::string& why) {
  Error error = make_error(Code::kApiInvalid, "{}", why);
  error.details = fmt::format("{} {}", status, reason);
  return error;
}

Error bad_request(const std::string& why) {
  return refused(400, "BadRequest", why);
}

Error forbidden(const std::string& why) {
  return make_error(Code::kApiForbidden, "{}", why);
}

Json status_of(const Error& error) {
  HttpStatus status = http_status(error);
  int number = 0;
  const char* begin = error.details.data();
  const auto [end, bad] =
      std::from_chars(begin, begin + error.details.size(), number);
  if (error.code == Code::kApiInvalid && bad == std::errc() && *end == ' ') {
    status = {number, std::string(end + 1)};
  }
  return {{"kind", "Status"},          {"apiVersion", "v1"},
          {"status", "Failure"},       {"reason", status.reason},
          {"message", error.msg},      {"code", status.number},
          {"metadata", Json::object()}};
}

kube::Response reply_of(const Json& object, int status) {
  return {.status = status,
          .headers = {{"content-type", "application/json"}},
          .body = dump_json(object)};
}

kube::Response reply_of(const Error& error) {
  const Json status = status_of(error);
  return reply_of(status, status["code"].get<int>());
}

std::string metadata_text(const Json& object, const char* key) {
  const Json& metadata = child(object, "metadata");
  const auto value = metadata.find(key);
  return value != metadata.end() && value->is_string()
             ? value->get<std::string>()
             : std::string();
}

const Json& child(const Json& object, const char* key) {
  static const Json kNone = Json::object();
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : kNone;
}

std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  (void)gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  const std::size_t length =
      std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), length};
}

std::string make_uid() {
  static std::atomic<std::uint32_t> next{1};
  thread_local std::mt19937_64 random{std::random_device{}()};
  const std::uint32_t number = next++;
  const std::uint64_t low = (random() >> 2) | (1ULL << 63);
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", number,
                     random() & 0xffff, random() & 0xfff, low >> 48,
                     low & 0xffffffffffffULL);
}

}  // namespace linsey::lab::api
