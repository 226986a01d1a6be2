// Where the rights to call the OpenAPI come from: the RAM role bound to the
// instance first, a key file second.
//
// A role's credentials live some hours and are offered anew at least half an
// hour before they end, while both sets are valid; they are fetched again from
// ten minutes before the end on, and the old ones serve as long as they live
// when that fails. Secrets stay in memory; no message and no log carries one.
// Thread: one at a time (the cloud worker).
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "cloud/metadata.h"
#include "cloud/openapi.h"

namespace linsey::cloud {

struct CredentialOptions {
  bool ram_role = true;
  /// JSON {"accessKeyId", "accessKeySecret", "securityToken"?}; empty: none.
  /// Read again when it is asked for, so that a mounted secret may change.
  std::string key_file;
};

class CredentialSource {
 public:
  CredentialSource(CredentialOptions options, Metadata& metadata,
                   const Clock& clock);

  /// Errors: kCloudCredentials saying what was tried and why each failed.
  Result<Credentials> get();

  /// The cloud refused what get() gave: the next call fetches anew.
  void reject() { role_.reset(); }

 private:
  bool fresh(const Credentials& credentials, Duration margin) const;
  Result<Credentials> from_role();
  Result<Credentials> from_file() const;

  CredentialOptions options_;
  Metadata& metadata_;
  const Clock& clock_;
  std::optional<Credentials> role_;
};

}  // namespace linsey::cloud
