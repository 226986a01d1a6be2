#include "lab/api/identity.h"

#include <array>
#include <memory>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/base64.h"

namespace linsey::lab::api {
namespace {

constexpr long kValidSeconds = 24L * 3600;

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free>>;

Error openssl_error(const char* what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  return make_error(Code::kInternal, "{}: {}", what, text.data());
}

Result<Key> make_key() {
  Key key(EVP_EC_gen("P-256"));
  if (!key) return openssl_error("make a key");
  return key;
}

bool set_name(X509* certificate, const char* name) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  return X509_NAME_add_entry_by_txt(
             subject, "CN", MBSTRING_ASC,
             reinterpret_cast<const unsigned char*>(name), -1, -1, 0) == 1;
}

bool extend(X509* certificate, int what, const std::string& value) {
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str());
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

struct Request {
  const char* name = "";
  long serial = 1;
  EVP_PKEY* key = nullptr;
  X509* issuer = nullptr;  // null: signs itself
  EVP_PKEY* issuer_key = nullptr;
  std::vector<std::pair<int, std::string>> extensions;
};

Result<Certificate> make_certificate(const Request& request) {
  Certificate certificate(X509_new());
  X509* raw = certificate.get();
  bool good = raw != nullptr && X509_set_version(raw, 2) == 1 &&
              ASN1_INTEGER_set(X509_get_serialNumber(raw), request.serial) == 1;
  // An hour back: clocks of a test may differ a little.
  good = good && X509_gmtime_adj(X509_getm_notBefore(raw), -3600) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(raw), kValidSeconds) != nullptr &&
         X509_set_pubkey(raw, request.key) == 1 && set_name(raw, request.name);
  if (!good) return openssl_error("make a certificate");
  X509* issuer = request.issuer == nullptr ? raw : request.issuer;
  if (X509_set_issuer_name(raw, X509_get_subject_name(issuer)) != 1) {
    return openssl_error("name the issuer");
  }
  for (const auto& [what, value] : request.extensions) {
    if (!extend(raw, what, value)) return openssl_error("extend a certificate");
  }
  EVP_PKEY* signer =
      request.issuer_key == nullptr ? request.key : request.issuer_key;
  if (X509_sign(raw, signer, EVP_sha256()) == 0) {
    return openssl_error("sign a certificate");
  }
  return certificate;
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(length)};
}

std::string pem_of(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  (void)PEM_write_bio_X509(bio.get(), certificate);
  return text_of(bio.get());
}

std::string pem_of(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  (void)PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr,
                                 nullptr);
  return text_of(bio.get());
}

}  // namespace

Result<Identity> make_identity(const std::vector<IpAddr>& addresses) {
  const Key ca_key = TRY(make_key());
  const Certificate ca = TRY(make_certificate(
      {.name = "linsey-lab-ca",
       .key = ca_key.get(),
       .extensions = {{NID_basic_constraints, "critical,CA:TRUE"},
                      {NID_key_usage, "critical,keyCertSign"}}}));
  std::string names = "DNS:localhost,DNS:kubernetes";
  for (const IpAddr& address : addresses) {
    names += ",IP:" + address.to_string();
  }
  const Key key = TRY(make_key());
  const Certificate own = TRY(
      make_certificate({.name = "kube-apiserver",
                        .serial = 2,
                        .key = key.get(),
                        .issuer = ca.get(),
                        .issuer_key = ca_key.get(),
                        .extensions = {{NID_subject_alt_name, names},
                                       {NID_ext_key_usage, "serverAuth"}}}));
  return Identity{pem_of(ca.get()), pem_of(own.get()), pem_of(key.get())};
}

std::string kubeconfig(const std::string& server, const std::string& ca_pem,
                       const std::string& token) {
  const std::string authority =
      ca_pem.empty()
          ? std::string()
          : "\n    certificate-authority-data: " + base64_encode(ca_pem);
  return fmt::format(R"(apiVersion: v1
kind: Config
clusters:
- name: lab
  cluster:
    server: {}{}
users:
- name: lab
  user:
    token: "{}"
contexts:
- name: lab
  context:
    cluster: lab
    user: lab
current-context: lab
)",
                     server, authority, token);
}

}  // namespace linsey::lab::api
