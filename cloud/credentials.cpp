#include "cloud/credentials.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"

namespace linsey::cloud {
namespace {

constexpr std::chrono::minutes kRefreshBefore{10};
const std::string kRolePath = "ram/security-credentials/";

std::string text_of(const Json& document, std::string_view key) {
  const Json* member = find_member(document, key);
  if (member == nullptr || !member->is_string()) return {};
  return member->get<std::string>();
}

Result<Json> parse_secret(std::string_view text, std::string_view what) {
  Result<Json> document = parse_json(text);
  if (!document || !document->is_object()) {
    // The parser's own words could quote the secret.
    return make_error(Code::kCloudCredentials, "{} holds no JSON object", what);
  }
  return document;
}

Result<Credentials> read_members(const Json& document, std::string_view what) {
  Credentials credentials;
  credentials.key_id = text_of(document, "AccessKeyId");
  credentials.key_secret = text_of(document, "AccessKeySecret");
  credentials.security_token = text_of(document, "SecurityToken");
  if (credentials.key_id.empty() || credentials.key_secret.empty()) {
    return make_error(Code::kCloudCredentials,
                      "{} lacks accessKeyId or accessKeySecret", what);
  }
  return credentials;
}

}  // namespace

CredentialSource::CredentialSource(CredentialOptions options,
                                   Metadata& metadata, const Clock& clock)
    : options_(std::move(options)), metadata_(metadata), clock_(clock) {}

bool CredentialSource::fresh(const Credentials& credentials,
                             Duration margin) const {
  return !credentials.expires ||
         clock_.wall() + std::chrono::duration_cast<
                             std::chrono::system_clock::duration>(margin) <
             *credentials.expires;
}

Result<Credentials> CredentialSource::from_role() {
  const std::optional<std::string> role = TRY(metadata_.get(kRolePath));
  if (!role || role->empty()) {
    return make_error(Code::kCloudCredentials,
                      "no RAM role is bound to the instance");
  }
  const std::string what = fmt::format("RAM role {}", *role);
  const std::optional<std::string> text = TRY(metadata_.get(kRolePath + *role));
  const Json document = TRY(parse_secret(text.value_or(""), what));
  if (const std::string code = text_of(document, "Code"); code != "Success") {
    return make_error(Code::kCloudCredentials,
                      "{}: the metadata service says {:?}", what, code);
  }
  Credentials credentials = TRY(read_members(document, what));
  const std::string end = text_of(document, "Expiration");
  if (!end.empty()) credentials.expires = TRY(parse_utc(end));
  if (!fresh(credentials, Duration::zero())) {
    return make_error(Code::kCloudCredentials,
                      "{}: its credentials ended at {}; is the clock right?",
                      what, end);
  }
  return credentials;
}

Result<Credentials> CredentialSource::from_file() const {
  const std::string text =
      TRY(read_file(options_.key_file, std::size_t{64} << 10));
  const Json document = TRY(parse_secret(text, options_.key_file));
  return read_members(document, options_.key_file);
}

Result<Credentials> CredentialSource::get() {
  std::string why;
  if (options_.ram_role) {
    if (role_ && fresh(*role_, kRefreshBefore)) return *role_;
    Result<Credentials> renewed = from_role();
    if (renewed) {
      role_ = *renewed;
      return renewed;
    }
    if (role_ && fresh(*role_, Duration::zero())) return *role_;
    role_.reset();
    why = renewed.error().msg;
  }
  if (!options_.key_file.empty()) {
    Result<Credentials> read = from_file();
    if (read) return read;
    why += (why.empty() ? "" : "; ") + read.error().msg;
  }
  if (why.empty()) why = "neither a RAM role nor a key file may be used";
  return make_error(Code::kCloudCredentials, "no credentials: {}", why);
}

}  // namespace linsey::cloud
