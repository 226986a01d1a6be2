#include "lab/sim/signature.h"

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include <fmt/core.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace linsey::sim {
namespace {

constexpr std::string_view kV3Name = "ACS3-HMAC-SHA256";

using Bytes = std::vector<unsigned char>;

Bytes hmac(const EVP_MD* digest, const std::string& key,
           const std::string& text) {
  Bytes out(EVP_MAX_MD_SIZE);
  unsigned length = 0;
  HMAC(digest, key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       out.data(), &length);
  out.resize(length);
  return out;
}

std::string hex(const Bytes& bytes) {
  std::string text;
  for (const unsigned char byte : bytes)
    text += fmt::format("{:02x}", byte);
  return text;
}

std::string base64(const Bytes& bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      bytes.data(), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

std::string sha256_hex(const std::string& text) {
  Bytes out(EVP_MAX_MD_SIZE);
  unsigned length = 0;
  EVP_Digest(text.data(), text.size(), out.data(), &length, EVP_sha256(),
             nullptr);
  out.resize(length);
  return hex(out);
}

/// std::map orders names bytewise, as the scheme wants.
std::string canonical_query(const std::map<std::string, std::string>& values) {
  std::string text;
  for (const auto& [name, value] : values) {
    if (!text.empty()) text += '&';
    text += percent_encode(name) + '=' + percent_encode(value);
  }
  return text;
}

std::string take(std::map<std::string, std::string>& values,
                 const std::string& name) {
  const auto found = values.find(name);
  if (found == values.end()) return {};
  std::string value = std::move(found->second);
  values.erase(found);
  return value;
}

Fault incomplete(const std::string& name) {
  return {400, "IncompleteSignature",
          fmt::format("The request signature does not conform to Aliyun "
                      "standards: \"{}\" is missing or wrong.",
                      name)};
}

std::string header(const HttpRequest& request, const std::string& name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? std::string() : found->second;
}

bool is_form(const HttpRequest& request) {
  return header(request, "content-type")
      .starts_with("application/x-www-form-urlencoded");
}

Fault read_v1(const HttpRequest& request, SignedCall& call) {
  std::map<std::string, std::string> all;
  if (Fault fault = read_form(request.query, all)) return fault;
  if (is_form(request)) {
    if (Fault fault = read_form(request.body, all)) return fault;
  }
  call.signature = take(all, "Signature");
  call.string_to_sign =
      request.method + "&%2F&" + percent_encode(canonical_query(all));
  call.action = take(all, "Action");
  call.version = take(all, "Version");
  call.format = take(all, "Format");
  call.key_id = take(all, "AccessKeyId");
  call.token = take(all, "SecurityToken");
  call.nonce = take(all, "SignatureNonce");
  call.timestamp = take(all, "Timestamp");
  (void)take(all, "SignatureType");
  const std::string method = take(all, "SignatureMethod");
  const std::string version = take(all, "SignatureVersion");
  call.params = std::move(all);
  if (call.key_id.empty()) return {};
  if (method != "HMAC-SHA1") {
    return {400, "InvalidSignatureMethod",
            "The specified signature method is not HMAC-SHA1."};
  }
  if (version != "1.0") return incomplete("SignatureVersion");
  if (call.signature.empty()) return incomplete("Signature");
  if (call.nonce.empty()) return incomplete("SignatureNonce");
  return {};
}

/// "Credential=ID,SignedHeaders=a;b,Signature=HEX"
struct Authorization {
  std::string key_id;
  std::vector<std::string> names;
  std::string signature;
};

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool read_authorization(std::string_view text, Authorization& out) {
  if (!text.starts_with(kV3Name) || text.size() <= kV3Name.size()) return false;
  text.remove_prefix(kV3Name.size() + 1);
  for (const std::string& part : split(text, ',')) {
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) return false;
    const std::string name = part.substr(0, equals);
    const std::string value = part.substr(equals + 1);
    if (name == "Credential") out.key_id = value;
    if (name == "SignedHeaders") out.names = split(value, ';');
    if (name == "Signature") out.signature = value;
  }
  return !out.key_id.empty() && !out.names.empty() && !out.signature.empty();
}

/// What must be signed: host, content-type and x-acs-*, if sent.
Fault check_signed_names(const HttpRequest& request,
                         const std::vector<std::string>& names) {
  if (!std::is_sorted(names.begin(), names.end())) {
    return incomplete("SignedHeaders (not sorted)");
  }
  const std::set<std::string> listed(names.begin(), names.end());
  for (const auto& [name, value] : request.headers) {
    const bool must =
        name == "host" || name == "content-type" || name.starts_with("x-acs-");
    if (must && !listed.contains(name)) {
      return incomplete("SignedHeaders (without " + name + ")");
    }
  }
  for (const char* name :
       {"host", "x-acs-action", "x-acs-version", "x-acs-date",
        "x-acs-signature-nonce", "x-acs-content-sha256"}) {
    if (!listed.contains(name)) return incomplete(name);
  }
  return {};
}

std::string canonical_request(const HttpRequest& request,
                              const std::vector<std::string>& names,
                              const std::map<std::string, std::string>& query) {
  std::string text =
      request.method + "\n" + request.path + "\n" + canonical_query(query);
  text += '\n';
  std::string joined;
  for (const std::string& name : names) {
    text += name + ":" + header(request, name) + "\n";
    if (!joined.empty()) joined += ';';
    joined += name;
  }
  return text + "\n" + joined + "\n" + header(request, "x-acs-content-sha256");
}

Fault read_v3(const HttpRequest& request, SignedCall& call) {
  call.v3 = true;
  call.action = header(request, "x-acs-action");
  call.version = header(request, "x-acs-version");
  call.token = header(request, "x-acs-security-token");
  call.nonce = header(request, "x-acs-signature-nonce");
  call.timestamp = header(request, "x-acs-date");
  std::map<std::string, std::string> query;
  if (Fault fault = read_form(request.query, query)) return fault;
  call.params = query;
  if (is_form(request)) {
    if (Fault fault = read_form(request.body, call.params)) return fault;
  }
  Authorization authorization;
  if (!read_authorization(header(request, "authorization"), authorization)) {
    return incomplete("Authorization");
  }
  call.key_id = authorization.key_id;
  call.signature = authorization.signature;
  if (Fault fault = check_signed_names(request, authorization.names)) {
    return fault;
  }
  if (header(request, "x-acs-content-sha256") != sha256_hex(request.body)) {
    return {400, "SignatureDoesNotMatch",
            "x-acs-content-sha256 is not the hash of the body."};
  }
  call.string_to_sign =
      std::string(kV3Name) + "\n" +
      sha256_hex(canonical_request(request, authorization.names, query));
  return {};
}

}  // namespace

std::string percent_encode(std::string_view text) {
  static constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
  std::string encoded;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

bool percent_decode(std::string_view text, std::string& decoded) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  decoded.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (i + 2 >= text.size()) return false;
    const int high = digit(text[i + 1]);
    const int low = digit(text[i + 2]);
    if (high < 0 || low < 0) return false;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return true;
}

Fault read_form(std::string_view text,
                std::map<std::string, std::string>& values) {
  if (text.empty()) return {};
  for (const std::string& part : split(text, '&')) {
    const std::size_t equals = part.find('=');
    std::string name;
    std::string value;
    const bool good =
        percent_decode(std::string_view(part).substr(0, equals), name) &&
        (equals == std::string::npos ||
         percent_decode(std::string_view(part).substr(equals + 1), value));
    if (!good) return {400, "InvalidParameter", "Bad percent encoding."};
    if (!values.emplace(name, value).second) {
      return {400, "InvalidParameter", "\"" + name + "\" comes twice."};
    }
  }
  return {};
}

Fault read_signed(const HttpRequest& request, SignedCall& call) {
  if (request.method != "GET" && request.method != "POST") {
    return {403, "UnsupportedHTTPMethod", "Only GET and POST are supported."};
  }
  const bool v3 = request.headers.contains("x-acs-action") ||
                  request.headers.contains("authorization");
  return v3 ? read_v3(request, call) : read_v1(request, call);
}

std::string expected_signature(const SignedCall& call,
                               const std::string& secret) {
  if (call.v3) return hex(hmac(EVP_sha256(), secret, call.string_to_sign));
  return base64(hmac(EVP_sha1(), secret + "&", call.string_to_sign));
}

}  // namespace linsey::sim
