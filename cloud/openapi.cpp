#include "cloud/openapi.h"

#include <algorithm>
#include <array>
#include <ctime>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace linsey::cloud {
namespace {

constexpr std::string_view kUserAgent = "Linsey";
constexpr std::string_view kV3Algorithm = "ACS3-HMAC-SHA256";

using Bytes = std::span<const unsigned char>;

Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

std::string hex(Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xfU];
  }
  return text;
}

std::string base64(Bytes bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      bytes.data(), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

struct Digest {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  Bytes view() const { return {bytes.data(), size}; }
};

Digest hmac(const EVP_MD* how, std::string_view key, std::string_view data) {
  Digest digest;
  const Bytes bytes = as_bytes(data);
  if (HMAC(how, key.data(), static_cast<int>(key.size()), bytes.data(),
           bytes.size(), digest.bytes.data(), &digest.size) == nullptr) {
    panic("HMAC failed");
  }
  return digest;
}

std::string query_url(const ApiCall& call, const Params& params) {
  return fmt::format("{}/?{}", call.endpoint, canonical_query(params));
}

std::string joined_names(const Params& headers) {
  std::string names;
  for (const auto& [name, value] : headers) {
    if (!names.empty()) names += ';';
    names += name;
  }
  return names;
}

}  // namespace

std::string format_utc(std::chrono::system_clock::time_point when) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
  std::tm parts{};
  (void)gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t length =
      std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), length};
}

Result<std::chrono::system_clock::time_point> parse_utc(std::string_view text) {
  const std::string copy(text);
  std::tm parts{};
  const char* end = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') {
    return make_error(Code::kDecode,
                      "{:?} is no time of the form 2026-01-02T03:04:05Z", text);
  }
  return std::chrono::system_clock::from_time_t(timegm(&parts));
}

Stamp make_stamp(std::chrono::system_clock::time_point now) {
  std::array<unsigned char, 16> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    panic("RAND_bytes failed");
  }
  return {hex(random), format_utc(now)};
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                       c == '.' || c == '~';
    if (plain) {
      result += c;
      continue;
    }
    result += '%';
    result += kDigits[byte >> 4U];
    result += kDigits[byte & 0xfU];
  }
  return result;
}

std::string canonical_query(const Params& params) {
  std::string text;
  for (const auto& [name, value] : params) {
    if (!text.empty()) text += '&';
    text += percent_encode(name) + "=" + percent_encode(value);
  }
  return text;
}

void put_list(Params& params, const std::string& name,
              std::span<const std::string> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    params[fmt::format("{}.{}", name, i + 1)] = values[i];
  }
}

void put_tags(Params& params, const std::map<std::string, std::string>& tags) {
  unsigned i = 0;
  for (const auto& [key, value] : tags) {
    ++i;
    params[fmt::format("Tag.{}.Key", i)] = key;
    params[fmt::format("Tag.{}.Value", i)] = value;
  }
}

std::string sha256_hex(std::string_view data) {
  Digest digest;
  const Bytes bytes = as_bytes(data);
  if (EVP_Digest(bytes.data(), bytes.size(), digest.bytes.data(), &digest.size,
                 EVP_sha256(), nullptr) != 1) {
    panic("SHA-256 failed");
  }
  return hex(digest.view());
}

std::string hmac_sha1(std::string_view key, std::string_view data) {
  return base64(hmac(EVP_sha1(), key, data).view());
}

std::string hmac_sha256(std::string_view key, std::string_view data) {
  return hex(hmac(EVP_sha256(), key, data).view());
}

std::string v1_string_to_sign(std::string_view method, const Params& params) {
  // Encoded twice on purpose: the query, then the query as one value.
  return fmt::format("{}&%2F&{}", method,
                     percent_encode(canonical_query(params)));
}

std::string v1_signature(std::string_view method, const Params& params,
                         std::string_view key_secret) {
  return hmac_sha1(fmt::format("{}&", key_secret),
                   v1_string_to_sign(method, params));
}

Result<HttpRequest> sign_v1(const ApiCall& call, const Credentials& credentials,
                            const Stamp& stamp) {
  (void)TRY(url_host(call.endpoint));
  Params params = call.params;
  params["Action"] = call.action;
  params["Version"] = call.version;
  params["Format"] = "JSON";
  params["AccessKeyId"] = credentials.key_id;
  params["SignatureMethod"] = "HMAC-SHA1";
  params["SignatureVersion"] = "1.0";
  params["SignatureNonce"] = stamp.nonce;
  params["Timestamp"] = stamp.timestamp;
  if (!credentials.security_token.empty()) {
    params["SecurityToken"] = credentials.security_token;
  }
  params["Signature"] = v1_signature("POST", params, credentials.key_secret);
  return HttpRequest{.method = "POST",
                     .url = query_url(call, params),
                     .headers = {{"user-agent", std::string(kUserAgent)}}};
}

std::string v3_canonical_request(std::string_view method, const Params& query,
                                 const Params& signed_headers,
                                 std::string_view body) {
  std::string text = fmt::format("{}\n/\n{}\n", method, canonical_query(query));
  for (const auto& [name, value] : signed_headers) {
    text += fmt::format("{}:{}\n", name, value);
  }
  return text + fmt::format("\n{}\n{}", joined_names(signed_headers),
                            sha256_hex(body));
}

std::string v3_signature(std::string_view canonical_request,
                         std::string_view key_secret) {
  return hmac_sha256(key_secret, fmt::format("{}\n{}", kV3Algorithm,
                                             sha256_hex(canonical_request)));
}

Result<HttpRequest> sign_v3(const ApiCall& call, const Credentials& credentials,
                            const Stamp& stamp) {
  Params headers{{"host", TRY(url_host(call.endpoint))},
                 {"x-acs-action", call.action},
                 {"x-acs-version", call.version},
                 {"x-acs-date", stamp.timestamp},
                 {"x-acs-signature-nonce", stamp.nonce},
                 {"x-acs-content-sha256", sha256_hex("")}};
  if (!credentials.security_token.empty()) {
    headers["x-acs-security-token"] = credentials.security_token;
  }
  const std::string signature =
      v3_signature(v3_canonical_request("POST", call.params, headers, ""),
                   credentials.key_secret);

  HttpRequest request{.method = "POST", .url = query_url(call, call.params)};
  request.headers.assign(headers.begin(), headers.end());
  request.headers.emplace_back("accept", "application/json");
  request.headers.emplace_back("user-agent", kUserAgent);
  request.headers.emplace_back(
      "authorization",
      fmt::format("{} Credential={},SignedHeaders={},Signature={}",
                  kV3Algorithm, credentials.key_id, joined_names(headers),
                  signature));
  return request;
}

}  // namespace linsey::cloud
